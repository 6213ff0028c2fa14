// What a client may be told beside the URL, seen from an independent server.
import assert from "node:assert/strict";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import {
  type ConnectOptions,
  connectWebSocket,
  upgradeWebSocket,
} from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { Origin } from "../../src/client/origin.ts";
import { parseTarget } from "../../src/client/target.ts";
import { WebSocket3 } from "../../src/client/websocket3.ts";
import type { ByteStream } from "../../src/net/byte_stream.ts";
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

Deno.test("client: headers are pairs, an object or Headers, as fetch takes them", async () => {
  const seen: (string | null)[] = [];
  const server = await serve({ plainListen: "127.0.0.1:0" }, async (request) => {
    seen.push(request.headers.get("x-token"));
    await request.accept();
  });
  const url = `ws://127.0.0.1:${server.plainPort}/`;
  const forms = [
    { "X-Token": "object" },
    new Headers({ "X-Token": "Headers" }),
    [["X-Token", "pairs"], ["x-token", "of one name"]] as const,
  ];
  for (const headers of forms) {
    await (await connectWebSocket(url, { headers })).close();
    const socket = new WebSocket3(url, { headers });
    await new Promise((resolve) => socket.onclose = resolve);
  }
  const want = ["object", "Headers", "pairs, of one name"];
  assert.deepEqual(seen, want.flatMap((value) => [value, value]));
  await server.stop();
});

Deno.test("client: a stream that was dialled for one WebSocket ends with whatever fails", async () => {
  const wrong: [string, ConnectOptions][] = [
    ["mailto:a@example", {}],
    ["ws://a.example/", { timeoutMs: NaN }],
    ["ws://a.example/", { protocols: ["a", "a"] }],
  ];
  for (const [url, options] of wrong) {
    let aborted = 0;
    const stream = { headroom: 0, abort: () => void aborted++ } as unknown as ByteStream;
    await assert.rejects(upgradeWebSocket(stream, url, options), TypeError);
    assert.equal(aborted, 1);
  }
});

Deno.test("client: RFC 7838 §3.1: the Age of an answer is taken off the time that an Alt-Svc is good for", () => {
  const way = { insecure: false, tcpOnly: false };
  const times = { idleMs: 1, idleQuicMs: 1, headStartMs: 1, failedMs: 1 };
  const rows: [age: string, isKnown: boolean][] = [
    ...[["0", true], ["59", true], ["60", false], ["99999999999", false], ["x", true]] as const,
  ].map(([age, isKnown]) => [age, isKnown]);
  for (const [age, isKnown] of rows) {
    const origin = new Origin(parseTarget("wss://a.example/"), way, times);
    origin.learn([["alt-svc", 'h3=":444"; ma=60'], ["age", age]]);
    assert.equal(origin.alternative?.port, isKnown ? 444 : undefined, age);
  }
});
