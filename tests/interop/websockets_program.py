"""What a program on Python's `websockets` is, with its own I/O.

    python websockets_program.py client CA_FILE URL
    python websockets_program.py server CERT_FILE KEY_FILE

The client says how it went, the server echoes and refuses /refused. Both end with stdin.
"""

import asyncio
import json
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosedError, InvalidStatus


def tell(event: str, **fields) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


async def stdin_end() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


async def client(ca_file: str, url: str) -> None:
    context = ssl.create_default_context(cafile=ca_file) if url.startswith("wss:") else None
    async with connect(url + "/echo", ssl=context, subprotocols=["chat.v2", "chat.v1"]) as socket:
        for message in ("grüße", b"\0\1", "", b"", "x" * 2**20, "squeezed " * 9999):
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send(["in ", "three ", "frames"])
        assert await socket.recv() == "in three frames"
        await (await socket.ping("are you there"))
        await socket.close(4001, "enough")
    tell(
        "closed",
        code=socket.close_code,
        protocol=socket.subprotocol,
        extensions=[extension.name for extension in socket.protocol.extensions],
        answer=socket.response.headers["X-Answer"],
    )
    try:
        await connect(url + "/refused", ssl=context)
    except InvalidStatus as error:
        response = error.response
        tell("refused", status=response.status_code, body=response.body.decode())


async def echo(socket) -> None:
    try:
        async for message in socket:
            await socket.send(message)
    except ConnectionClosedError:
        # So it tells of any code but 1000 and 1001.
        pass
    tell("closed", code=socket.close_code, reason=socket.close_reason)


def refuse(connection, request):
    if request.path == "/refused":
        return connection.respond(403, "not you\n")
    return None


async def server(*files: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    options = {"subprotocols": ["chat.v1"], "process_request": refuse}
    async with (
        serve(echo, "127.0.0.1", 0, ssl=context, **options) as tls,
        serve(echo, "127.0.0.1", 0, **options) as plain,
    ):
        ports = [listener.sockets[0].getsockname()[1] for listener in (tls, plain)]
        tell("listening", port=ports[0], plainPort=ports[1])
        await stdin_end()


async def main(role: str, *args: str) -> None:
    if role == "server":
        return await server(*args)
    await client(*args)
    await stdin_end()


asyncio.run(main(*sys.argv[1:]))
