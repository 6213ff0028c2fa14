"""An HTTP/3 client on aioquic that does what the test says, right or wrong.

    python aioquic_client.py PORT CA_FILE [raw | CONNECT_FIELDS]

Each line of stdin is one command, each line of stdout one event, both JSON. `raw` leaves HTTP/3 to
the test: only QUIC is spoken. CONNECT_FIELDS are the fields of a request that goes out in one flight
with the end of the handshake. Ends with stdin.
"""

import asyncio
import json
import os
import sys
from collections import defaultdict

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.buffer import Buffer, BufferReadError
from aioquic.h3 import events as h3_events
from aioquic.h3.connection import H3_ALPN, ErrorCode, FrameType, H3Connection, StreamType
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

MAX_LINE = 16 * 1024 * 1024


def tell(event: str, **fields) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


class GoawayReader:
    """aioquic skips GOAWAY; this reads it from the server's control stream."""

    def __init__(self) -> None:
        self._streams = defaultdict(bytes)
        self._frames = 0

    def read(self, stream_id: int, data: bytes) -> None:
        # RFC 9000 §2.1: server-initiated, unidirectional.
        if stream_id % 4 != 3:
            return
        self._streams[stream_id] += data
        buf = Buffer(data=self._streams[stream_id])
        frames = 0
        try:
            if buf.pull_uint_var() != StreamType.CONTROL:
                return
            while True:
                frame_type = buf.pull_uint_var()
                payload = buf.pull_bytes(buf.pull_uint_var())
                frames += 1
                if frame_type == FrameType.GOAWAY and frames > self._frames:
                    tell("goaway", id=Buffer(data=payload).pull_uint_var())
        except BufferReadError:
            self._frames = max(self._frames, frames)


class FrameReader:
    """RFC 6455 §5.2, the server's side: frames without mask."""

    def __init__(self) -> None:
        self._bytes = b""

    def push(self, data: bytes):
        self._bytes += data
        while True:
            frame = self._next()
            if frame is None:
                return
            yield frame

    def _next(self):
        data = self._bytes
        if len(data) < 2:
            return None
        length, start = data[1], 2
        if length & 0x80:
            raise ValueError("The server masked a frame")
        if length >= 126:
            start += 2 if length == 126 else 8
            if len(data) < start:
                return None
            length = int.from_bytes(data[2:start], "big")
        if len(data) < start + length:
            return None
        self._bytes = data[start + length :]
        return {
            "fin": data[0] >= 0x80,
            "rsv": data[0] >> 4 & 7,
            "opcode": data[0] & 15,
            "hex": data[start : start + length].hex(),
        }


