// What HTTP/2 costs: `deno bench tests/bench/http2_bench.ts`. DATA is of a tunnel, in and out, with
// the WINDOW_UPDATE frames that go with it; heads are of a usual request and its response. Each run
// does it once, or for so many frames as the name says.

import { Http2Connection } from "../../src/protocol/http2/connection.ts";
import { encodeRequest, encodeResponse } from "../../src/protocol/http2/fields.ts";
import type { Field } from "../../src/protocol/wire/field.ts";

const CHUNK = 65536;
const FRAMES = 64;

/** Moves what waits at one end to the other, in copies; gives the number of events. */
function move(from: Http2Connection, to: Http2Connection): number {
  let events = 0;
  const bytes = from.output().slice();
  for (let at = 0; at < bytes.length; at += CHUNK) {
    to.push(bytes.subarray(at, at + CHUNK));
    while (to.next() !== null) events++;
  }
  return events;
}

function openPair(): { client: Http2Connection; server: Http2Connection } {
  const settings = { initialWindowBytes: 1 << 24, connectionWindowBytes: 1 << 24 };
  const client = new Http2Connection({ role: "client", settings });
  const server = new Http2Connection({ role: "server", settings });
  for (let i = 0; i < 2; i++) {
    move(client, server);
    move(server, client);
  }
  return { client, server };
}

const TUNNEL = encodeRequest({
  method: "CONNECT",
  protocol: "websocket",
  scheme: "https",
  authority: "a.example",
  path: "/chat",
  fields: [["sec-websocket-version", "13"]],
});

/** A tunnel on stream 1. */
function openTunnel(): { client: Http2Connection; server: Http2Connection } {
  const pair = openPair();
  pair.client.openStream(TUNNEL, false);
  move(pair.client, pair.server);
  pair.server.sendHeaders(1, encodeResponse(200, []), false);
  move(pair.server, pair.client);
  return pair;
}

for (const [name, length] of [["64 B", 64], ["1 KiB", 1024], ["16 KiB", 16384]] as const) {
  const payload = new Uint8Array(length).fill(0x5a);
  const target = new Uint8Array(FRAMES * length);
  const group = `DATA of ${name}`;

  Deno.bench({ name: `copy ${FRAMES} payloads of ${name}`, group, baseline: true }, () => {
    for (let i = 0; i < FRAMES; i++) target.set(payload, i * length);
  });

  const out = openTunnel();
  let sent = 0;
  Deno.bench({ name: `send ${FRAMES} DATA frames of ${name}`, group }, () => {
    for (let i = 0; i < FRAMES; i++) sent += out.client.sendData(1, payload, false);
    out.client.output();
    if (sent < 1 << 23) return;
    // As the other end would, once it has taken half of the window.
    out.client.push(windowUpdates(sent));
    while (out.client.next() !== null);
    sent = 0;
  });

  const frames = openTunnel();
  for (let i = 0; i < FRAMES; i++) frames.client.sendData(1, payload, false);
  const bytes = frames.client.output().slice();
  const into = openTunnel();
  Deno.bench({ name: `receive ${FRAMES} DATA frames of ${name}`, group }, () => {
    for (let at = 0; at < bytes.length; at += CHUNK) {
      into.server.push(bytes.subarray(at, at + CHUNK));
      for (let event = into.server.next(); event !== null; event = into.server.next()) {
        if (event.type === "data") into.server.consumed(1, event.bytes.length);
      }
    }
    if (into.server.outputBytes > 0) into.server.output();
  });
}

/** WINDOW_UPDATE for the connection and for stream 1. */
function windowUpdates(increment: number): Uint8Array {
  const bytes = new Uint8Array(26);
  for (const [at, streamId] of [[0, 0], [13, 1]]) {
    bytes.set([0, 0, 4, 8, 0, 0, 0, 0, streamId], at);
    new DataView(bytes.buffer).setUint32(at + 9, increment);
  }
  return bytes;
}

const REQUEST: Field[] = encodeRequest({
  method: "GET",
  protocol: null,
  scheme: "https",
  authority: "www.example.com",
  path: "/assets/app/main.js?v=12345",
  fields: [
    ["sec-ch-ua", '"Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"'],
    ["user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0"],
    ["accept", "*/*"],
    ["sec-fetch-site", "same-origin"],
    ["sec-fetch-mode", "cors"],
    ["referer", "https://www.example.com/"],
    ["accept-encoding", "gzip, deflate, br, zstd"],
    ["accept-language", "en-US,en;q=0.9"],
    ["cookie", "session=0123456789abcdef0123456789abcdef; theme=dark"],
  ],
});
const ANSWER: Field[] = [
  ["server", "example"],
  ["date", "Mon, 21 Oct 2013 20:13:21 GMT"],
  ["content-type", "application/javascript; charset=utf-8"],
  ["content-length", "1024"],
  ["etag", '"5d8c72a5edda8d6a"'],
  ["cache-control", "public, max-age=3600"],
];
const BODY = new Uint8Array(1024);

Deno.bench("encodeResponse of a usual response", () => {
  encodeResponse(200, ANSWER);
});

const { client, server } = openPair();
Deno.bench("a usual request and its response of 1 KiB, both ends", () => {
  const streamId = client.openStream(REQUEST, true);
  move(client, server);
  server.sendHeaders(streamId, encodeResponse(200, ANSWER), false);
  server.sendData(streamId, BODY, true);
  const bytes = server.output().slice();
  client.push(bytes);
  for (let event = client.next(); event !== null; event = client.next()) {
    if (event.type === "data") client.consumed(streamId, event.bytes.length);
  }
});

const half = openPair();
const requests = openPair();
let open = 0;
Deno.bench("a usual request at the server, HEADERS in and out", () => {
  open = half.client.openStream(REQUEST, true);
  const bytes = half.client.output();
  requests.server.push(bytes);
  const event = requests.server.next();
  if (event?.type !== "request") throw new Error("no request");
  while (requests.server.next() !== null);
  requests.server.sendHeaders(open, encodeResponse(200, ANSWER), true);
  requests.server.output();
  half.client.reset(open, 0x8);
  half.client.output();
});
