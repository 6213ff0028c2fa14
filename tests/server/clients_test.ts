// Real clients of a server: our own by HTTP/1.1 and HTTP/3, node:http2, npm's ws and Deno's WebSocket.
import assert from "node:assert/strict";
// @ts-types="@types/ws"
import { WebSocket as NpmWebSocket } from "ws";
import { type ConnectOptions, connectWebSocket, UpgradeRefused } from "../../src/client/connect.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { NodeHttp2 } from "../interop/node_http2.ts";
import { fromClient, readClose } from "../support/frames.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { echo, type TestServer, withServer } from "./support.ts";

const CLIENTS: Record<string, (t: TestServer) => { url: string; options: ConnectOptions }> = {
  "connectWebSocket over HTTP/1.1": ({ plainPort }: TestServer) => ({
    url: `ws://127.0.0.1:${plainPort}/x?y`,
    options: { httpVersion: "1.1" },
  }),
  "connectWebSocket over HTTP/1.1 and TLS": ({ port, caPem }: TestServer) => ({
    url: `wss://localhost:${port}/x?y`,
    options: { httpVersion: "1.1", caCerts: [caPem] },
  }),
  "connectWebSocket over HTTP/3": ({ port, caPem }: TestServer) => ({
    url: `wss://localhost:${port}/x?y`,
    options: { httpVersion: "3", caCerts: [caPem] },
  }),
};

for (const [name, targetOf] of Object.entries(CLIENTS)) {
  Deno.test(`clients: ${name}: text, bytes, a large message, a Ping, and the client's Close`, async () => {
    await withServer({}, echo, async (t) => {
      const { url, options } = targetOf(t);
      const socket = await connectWebSocket(url, { ...options, protocols: ["chat"] });
      assert.equal(socket.protocol, "chat");
      const large = crypto.getRandomValues(new Uint8Array(60_000));
      for (const message of ["text ✓", new Uint8Array([0, 255]), "", new Uint8Array(0), large]) {
        await socket.send(message);
        assert.deepEqual(await within("an echo", socket.receive()), message);
      }
      const pong = socket.ping();
      const next = socket.receive();
      assert.ok(await within("a Pong", pong) >= 0);
      const { code, wasClean } = await socket.close(4000, "done");
      assert.deepEqual([code, wasClean], [4000, true]);
      assert.equal(await next, null);
      await until("the end at the server", () => t.ends.length === 1);
      assert.deepEqual(t.ends, [["peer", 4000]]);
    });
  });

  Deno.test(`clients: ${name}: the server's Close, and its refusal`, async () => {
    await withServer({}, async (request) => {
      if (request.headers.get("authorization") === null) {
        return await request.reject(401, { "www-authenticate": "Bearer" }, "who are you?\n");
      }
      const socket = await request.accept();
      await socket.close(4003, "go away");
    }, async (t) => {
      const { url, options } = targetOf(t);
      await assert.rejects(connectWebSocket(url, options), (error) => {
        assert.ok(error instanceof UpgradeRefused);
        assert.equal(error.status, 401);
        assert.ok(error.fields.some(([name]) => name === "www-authenticate"));
        assert.equal(new TextDecoder().decode(error.body), "who are you?\n");
        return true;
      });
      const socket = await connectWebSocket(url, { ...options, headers: [["authorization", "x"]] });
      assert.equal(await within("the end", socket.receive()), null);
      const { code, reason, by } = await socket.closed;
      assert.deepEqual({ code, reason, by }, { code: 4003, reason: "go away", by: "peer" });
      await until("the end at the server", () => t.ends.length === 1);
      assert.deepEqual(t.ends, [["us", 4003]]);
    });
  });
}