def encode_frame(opcode: int, payload: bytes, rsv: int) -> bytes:
    """RFC 6455 §5.3: a client masks each frame with a key of its own."""
    size = len(payload)
    if size < 126:
        head = bytes([0x80 | size])
    elif size < 65536:
        head = bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 | 127]) + size.to_bytes(8, "big")
    key = os.urandom(4)
    mask = (key * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return bytes([0x80 | rsv << 4 | opcode]) + head + key + masked.to_bytes(size, "big")


class Client(QuicConnectionProtocol):
    def __init__(self, quic: QuicConnection, raw: bool, early: list | None) -> None:
        super().__init__(quic)
        self._raw = raw
        self._early = early
        self._h3: H3Connection | None = None
        self._goaways = GoawayReader()
        self._connects: set[int] = set()
        self._tunnels: dict[int, FrameReader] = {}
        self._settings = None
        self._left = False

    # What comes

    def quic_event_received(self, event: events.QuicEvent) -> None:
        if isinstance(event, events.HandshakeCompleted):
            tell("connected", alpn=event.alpn_protocol)
            if not self._raw:
                self._h3 = H3Connection(self._quic)
            if self._early is not None:
                self.do_request(self._early)
        elif isinstance(event, events.ConnectionTerminated):
            mine = self._left or (self._h3 is not None and self._h3._is_done)
            tell(
                "closed",
                by="client" if mine else "server",
                # RFC 9000 §19.19: 0x1d, the close of an application, has no frame type.
                application=event.frame_type is None,
                code=event.error_code,
                reason=event.reason_phrase,
            )
        elif isinstance(event, events.StreamReset):
            tell("reset", stream=event.stream_id, code=event.error_code)
        elif isinstance(event, events.StopSendingReceived):
            tell("stop", stream=event.stream_id, code=event.error_code)
        elif isinstance(event, events.StreamDataReceived):
            self._goaways.read(event.stream_id, event.data)
        if self._h3 is not None:
            for answer in self._h3.handle_event(event):
                self._answer(answer)
            self._tell_settings()

    def _tell_settings(self) -> None:
        settings = self._h3.received_settings
        if settings is not None and self._settings is None:
            self._settings = settings
            tell("settings", values={str(int(key)): value for key, value in settings.items()})

    def _answer(self, event: h3_events.H3Event) -> None:
        stream = event.stream_id
        if isinstance(event, h3_events.HeadersReceived):
            fields = {name.decode(): value.decode() for name, value in event.headers}
            if fields.get(":status") == "200" and stream in self._connects:
                self._tunnels[stream] = FrameReader()
            tell("headers", stream=stream, fields=fields)
        elif isinstance(event, h3_events.DataReceived):
            if stream in self._tunnels:
                for frame in self._tunnels[stream].push(event.data):
                    tell("frame", stream=stream, **frame)
            elif event.data:
                tell("data", stream=stream, hex=event.data.hex())
        if event.stream_ended:
            tell("end", stream=stream)

    # What goes

    def do_request(self, fields: list, end: bool = False) -> None:
        stream = self._quic.get_next_available_stream_id()
        headers = [(name.encode(), value.encode()) for name, value in fields]
        if (b":method", b"CONNECT") in headers:
            self._connects.add(stream)
        self._h3.send_headers(stream, headers, end)
        tell("requested", stream=stream, settings=self._h3.received_settings is not None)

    def do_frame(self, stream: int, opcode: int, hex: str = "", rsv: int = 0) -> None:
        self._h3.send_data(stream, encode_frame(opcode, bytes.fromhex(hex), rsv), False)

    def do_end(self, stream: int) -> None:
        self._h3.send_data(stream, b"", True)

    def do_send(self, hex: str, stream: int | None = None, uni: bool = False, end: bool = False):
        """Bytes as they are, on a new stream if none is named."""
        if stream is None:
            stream = self._quic.get_next_available_stream_id(is_unidirectional=uni)
        self._quic.send_stream_data(stream, bytes.fromhex(hex), end)
        tell("sent", stream=stream)

    def do_reset(self, stream: int, code: int) -> None:
        self._quic.reset_stream(stream, code)

    def do_stop(self, stream: int, code: int) -> None:
        self._quic.stop_stream(stream, code)

    def do_close(self) -> None:
        self._left = True
        self._quic.close(ErrorCode.H3_NO_ERROR)


async def stdin_lines():
    reader = asyncio.StreamReader(limit=MAX_LINE)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        yield json.loads(line)


async def main(port: str, ca_file: str, mode: str = "null") -> None:
    raw = mode == "raw"
    config = QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, server_name="localhost", idle_timeout=60
    )
    config.load_verify_locations(cafile=ca_file)
    quic = QuicConnection(configuration=config)
    early = None if raw else json.loads(mode)
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Client(quic, raw, early), local_addr=("127.0.0.1", 0)
    )
    client.connect(("127.0.0.1", int(port)))
    async for command in stdin_lines():
        getattr(client, "do_" + command.pop("do"))(**command)
        client.transmit()
    client.do_close()
    client.transmit()
    await client.wait_closed()
    transport.close()


asyncio.run(main(*sys.argv[1:]))
