"""A gateway of AnyProxy, written from its API document alone, as a stranger would.

    python anyproxy_gateway.py '{"cert": "cert.pem", "key": "key.pem",
                                 "username": "...", "password": "..."}'

It serves SOCKS5 as far as a test needs it: CONNECT without authentication. What happens is told as
lines of JSON on stdout. It ends with its stdin.
"""

import asyncio
import base64
import ipaddress
import itertools
import json
import os
import ssl
import sys
import threading

import websockets


def tell(event: str, **fields) -> None:
    print(json.dumps({**fields, "event": event}), flush=True)


class User:
    """A connection of a SOCKS5 client."""

    def __init__(self) -> None:
        self.answer = asyncio.get_running_loop().create_future()
        self.queue: asyncio.Queue = asyncio.Queue()


class Gateway:
    def __init__(self, options) -> None:
        self.options = options
        self.agent = None
        self.users: dict[str, User] = {}
        self.ids = itertools.count(1)

    async def send(self, type: str, **data) -> None:
        await self.agent.send(json.dumps({"type": type, "data": data}))

    async def serve_agent(self, socket) -> None:
        async def answer(success: bool, message: str) -> None:
            data = {"success": success, "message": message}
            await socket.send(json.dumps({"type": "auth_response", "data": data}))

        first = json.loads(await socket.recv())
        data = first["data"]
        right = all(data[name] == self.options[name] for name in ("username", "password"))
        if first["type"] != "auth" or not right:
            await answer(False, "Authentication failed")
            return
        self.agent = socket
        await answer(True, "Authentication successful")
        tell("agent", client_id=data["client_id"])
        try:
            async for text in socket:
                message = json.loads(text)
                await self.handle(message["type"], message["data"])
        except websockets.ConnectionClosed:
            pass
        tell("gone", reason=f"{socket.close_code} {socket.close_reason}")
        for user in self.users.values():
            user.queue.put_nowait(None)

    async def handle(self, type: str, data) -> None:
        user = self.users.get(data.get("connection_id"))
        if type == "connect_response":
            if user and not user.answer.done():
                user.answer.set_result(data["success"])
        elif type == "data":
            if user:
                user.queue.put_nowait(base64.b64decode(data["payload"], validate=True))
        elif type == "close":
            if user:
                user.queue.put_nowait(None)
            tell("close", reason=data["reason"])
        elif type == "ping":
            await self.send("pong", **data)
            tell("ping")
        else:
            tell(type, **data)

    async def serve_user(self, reader, writer) -> None:
        try:
            host, port = await read_request(reader, writer)
            await self.carry(host, port, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def carry(self, host: str, port: int, reader, writer) -> None:
        id = f"py-{next(self.ids)}"
        user = self.users[id] = User()
        try:
            await self.send(
                "connect", connection_id=id, target_host=host, target_port=port, protocol="tcp"
            )
            success = await user.answer
            writer.write(bytes([5, 0 if success else 5, 0, 1, 0, 0, 0, 0, 0, 0]))
            if not success:
                return
            reading = asyncio.create_task(self.read(id, user, reader))
            while (payload := await user.queue.get()) is not None:
                writer.write(payload)
                await writer.drain()
            reading.cancel()
        finally:
            del self.users[id]

    async def read(self, id: str, user: User, reader) -> None:
        try:
            while payload := await reader.read(32 * 1024):
                await self.send(
                    "data", connection_id=id, payload=base64.b64encode(payload).decode()
                )
        except OSError:
            pass
        await self.send("close", connection_id=id, reason="the user has ended")
        user.queue.put_nowait(None)


async def read_request(reader, writer) -> tuple[str, int]:
    _version, methods = await reader.readexactly(2)
    await reader.readexactly(methods)
    writer.write(b"\x05\x00")
    _version, command, _, kind = await reader.readexactly(4)
    if command != 1:
        raise OSError("only CONNECT")
    length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
    address = await reader.readexactly(length)
    host = address.decode() if kind == 3 else str(ipaddress.ip_address(address))
    return host, int.from_bytes(await reader.readexactly(2), "big")


async def main() -> None:
    options = json.loads(sys.argv[1])
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(options["cert"], options["key"])
    gateway = Gateway(options)
    agents = await websockets.serve(gateway.serve_agent, "127.0.0.1", 0, ssl=tls)
    users = await asyncio.start_server(gateway.serve_user, "127.0.0.1", 0)
    port, socks = (server.sockets[0].getsockname()[1] for server in (agents, users))
    tell("listening", port=port, socks=socks)
    await asyncio.Future()


threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
asyncio.run(main())
