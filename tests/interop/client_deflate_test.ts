// What the client offers and takes of permessage-deflate, against npm's ws (RFC 7692).
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { type PerMessageDeflateOptions, WebSocketServer } from "ws";
import { connectWebSocket } from "../../src/client/connect.ts";
import { PeerError } from "../../src/protocol/wire/error.ts";
import { RawBackend } from "../support/backend.ts";

async function withWs(
  perMessageDeflate: boolean | PerMessageDeflateOptions,
  body: (url: string) => Promise<void>,
): Promise<void> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate });
  server.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    await body(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    for (const socket of server.clients) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  }
}

const ROWS = [
  { name: "taken", server: { threshold: 0 }, deflate: true, extensions: /^permessage-deflate/ },
  {
    name: "with window bits",
    server: { threshold: 0 },
    deflate: { serverMaxWindowBits: 10, clientMaxWindowBits: 9 },
    extensions: /^permessage-deflate.*server_max_window_bits=10/,
  },
  { name: "declined", server: false, deflate: true, extensions: /^$/ },
  { name: "not offered", server: { threshold: 0 }, deflate: false, extensions: /^$/ },
];

for (const { name, server, deflate, extensions } of ROWS) {
  Deno.test(`client: RFC 7692 §7.1: permessage-deflate ${name}`, async () => {
    await withWs(server, async (url) => {
      const socket = await connectWebSocket(url, { deflate });
      assert.match(socket.extensions, extensions);
      for (const message of ["hello", "x".repeat(100_000), new Uint8Array(5_000)]) {
        await socket.send(message);
        assert.deepEqual(await socket.receive(), message);
      }
      assert.equal((await socket.close()).code, 1000);
    });
  });
}

Deno.test("client: RFC 7692 §7.1: an answer that does not fit the offer fails the connection", async () => {
  const backend = await RawBackend.listen();
  try {
    const opening = connectWebSocket(`ws://127.0.0.1:${backend.port}/`, { deflate: true });
    opening.catch(() => {});
    const conn = await backend.upgrade([
      "sec-websocket-extensions: permessage-deflate; server_max_window_bits=99",
    ]);
    await assert.rejects(opening, (error) => {
      assert.ok(error instanceof PeerError, String(error));
      assert.match(error.message, /: the server broke a rule of the WebSocket handshake: /);
      return true;
    });
    await conn.inbox.rest();
  } finally {
    await backend.close();
  }
});
