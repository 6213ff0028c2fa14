// npm:ws as an independent peer of both roles, over plain TCP.
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
// @ts-types="@types/ws"
import { type PerMessageDeflateOptions, type WebSocket, WebSocketServer } from "ws";
import { requestUpgrade } from "../../src/client/h1.ts";
import { Socket } from "../../src/endpoint/socket.ts";
import { dial } from "../../src/net/dial.ts";
import { sha1 } from "../../src/net/sha1.ts";
import { ConnStream } from "../../src/net/tcp.ts";
import { parseExtensions } from "../../src/protocol/websocket/extensions.ts";
import { acceptFor } from "../../src/protocol/websocket/handshake.ts";
import {
  acceptDeflate,
  type DeflateParameters,
  type DeflateWishes,
  offerDeflate,
  readDeflateAnswer,
} from "../../src/protocol/websocket/permessage_deflate.ts";
import { getField } from "../../src/protocol/wire/field.ts";
import { WsClient } from "../interop/ws_client.ts";
import { fromLatin1 } from "../support/inbox.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const LIMITS = { maxFrameBytes: 2 ** 24, maxMessageBytes: 2 ** 24 };

interface Row {
  name: string;
  /** What our side wishes; none without deflate. */
  ours?: DeflateWishes;
  theirs: boolean | PerMessageDeflateOptions;
  /** What comes of it; `null` for no deflate. */
  want: Partial<DeflateParameters> | null;
}

const ANY: DeflateWishes = { serverNoContextTakeover: false, clientNoContextTakeover: false };

const ROWS: Row[] = [
  { name: "without deflate", theirs: false, want: null },
  { name: "deflate that we don't want", theirs: true, want: null },
  { name: "deflate that it doesn't want", ours: {}, theirs: false, want: null },
  {
    name: "contexts that are not kept",
    ours: {},
    theirs: { threshold: 0 },
    want: { serverNoContextTakeover: true, clientNoContextTakeover: true },
  },
  { name: "contexts that are kept", ours: ANY, theirs: { threshold: 0 }, want: {} },
  {
    name: "windows that we wish",
    ours: { ...ANY, serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
    theirs: { threshold: 0 },
    want: { serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
  },
  {
    name: "windows and contexts that it wishes",
    ours: ANY,
    theirs: {
      threshold: 0,
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 11,
      clientMaxWindowBits: 12,
    },
    want: {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 11,
      clientMaxWindowBits: 12,
    },
  },
];

function full(want: Partial<DeflateParameters> | null): DeflateParameters | undefined {
  if (want === null) return undefined;
  const none = { serverNoContextTakeover: false, clientNoContextTakeover: false };
  return { ...none, serverMaxWindowBits: 15, clientMaxWindowBits: 15, ...want };
}

/** Our client, its peer a server of npm:ws that is handed to `serve`. */
async function asClient(row: Row, serve: (ws: WebSocket) => void): Promise<{
  socket: Socket;
  deflate: DeflateParameters | undefined;
  close: () => Promise<void>;
}> {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: row.theirs,
    maxPayload: 2 ** 24,
  });
  server.on("connection", serve);
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const stream = await dial({ hostname: "127.0.0.1", port }, new AbortController().signal);
  const answer = await requestUpgrade(stream, {
    target: "/",
    host: "127.0.0.1",
    fields: row.ours ? [["sec-websocket-extensions", offerDeflate(row.ours)]] : [],
    maxHeaderBytes: 16_384,
  });
  assert.ok(answer.kind === "upgraded");
  const extensions = getField(answer.fields, "sec-websocket-extensions") ?? "";
  const deflate = readDeflateAnswer(parseExtensions(extensions), row.ours) ?? undefined;
  const { fields } = answer;
  const socket = new Socket({
    ...{ role: "client", stream: answer.stream, http: "1.1", protocol: "", extensions, fields },
    ...{ ...LIMITS, deflate },
  });
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { socket, deflate, close };
}

/** Our server, its peer a client of npm:ws. */
async function asServer(row: Row): Promise<{
  socket: Socket;
  deflate: DeflateParameters | undefined;
  client: WsClient;
}> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const options = { perMessageDeflate: row.theirs, maxPayload: 2 ** 24 };
  const client = new WsClient(`ws://127.0.0.1:${listener.addr.port}/`, [], options);
  const stream = new ConnStream(await listener.accept());
  let head = "";
  while (!head.endsWith("\r\n\r\n")) {
    head += new TextDecoder().decode((await within("the request", stream.read()))!);
  }
  const field = (name: string) => new RegExp(`^${name}: (.*)\r$`, "im").exec(head)?.[1];
  const offers = parseExtensions(field("sec-websocket-extensions") ?? "");
  const accepted = row.ours === undefined ? null : acceptDeflate(offers, row.ours);
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "connection: Upgrade",
    "upgrade: websocket",
    `sec-websocket-accept: ${acceptFor(field("sec-websocket-key")!, sha1)}`,
    ...accepted === null ? [] : [`sec-websocket-extensions: ${accepted.answer}`],
  ];
  await stream.write(fromLatin1(`${lines.join("\r\n")}\r\n\r\n`));
  const deflate = accepted?.parameters;
  const socket = new Socket({
    ...{ role: "server", stream, http: "1.1", protocol: "", extensions: "", fields: [] },
    ...{ ...LIMITS, deflate },
  });
  await client.expect("open");
  return { socket, deflate, client };
}

