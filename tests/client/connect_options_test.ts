// What a client may be told beside the URL, seen from an independent server.
import assert from "node:assert/strict";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { connectWebSocket } from "../../src/client/connect.ts";
import { dial } from "../../src/net/dial.ts";
import { within } from "../support/within.ts";

Deno.test("client: another host is asked for, by a connection of one's own; Pings are told, Pongs sent", async () => {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const hosts: (string | undefined)[] = [];
  const ponged = Promise.withResolvers<string>();
  server.on("connection", (peer: WebSocket, request: { headers: { host?: string } }) => {
    hosts.push(request.headers.host);
    peer.once("pong", (data: Uint8Array) => ponged.resolve(new TextDecoder().decode(data)));
    peer.ping("there?");
    peer.send("hello");
  });
  try {
    const dialled: string[] = [];
    const pings: string[] = [];
    const socket = await connectWebSocket(`ws://127.0.0.1:${port}/`, {
      host: "chat.example:81",
      dial(target, signal) {
        dialled.push(`${target.hostname}:${target.port}`);
        return dial(target, signal);
      },
      onPing: (payload) => pings.push(new TextDecoder().decode(payload)),
    });
    await socket.pong(new TextEncoder().encode("by myself"));
    assert.equal(await within("the Pong", ponged.promise), "by myself");
    assert.equal(await within("a message", socket.receive()), "hello");
    await assert.rejects(socket.pong(new Uint8Array(126)), RangeError);
    assert.deepEqual([hosts, dialled, pings], [
      ["chat.example:81"],
      [`127.0.0.1:${port}`],
      ["there?"],
    ]);
    await within("the end", socket.close());
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
