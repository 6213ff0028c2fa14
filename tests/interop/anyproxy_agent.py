"""An agent of AnyProxy, written from its API document alone, as a stranger would.

    python anyproxy_agent.py '{"url": "wss://...", "ca": "ca.pem", "username": "...",
                               "password": "...", "client_id": "...", "ping_s": 30, "forbid": ""}'

What happens is told as lines of JSON on stdout. It ends with its stdin.
"""

import asyncio
import base64
import json
import os
import ssl
import sys
import threading
import time

import websockets


def tell(event: str, **fields) -> None:
    print(json.dumps({**fields, "event": event}), flush=True)


class Agent:
    def __init__(self, socket, options) -> None:
        self.socket = socket
        self.options = options
        # What is to be written to each target; None: the connection is to be closed.
        self.queues: dict[str, asyncio.Queue] = {}
        self.tasks: set[asyncio.Task] = set()

    async def send(self, type: str, **data) -> None:
        await self.socket.send(json.dumps({"type": type, "data": data}))

    def spawn(self, work) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def run(self) -> None:
        names = ("username", "password", "client_id")
        await self.send("auth", **{name: self.options[name] for name in names})
        self.spawn(self.ping())
        try:
            async for text in self.socket:
                message = json.loads(text)
                await self.handle(message["type"], message["data"])
        except websockets.ConnectionClosed:
            pass
        tell("ended", reason=f"{self.socket.close_code} {self.socket.close_reason}")

    async def ping(self) -> None:
        while True:
            await asyncio.sleep(self.options.get("ping_s", 30))
            await self.send("ping", timestamp=int(time.time()))

    async def handle(self, type: str, data) -> None:
        id = data.get("connection_id")
        if type == "connect":
            self.queues[id] = asyncio.Queue()
            self.spawn(self.connect(id, data["target_host"], data["target_port"]))
        elif type == "data":
            if id in self.queues:
                self.queues[id].put_nowait(base64.b64decode(data["payload"], validate=True))
        elif type == "close":
            if id in self.queues:
                self.queues[id].put_nowait(None)
            tell("close", reason=data["reason"])
        elif type == "ping":
            await self.send("pong", **data)
        else:
            tell(type, **data)

    async def connect(self, id: str, host: str, port: int) -> None:
        if host == self.options.get("forbid"):
            del self.queues[id]
            await self.send(
                "error", code="FORBIDDEN_HOST", message=f"{host} is forbidden", connection_id=id
            )
            await self.send("connect_response", connection_id=id, success=False, message="forbidden")
            return
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            del self.queues[id]
            await self.send("connect_response", connection_id=id, success=False, message=str(error))
            return
        await self.send("connect_response", connection_id=id, success=True, message="connected")
        reading = asyncio.create_task(self.read(id, reader))
        try:
            while (payload := await self.queues[id].get()) is not None:
                writer.write(payload)
                await writer.drain()
        except OSError:
            pass
        reading.cancel()
        writer.close()
        del self.queues[id]

    async def read(self, id: str, reader) -> None:
        try:
            while payload := await reader.read(32 * 1024):
                await self.send(
                    "data", connection_id=id, payload=base64.b64encode(payload).decode()
                )
            reason = "the target has ended"
        except OSError as error:
            reason = str(error)
        await self.send("close", connection_id=id, reason=reason)
        self.queues[id].put_nowait(None)


async def main() -> None:
    options = json.loads(sys.argv[1])
    tls = ssl.create_default_context(cafile=options["ca"])
    async with websockets.connect(options["url"], ssl=tls) as socket:
        await Agent(socket, options).run()


threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
asyncio.run(main())