const MESSAGES = [
  "hello",
  "",
  "grüße ".repeat(1000),
  Uint8Array.from({ length: 70_000 }, (_, i) => i * 7),
  "again: " + "grüße ".repeat(1000),
  new Uint8Array(2 ** 20),
  Uint8Array.of(1),
];

for (const row of ROWS) {
  Deno.test(`npm:ws as the server: ${row.name}: messages, Pings both ways, Close`, async () => {
    let peer!: WebSocket;
    const { socket, deflate, close } = await asClient(row, (ws) => {
      peer = ws;
      ws.on("message", (data, binary) => ws.send(data, { binary }));
    });
    assert.deepEqual(deflate, full(row.want));
    for (const message of MESSAGES) {
      await socket.send(message);
      assert.deepEqual(await within("the echo", socket.receive()), message);
    }
    assert.ok(await within("the Pong", socket.ping()) > 0);
    const pong = new Promise<string>((resolve) =>
      peer.once("pong", (data) => resolve(data.toString()))
    );
    peer.ping("and you");
    assert.equal(await within("our Pong", pong), "and you");
    const closed = new Promise((resolve) => peer.once("close", (code) => resolve(code)));
    assert.deepEqual(await socket.close(4001, "bye"), {
      code: 4001,
      reason: "bye",
      wasClean: true,
      by: "us",
    });
    assert.equal(await closed, 4001);
    await close();
  });

  Deno.test(`npm:ws as the client: ${row.name}: messages, Pings both ways, Close`, async () => {
    const { socket, deflate, client } = await asServer(row);
    assert.deepEqual(deflate, full(row.want));
    const echo = (async () => {
      for await (const message of socket) await socket.send(message);
    })();
    for (const message of MESSAGES) {
      client.socket.send(message);
      assert.deepEqual((await client.expect("message")).data, message);
    }
    client.socket.ping("are you there");
    assert.deepEqual(await client.expect("pong"), { type: "pong", data: "are you there" });
    assert.ok(await within("the Pong", socket.ping()) > 0);
    await client.expect("ping");
    client.socket.close(4001, "bye");
    assert.deepEqual(await client.expect("close"), { type: "close", code: 4001, reason: "" });
    assert.deepEqual(await within("closed", socket.closed), {
      code: 4001,
      reason: "bye",
      wasClean: true,
      by: "peer",
    });
    await echo;
  });
}

Deno.test("npm:ws as the client: our Close, and its answer", async () => {
  const { socket, client } = await asServer(ROWS[0]);
  const end = await within("the end", socket.close(1001, "going"));
  assert.deepEqual(end, { code: 1001, reason: "going", wasClean: true, by: "us" });
  assert.deepEqual(await client.expect("close"), { type: "close", code: 1001, reason: "going" });
});

Deno.test("npm:ws as the server: a peer that is gone is 1006, lost", async () => {
  const { socket, close } = await asClient(ROWS[0], (ws) => ws.terminate());
  const { code, wasClean, by } = await within("closed", socket.closed);
  assert.deepEqual({ code, wasClean, by }, { code: 1006, wasClean: false, by: "lost" });
  await close();
});

Deno.test("npm:ws as the client: what is above the limit is told, 1009", async () => {
  const { socket, client } = await asServer(ROWS[4]);
  const receiving = socket.receive();
  client.socket.send(new Uint8Array(2 ** 24 + 1));
  assert.equal(await receiving, null);
  const end = await within("closed", socket.closed);
  assert.deepEqual([end.code, end.by], [1009, "us"]);
  const { code, reason } = await client.expect("close");
  assert.deepEqual([code, reason], [1009, end.reason]);
});

Deno.test("socket over TCP: abort frees a send whose peer does not read", async () => {
  const { socket, client } = await asServer(ROWS[0]);
  client.socket.pause();
  const sends = Array.from({ length: 8 }, () => socket.send(new Uint8Array(2 ** 22)));
  const outcomes = Promise.allSettled(sends);
  await until("the first of it taken", () => socket.bufferedAmount < 8 * 2 ** 22);
  socket.abort();
  assert.equal((await within("the sends", outcomes)).at(-1)!.status, "rejected");
  assert.equal((await socket.closed).code, 1006);
  client.socket.terminate();
  await client.expect("close");
});
