// Socket.IO: long polls as ordinary requests first, then a WebSocket.
import assert from "node:assert/strict";
import type { Server as HttpServer } from "node:http";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { npmTest, requirePeer } from "./npm_peers.ts";

interface Engine {
  readonly transport: { readonly name: string };
  once(event: "upgrade" | "close", listener: () => void): void;
}

interface Client {
  readonly id: string;
  readonly io: { readonly engine: Engine };
  once(event: string, listener: (...args: never[]) => void): void;
  emitWithAck(event: string, ...args: unknown[]): Promise<unknown>;
  disconnect(): void;
}

interface Served {
  readonly id: string;
  readonly conn: Engine;
  on(event: string, listener: (...args: never[]) => void): void;
  emitWithAck(event: string, ...args: unknown[]): Promise<unknown>;
}

interface Io {
  on(event: "connection", listener: (socket: Served) => void): void;
  close(): Promise<void>;
}

interface ClientPackage {
  io(url: string, options: Record<string, unknown>): Client;
}

interface ServerPackage {
  Server: new (server: HttpServer) => Io;
}

const BIG = Uint8Array.from({ length: 500_000 }, (_, i) => i * 31 + (i >> 8));

npmTest("Socket.IO: polling, then its upgrade to a WebSocket", async (talk) => {
  const { Server } = requirePeer<ServerPackage>(talk.folder, "socket.io");
  const { io } = requirePeer<ClientPackage>(talk.folder, "socket.io-client");
  const server = new Server(talk.server);
  const served = Promise.withResolvers<Served>();
  server.on("connection", (socket) => {
    socket.on("echo", (data: unknown, done: (data: unknown) => void) => done(data));
    served.resolve(socket);
  });
  const client = io(talk.origin, { ca: talk.ca, forceNew: true, reconnection: false });
  try {
    // It begins by polling.
    assert.equal(client.io.engine.transport.name, "polling");
    const upgraded = new Promise<void>((resolve) => client.io.engine.once("upgrade", resolve));
    assert.equal(await within("an echo", client.emitWithAck("echo", "grüße")), "grüße");
    await within("the upgrade of Socket.IO's", upgraded);
    assert.equal(client.io.engine.transport.name, "websocket");
    const opened = await talk.proxy.logged("ws.open");
    assert.deepEqual([opened.http, opened.path], ["1.1", "/socket.io/"]);
    const echoed = await within("an echo", client.emitWithAck("echo", BIG));
    assert.deepEqual(new Uint8Array(echoed as Uint8Array), BIG);
    const socket = await served.promise;
    client.once("ask", ((text: string, done: (text: string) => void) => done(`${text}!`)) as never);
    assert.equal(await within("an answer", socket.emitWithAck("ask", "you there")), "you there!");
    const gone = new Promise((resolve) => socket.on("disconnect", resolve));
    client.disconnect();
    assert.equal(await within("the end at the server", gone), "client namespace disconnect");
    await talk.proxy.logged("ws.close");
    await until("no session", async () => {
      return await talk.proxy.metric("h3ws_proxy_active_sessions") === 0;
    });
  } finally {
    client.disconnect();
    await server.close();
  }
});

npmTest("Socket.IO: polling alone", async (talk) => {
  const { Server } = requirePeer<ServerPackage>(talk.folder, "socket.io");
  const { io } = requirePeer<ClientPackage>(talk.folder, "socket.io-client");
  const server = new Server(talk.server);
  const served = Promise.withResolvers<Served>();
  server.on("connection", (socket) => {
    served.resolve(socket);
    socket.on("echo", (data: unknown, done: (data: unknown) => void) => done(data));
  });
  const options = { ca: talk.ca, forceNew: true, reconnection: false, transports: ["polling"] };
  const client = io(talk.origin, options);
  try {
    for (let i = 0; i < 5; i++) {
      assert.equal(
        await within("an echo", client.emitWithAck("echo", `number ${i}`)),
        `number ${i}`,
      );
    }
    const echoed = await within("an echo", client.emitWithAck("echo", BIG));
    assert.deepEqual(new Uint8Array(echoed as Uint8Array), BIG);
    assert.equal(client.io.engine.transport.name, "polling");
    assert.ok(talk.proxy.log.every(({ event }) => event !== "ws.open"));
    // Of a client that it has to close itself, the server keeps a timer.
    const { conn } = await served.promise;
    const ends = [client.io.engine, conn].map((engine) =>
      new Promise<void>((resolve) => engine.once("close", resolve))
    );
    client.disconnect();
    await within("the end of Socket.IO's connection", Promise.all(ends));
  } finally {
    client.disconnect();
    await server.close();
  }
});
