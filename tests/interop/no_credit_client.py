"""Asks aioquic for a WebSocket, with no credit for the answer (RFC 9000 §4.1: initial limit 0).

    python no_credit_client.py PORT CA_FILE

Keeps its connection open until its stdin ends.
"""

import asyncio
import sys

from aioquic.asyncio.client import connect
from aioquic.h3.connection import H3Connection
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

HEADERS = [
    (b":method", b"CONNECT"),
    (b":protocol", b"websocket"),
    (b":scheme", b"https"),
    (b":authority", b"localhost"),
    (b":path", b"/ws"),
    (b"sec-websocket-version", b"13"),
]


class NoCredit(QuicConnection):
    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._local_max_stream_data_bidi_local = 0


async def main(port: int, ca_file: str) -> None:
    import aioquic.asyncio.client as client

    client.QuicConnection = NoCredit
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=["h3"], cafile=ca_file, server_name="localhost"
    )
    async with connect("127.0.0.1", port, configuration=configuration) as protocol:
        h3 = H3Connection(protocol._quic)
        h3.send_headers(protocol._quic.get_next_available_stream_id(), HEADERS)
        protocol.transmit()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