for (const plain of [true, false]) {
  Deno.test(`clients: node:http2 ${plain ? "in clear text" : "by TLS"}: SETTINGS say it, 20 sockets on one connection`, async () => {
    await withServer({}, echo, async ({ port, plainPort, caPem, server }) => {
      const origin = plain ? `http://127.0.0.1:${plainPort}` : `https://localhost:${port}`;
      await using client = await NodeHttp2.connect(origin, caPem);
      assert.equal(client.settings.enableConnectProtocol, true);
      const sockets = Array.from({ length: 20 }, (_, i) =>
        client.request([
          ...[[":method", "CONNECT"], [":protocol", "websocket"], [":path", `/${i}`]] as const,
          ["sec-websocket-version", "13"],
        ]));
      for (const [i, { stream, inbox }] of sockets.entries()) {
        stream.write(fromClient.text(`number ${i}`));
        const frame = await inbox.frame();
        assert.equal(frame!.opcode, Opcode.TEXT);
        assert.equal(new TextDecoder().decode(frame!.payload), `number ${i}`);
      }
      assert.deepEqual([server.sockets.size, server.connections], [20, 1]);
      for (const { stream, inbox } of sockets) {
        stream.write(fromClient.close(1000));
        assert.equal(readClose(await inbox.frame()).code, 1000);
        assert.deepEqual(await inbox.rest(), new Uint8Array(0));
        assert.equal(inbox.ending, "fin");
        stream.end();
      }
    });
  });
}

Deno.test("clients: node:http2: without a handler SETTINGS announce no extended CONNECT", async () => {
  await withServer({ fetch: () => new Response() }, null, async ({ port, caPem }) => {
    await using client = await NodeHttp2.connect(`https://localhost:${port}`, caPem);
    assert.notEqual(client.settings.enableConnectProtocol, true);
  });
});

Deno.test("clients: npm's ws: text, bytes, Ping and Close", async () => {
  await withServer({}, echo, async ({ port, caPem, ends }) => {
    const socket = new NpmWebSocket(`wss://localhost:${port}/`, ["a", "b"], { ca: caPem });
    const messages: [unknown, boolean][] = [];
    let ponged = false;
    socket.on("message", (data, isBinary) => messages.push([String(data), isBinary]));
    socket.on("pong", () => ponged = true);
    await within("open", new Promise((resolve) => socket.once("open", resolve)));
    assert.equal(socket.protocol, "a");
    socket.send("text");
    socket.send(new TextEncoder().encode("bytes"));
    socket.ping();
    await until("two messages and a Pong", () => messages.length === 2 && ponged);
    assert.deepEqual(messages, [["text", false], ["bytes", true]]);
    const closed = new Promise<number>((resolve) => socket.once("close", resolve));
    socket.close(4009, "bye");
    assert.equal(await within("close", closed), 4009);
    await until("the end at the server", () => ends.length === 1);
  });
});

Deno.test("clients: Deno's WebSocket", async () => {
  await withServer({}, echo, async ({ plainPort }) => {
    const socket = new WebSocket(`ws://127.0.0.1:${plainPort}/`);
    const got = new Promise((resolve) =>
      socket.addEventListener("message", ({ data }) => resolve(data), { once: true })
    );
    socket.addEventListener("open", () => socket.send("hello"), { once: true });
    assert.equal(await within("an echo", got), "hello");
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
    socket.close(1000, "bye");
    const { code, wasClean } = await within("close", closed);
    assert.deepEqual([code, wasClean], [1000, true]);
  });
});

Deno.test("clients: handlers talk to each other through server.sockets", async () => {
  await withServer({}, async (request) => {
    const socket = await request.accept();
    for await (const message of socket) {
      const others = [...serverOf().sockets].filter((other) => other !== socket);
      await Promise.all(others.map((other) => other.send(message)));
    }
  }, async (t) => {
    serverOf = () => t.server;
    const [a, b, c] = await Promise.all(
      Object.values(CLIENTS).map((targetOf) => {
        const { url, options } = targetOf(t);
        return connectWebSocket(url, options);
      }),
    );
    await until("three sockets", () => t.server.sockets.size === 3);
    await a.send("to all others");
    assert.deepEqual(await Promise.all([b.receive(), c.receive()]), [
      "to all others",
      "to all others",
    ]);
    await Promise.all([a, b, c].map((socket) => socket.close()));
  });
});

let serverOf: () => TestServer["server"];
