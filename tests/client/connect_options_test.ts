// What a client may be told beside the URL, seen from an independent server.
import assert from "node:assert/strict";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { type Dial, dial } from "../../src/net/dial.ts";
import { NetError } from "../../src/net/error.ts";
import { serve } from "../../src/server/server.ts";
import type { WebSocketRequest } from "../../src/server/request.ts";
import { makeCertificates } from "../../src/cli/certificates.ts";
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

/** Open for as long as its client is. */
async function stay(request: WebSocketRequest): Promise<void> {
  await (await request.accept()).closed;
}

/** As `dial`, but another function; and how often it was called. */
function counted(): { calls: number; dial: Dial } {
  const own = {
    calls: 0,
    dial(target, signal) {
      own.calls++;
      return dial(target, signal);
    },
  } satisfies { calls: number; dial: Dial };
  return own;
}

Deno.test("client: a connection is shared by those who have the same dial and ask for the same host", async () => {
  const hosts: (string | null)[] = [];
  const server = await serve({ plainListen: "127.0.0.1:0" }, (request) => {
    hosts.push(request.headers.get("host"));
    return stay(request);
  });
  try {
    using connections = new Connections();
    const at = `127.0.0.1:${server.plainPort}`;
    const [one, other] = [counted(), counted()];
    const rows = [
      [{}, 1],
      [{ dial: one.dial }, 2],
      [{ dial: other.dial }, 3],
      [{ dial: one.dial, host: "a.example" }, 4],
      [{ host: "a.example" }, 5],
      [{ dial: one.dial }, 5],
      [{}, 5],
    ] as const;
    for (const [options, want] of rows) {
      await connectWebSocket(`ws://${at}/`, { httpVersion: "2", connections, ...options });
      assert.equal(connections.size, want, JSON.stringify(Object.keys(options)));
    }
    assert.deepEqual([one.calls, other.calls], [2, 1]);
    assert.deepEqual(hosts, [at, at, at, "a.example", "a.example", at, at]);
  } finally {
    await server.stop();
  }
});

Deno.test("client: who checks no certificate shares no connection with those who do", async () => {
  const { certPem, keyPem, caPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
  const server = await serve({ listen: "127.0.0.1:0", certPem, keyPem }, stay);
  try {
    using connections = new Connections();
    const url = `wss://localhost:${server.port}/`;
    await connectWebSocket(url, { httpVersion: "2", connections, insecure: true });
    await assert.rejects(connectWebSocket(url, { connections, httpVersion: "2" }), /signed by/);
    await connectWebSocket(url, { httpVersion: "2", connections, caCerts: [caPem] });
    assert.equal(connections.size, 2);
  } finally {
    await server.stop();
  }
});

Deno.test("client: with a dial of one's own auto goes by TCP alone, unless tcpOnly says otherwise", async () => {
  const { certPem, keyPem, caPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
  const versions = { h1: false, h2: false };
  const server = await serve({ listen: "127.0.0.1:0", certPem, keyPem, versions }, stay);
  try {
    using connections = new Connections();
    const open = (options: { dial?: Dial; tcpOnly?: boolean }) =>
      connectWebSocket(`wss://localhost:${server.port}/`, {
        ...{ connections, caCerts: [caPem] },
        ...options,
      });
    const isRefused = (error: unknown) => error instanceof NetError && error.kind === "refused";
    await assert.rejects(open({ dial }), isRefused);
    await assert.rejects(open({ tcpOnly: true }), isRefused);
    assert.equal((await open({ dial, tcpOnly: false })).http, "3");
    assert.equal((await open({})).http, "3");
  } finally {
    await server.stop();
  }
});

Deno.test("client: timeoutMs: 0 and Infinity are no limit, 2^32 is a long one, and what is no time is told", async () => {
  const server = await serve({ plainListen: "127.0.0.1:0" }, async (request) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const socket = await request.accept();
    await socket.receive();
  });
  const url = `ws://127.0.0.1:${server.plainPort}/`;
  for (const timeoutMs of [0, Infinity, 2 ** 32]) {
    const socket = await connectWebSocket(url, { timeoutMs });
    assert.equal((await socket.close()).code, 1000);
  }
  for (const timeoutMs of [-1, NaN]) {
    await assert.rejects(connectWebSocket(url, { timeoutMs }), {
      name: "TypeError",
      message: `timeoutMs: ${timeoutMs} is not a number of 0 or more`,
    });
  }
  await server.stop();
});

Deno.test("client: keepalive: a pongTimeoutMs of 0 waits for ever for who answers no Ping", async () => {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, autoPong: false });
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  for (const [pongTimeoutMs, want] of [[0, "open"], [Infinity, "open"], [40, 1006]] as const) {
    const keepalive = { pingIntervalMs: 20, pongTimeoutMs };
    const socket = await connectWebSocket(`ws://127.0.0.1:${port}/`, { keepalive });
    const opened = new Promise((resolve) => setTimeout(() => resolve("open"), 300));
    assert.equal(await Promise.race([socket.closed.then(({ code }) => code), opened]), want);
    await socket.close();
  }
  await new Promise((resolve) => server.close(resolve));
});
