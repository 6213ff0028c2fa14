"""WebSockets by Python's `websockets`, over HTTP/1.1 and over aioquic's HTTP/3, as a test says.

    python websockets_peer.py client CA_FILE
    python websockets_peer.py server CERT_FILE KEY_FILE

All rules of RFC 6455 and RFC 7692 are those of `websockets`, in its form without I/O; so are the
heads of HTTP/1.1. Each line of stdin is one command, each line of stdout one event, both JSON. A
server listens at free ports of 127.0.0.1: in clear text, and over TLS and QUIC at one number. It
refuses /refused, takes the subprotocol chat.v1, and says Alt-Svc over TLS. Ends with stdin.
"""

import asyncio
import json
import ssl
import sys

from aioquic.asyncio.server import QuicServer
from aioquic.h3.connection import H3_ALPN, Setting
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from websockets.protocol import State
from websockets_end import End, Tcp, client_protocol, ends, server_protocol, tell
from websockets_http3 import Http3

HOST = "127.0.0.1"
MAX_LINE = 16 * 1024 * 1024


class Client:
    def __init__(self, ca_file: str) -> None:
        self._ca_file = ca_file
        self._connections: dict[int, Http3] = {}

    async def open(self, id, url, http="1.1", protocols=(), deflate=False, headers=()) -> None:
        state = State.OPEN if http == "3" else State.CONNECTING
        end = End(client_protocol(url, state, protocols, deflate), id)
        uri = end.protocol.uri
        if http == "3":
            connection = self._connections.get(uri.port) or await self._connect(uri.port)
            return connection.request(end, headers)
        request = end.protocol.connect()
        for name, value in headers:
            request.headers[name] = value
        end.protocol.send_request(request)
        context = ssl.create_default_context(cafile=self._ca_file) if uri.secure else None
        await asyncio.get_running_loop().create_connection(
            lambda: Tcp(end),
            HOST,
            uri.port,
            ssl=context,
            server_hostname="localhost" if uri.secure else None,
        )

    async def _connect(self, port: int) -> Http3:
        config = QuicConfiguration(
            is_client=True, alpn_protocols=H3_ALPN, server_name="localhost", idle_timeout=60
        )
        config.load_verify_locations(cafile=self._ca_file)
        quic = QuicConnection(configuration=config)
        _, connection = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Http3(quic), local_addr=(HOST, 0)
        )
        connection.connect((HOST, port))
        await connection.wait_connected()
        # RFC 9220 §3: no extended CONNECT before SETTINGS allow it.
        await connection.settings.wait()
        assert connection.h3.received_settings[Setting.ENABLE_CONNECT_PROTOCOL] == 1
        self._connections[port] = connection
        return connection

    async def leave(self) -> None:
        for connection in self._connections.values():
            connection.close(0x100)
            await connection.wait_closed()


class Server:
    def __init__(self, cert_file: str, key_file: str) -> None:
        self._files = cert_file, key_file

    async def listen(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._files)
        context.set_alpn_protocols(["http/1.1"])
        config = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN, idle_timeout=60)
        config.load_cert_chain(*self._files)
        loop = asyncio.get_running_loop()
        quic, self._quic = await loop.create_datagram_endpoint(
            lambda: QuicServer(configuration=config, create_protocol=Http3), local_addr=(HOST, 0)
        )
        port = quic.get_extra_info("sockname")[1]
        try:
            await self._listen_tcp(port, context, f'h3=":{port}"')
        except OSError:
            # Another has that port for TCP.
            quic.close()
            return await self.listen()
        plain = await self._listen_tcp(0)
        tell("listening", port=port, plainPort=plain.sockets[0].getsockname()[1])

    async def _listen_tcp(self, port: int, context=None, alt_svc: str | None = None):
        return await asyncio.get_running_loop().create_server(
            lambda: Tcp(End(server_protocol(State.CONNECTING)), alt_svc), HOST, port, ssl=context
        )

    async def leave(self) -> None:
        """What comes by TCP ends with the process."""
        for connection in {*self._quic._protocols.values()}:
            connection.close(0x100)
            await connection.wait_closed()


async def stdin_lines():
    reader = asyncio.StreamReader(limit=MAX_LINE)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        yield json.loads(line)


async def main(role: str, *files: str) -> None:
    peer = Client(*files) if role == "client" else Server(*files)
    if role == "server":
        await peer.listen()
    async for command in stdin_lines():
        what = command.pop("do")
        if what == "open":
            await peer.open(**command)
            continue
        end = ends[command.pop("id")]
        getattr(end, "do_" + what)(**command)
        end.flush()
    await peer.leave()


asyncio.run(main(*sys.argv[1:]))
