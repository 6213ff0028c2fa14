"""One side of a WebSocket by `websockets`, whatever carries its bytes, and TCP to carry them."""

import asyncio
import json
from itertools import count

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

REFUSAL = "not you\n"
SUBPROTOCOL = "chat.v1"

ids = count(1)
ends: dict[int, "End"] = {}


def tell(event: str, **fields) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def client_protocol(url: str, state: State, protocols: list, deflate: bool) -> ClientProtocol:
    return ClientProtocol(
        parse_uri(url),
        extensions=[ClientPerMessageDeflateFactory(client_max_window_bits=True)] if deflate else None,
        subprotocols=protocols or None,
        state=state,
        max_size=None,
    )


def server_protocol(state: State) -> ServerProtocol:
    return ServerProtocol(
        extensions=[ServerPerMessageDeflateFactory()],
        select_subprotocol=lambda _, offered: SUBPROTOCOL if SUBPROTOCOL in offered else None,
        state=state,
        max_size=None,
    )


def pairs(headers: Headers) -> list:
    return [[name.lower(), value] for name, value in headers.raw_items()]


class End:
    """One side of a WebSocket. Its `wire` has write(data), fin() and abort()."""

    def __init__(self, protocol: Protocol, id: int | None = None) -> None:
        # Those that a server takes are named by itself.
        self.id = next(ids) if id is None else id
        self.protocol = protocol
        self.wire = None
        self._opcode = None
        self._parts: list[bytes] = []
        self._received = 0
        self._is_open = False
        self._is_over = False
        ends[self.id] = self

    # What comes

    def received(self, data: bytes) -> None:
        self._received += len(data)
        if data and not self.protocol.reader.eof:
            self.protocol.receive_data(data)
        self.flush()

    def ended(self) -> None:
        self.protocol.receive_eof()
        self.flush()

    def flush(self) -> None:
        happened = self.protocol.events_received()
        for data in self.protocol.data_to_send():
            self.wire.write(data) if data else self.wire.fin()
        for event in happened:
            self._answer(event)
        if self.protocol.state is State.CLOSED and self._is_open and not self._is_over:
            self._is_over = True
            fault = self.protocol.parser_exc
            tell(
                "close",
                id=self.id,
                code=self.protocol.close_code,
                reason=self.protocol.close_reason,
                fault=None if fault is None else str(fault),
            )

    def _answer(self, event) -> None:
        if isinstance(event, Request):
            return self._requested(event)
        if isinstance(event, Response):
            if self.protocol.handshake_exc is None:
                return self.opened(pairs(event.headers))
            fault = None if event.status_code >= 300 else str(self.protocol.handshake_exc)
            body = (event.body or b"").decode()
            return tell("refused", id=self.id, status=event.status_code, body=body, fault=fault)
        if event.opcode in (Opcode.PING, Opcode.PONG):
            return tell(event.opcode.name.lower(), id=self.id, text=event.data.decode())
        if event.opcode is not Opcode.CLOSE:
            self._message(event)

    def _message(self, frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._opcode = frame.opcode
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return
        data = b"".join(self._parts)
        self._parts = []
        if self._opcode is Opcode.TEXT:
            tell("message", id=self.id, text=data.decode(), received=self._received)
        else:
            tell("message", id=self.id, hex=data.hex(), received=self._received)

    def _requested(self, request: Request) -> None:
        if request.path.startswith("/refused"):
            self.protocol.send_response(self.protocol.reject(403, REFUSAL))
            return self.flush()
        response = self.protocol.accept(request)
        response.headers["X-Answer"] = "yes"
        if self.wire.alt_svc:
            response.headers["Alt-Svc"] = self.wire.alt_svc
        self.protocol.send_response(response)
        self.flush()
        if self.protocol.state is State.OPEN:
            self.opened(pairs(request.headers), request.path)

    def opened(self, fields: list, path: str = "") -> None:
        """The fields are those that the other side sent, the path what it asked for."""
        self._is_open = True
        tell(
            "open",
            id=self.id,
            fields=fields,
            path=path,
            connection=self.wire.connection,
            protocol=self.protocol.subprotocol or "",
            deflate=len(self.protocol.extensions) > 0,
        )

    # What goes

    def do_send(self, hex: str, text: bool, fragments: int = 1, ping: str | None = None) -> None:
        data = bytes.fromhex(hex)
        size = -(-len(data) // fragments)
        for i in range(fragments):
            part, fin = data[i * size : (i + 1) * size], i == fragments - 1
            if i > 0:
                self.protocol.send_continuation(part, fin)
            elif text:
                self.protocol.send_text(part, fin)
            else:
                self.protocol.send_binary(part, fin)
            if i == 0 and ping is not None:
                self.protocol.send_ping(ping.encode())

    def do_ping(self, text: str) -> None:
        self.protocol.send_ping(text.encode())

    def do_close(self, code: int | None = None, reason: str = "") -> None:
        self.protocol.send_close(code, reason)

    def do_raw(self, hex: str) -> None:
        """Bytes of the WebSocket as they are."""
        self.wire.write(bytes.fromhex(hex))

    def do_fin(self) -> None:
        self.wire.fin()

    def do_abort(self) -> None:
        self.wire.abort()


class Tcp(asyncio.Protocol):
    def __init__(self, end: End, alt_svc: str | None = None) -> None:
        self._end = end
        self._transport = None
        self.alt_svc = alt_svc
        self.connection = end.id
        end.wire = self

    def connection_made(self, transport) -> None:
        self._transport = transport
        self._end.flush()

    def data_received(self, data: bytes) -> None:
        self._end.received(data)

    def eof_received(self) -> None:
        self._end.ended()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.ended()

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def fin(self) -> None:
        # TLS of asyncio can't end one way alone.
        if not self._transport.can_write_eof():
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.write_eof()

    def abort(self) -> None:
        self._transport.abort()
