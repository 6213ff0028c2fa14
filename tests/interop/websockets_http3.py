"""WebSockets over aioquic's HTTP/3, by RFC 9220."""

import asyncio

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3 import events as h3_events
from aioquic.h3.connection import ErrorCode, H3Connection
from aioquic.quic import events
from aioquic.quic.connection import QuicConnection
from websockets.datastructures import Headers
from websockets.protocol import State
from websockets_end import REFUSAL, End, ids, pairs, server_protocol, tell

# RFC 8441 §5: what an upgrade of HTTP/1.1 has and an extended CONNECT has not.
UPGRADE = {"host", "upgrade", "connection", "sec-websocket-key"}


class Stream:
    """A request stream of HTTP/3."""

    alt_svc = None

    def __init__(self, http3: "Http3", stream: int) -> None:
        self._http3 = http3
        self._stream = stream
        self._is_over = False
        self.connection = http3.number

    def _is_open(self) -> bool:
        return not self._is_over and not self._http3.is_over

    def write(self, data: bytes) -> None:
        if self._is_open():
            self._http3.h3.send_data(self._stream, data, False)
            self._http3.transmit()

    def fin(self) -> None:
        if self._is_open():
            self._is_over = True
            self._http3.h3.send_data(self._stream, b"", True)
            self._http3.transmit()

    def abort(self) -> None:
        self._is_over = True
        self._http3.drop(self._stream)


class Http3(QuicConnectionProtocol):
    def __init__(self, quic: QuicConnection, stream_handler=None) -> None:
        super().__init__(quic)
        self.number = -next(ids)
        self.is_over = False
        self.h3: H3Connection | None = None
        self.settings = asyncio.Event()
        self._ends: dict[int, End] = {}
        self._refusals: dict[int, dict] = {}

    def quic_event_received(self, event: events.QuicEvent) -> None:
        if isinstance(event, events.ProtocolNegotiated):
            self.h3 = H3Connection(self._quic)
        elif isinstance(event, events.StreamReset) and event.stream_id in self._ends:
            self._ends[event.stream_id].ended()
        elif isinstance(event, events.ConnectionTerminated):
            self.is_over = True
            for end in self._ends.values():
                end.ended()
        if self.h3 is None:
            return
        for answer in self.h3.handle_event(event):
            self._answer(answer)
        if self.h3.received_settings is not None:
            self.settings.set()

    def _answer(self, event: h3_events.H3Event) -> None:
        stream = event.stream_id
        end = self._ends.get(stream)
        if isinstance(event, h3_events.HeadersReceived):
            fields = [[name.decode(), value.decode()] for name, value in event.headers]
            if end is None:
                end = self._requested(stream, fields)
            elif (":status", "200") in map(tuple, fields):
                self._accepted(end, fields)
            else:
                self._refusals[stream] = {"status": int(dict(fields)[":status"]), "body": ""}
        elif isinstance(event, h3_events.DataReceived) and stream in self._refusals:
            self._refusals[stream]["body"] += event.data.decode()
        elif isinstance(event, h3_events.DataReceived) and end is not None:
            end.received(event.data)
        if event.stream_ended and stream in self._refusals:
            tell("refused", id=end.id, fault=None, **self._refusals.pop(stream))
        elif event.stream_ended and end is not None:
            end.ended()

    def request(self, end: End, more: list) -> None:
        stream = self._quic.get_next_available_stream_id()
        end.wire = Stream(self, stream)
        self._ends[stream] = end
        request = end.protocol.connect()
        pseudo = {
            ":method": "CONNECT",
            ":protocol": "websocket",
            ":scheme": "https",
            ":authority": request.headers["host"],
            ":path": request.path,
        }
        fields = [field for field in pairs(request.headers) if field[0] not in UPGRADE]
        self._send_head(stream, [*pseudo.items(), *fields, *more])

    def _accepted(self, end: End, fields: list) -> None:
        headers = Headers([field for field in fields if field[0][0] != ":"])
        end.protocol.extensions = end.protocol.process_extensions(headers)
        end.protocol.subprotocol = end.protocol.process_subprotocol(headers)
        end.opened(fields)

    def _requested(self, stream: int, fields: list) -> End | None:
        head = dict(fields)
        if (head.get(":method"), head.get(":protocol")) != ("CONNECT", "websocket"):
            self._send_head(stream, [(":status", "405")], True)
            return None
        if head[":path"].startswith("/refused"):
            self._send_head(stream, [(":status", "403"), ("content-type", "text/plain")])
            self.h3.send_data(stream, REFUSAL.encode(), True)
            return None
        for name in UPGRADE - {"host"}:
            assert name not in head, f"{name} is of HTTP/1.1"
        assert head["sec-websocket-version"] == "13"
        protocol = server_protocol(State.OPEN)
        headers = Headers([field for field in fields if field[0][0] != ":"])
        extensions, protocol.extensions = protocol.process_extensions(headers)
        protocol.subprotocol = protocol.process_subprotocol(headers)
        answer = [(":status", "200"), ("x-answer", "yes")]
        if extensions is not None:
            answer.append(("sec-websocket-extensions", extensions))
        if protocol.subprotocol is not None:
            answer.append(("sec-websocket-protocol", protocol.subprotocol))
        self._send_head(stream, answer)
        end = self._ends[stream] = End(protocol)
        end.wire = Stream(self, stream)
        end.opened(fields, head[":path"])
        return end

    def _send_head(self, stream: int, fields: list, end: bool = False) -> None:
        lines = [(name.lower().encode(), value.encode()) for name, value in fields]
        self.h3.send_headers(stream, lines, end)
        self.transmit()

    def drop(self, stream: int) -> None:
        self._quic.reset_stream(stream, ErrorCode.H3_REQUEST_CANCELLED)
        self._quic.stop_stream(stream, ErrorCode.H3_REQUEST_CANCELLED)
        self.transmit()
        self._ends[stream].ended()
