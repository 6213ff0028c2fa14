// RFC 9113 §8, RFC 8441: requests and responses on their streams. The numbers of h2spec's cases
// stand where one is met.
import assert from "node:assert/strict";
import { encodeResponse } from "../../../src/protocol/http2/fields.ts";
import { answering, type Conversation, type Setup, silent, test, Tester } from "./conversation.ts";
import {
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  GET,
  headers,
  literal,
  ping,
  POST,
  TUNNEL,
} from "./support.ts";

const setup: Setup = { options: { role: "server" }, owner: answering };
const quiet: Setup = { options: { role: "server" }, owner: silent };
const WHOLE = END_HEADERS | END_STREAM;
const HELLO = ["HEADERS 1 :status=200", "DATA 1 hello END"];
const PONG = "PING ACK --pong--";
const BROKEN = "RST_STREAM 1 PROTOCOL_ERROR";
const TRAILERS = literal("x", "1");

function length(value: string): string {
  return POST + literal("content-length", value);
}

test("messages: RFC 9113 §8.1", setup, [
  {
    name: "a request without content [generic/4/1, 4/2]",
    send: [headers(1, GET, WHOLE)],
    sent: HELLO,
    events: ["request 1 GET / END"],
  },
  {
    name: "a request with content [generic/3.1/1, 3.1/2]",
    send: [headers(1, POST), data(1, "te"), data(1, "st", END_STREAM)],
    sent: HELLO,
    events: ["request 1 POST /", "data 1 test END"],
  },
  {
    name: "a request with trailers [generic/4/4]",
    send: [headers(1, POST), data(1, "test"), headers(1, TRAILERS, WHOLE)],
    sent: HELLO,
    events: ["request 1 POST /", "data 1 test", "trailers 1 x=1"],
  },
  {
    name: "trailers right behind the head",
    send: [headers(1, POST), headers(1, TRAILERS, WHOLE)],
    sent: HELLO,
    events: ["request 1 POST /", "trailers 1 x=1"],
  },
  {
    name: "empty trailers",
    send: [headers(1, POST), headers(1, "", END_STREAM), continuation(1, "", END_HEADERS)],
    sent: HELLO,
    events: ["request 1 POST /", "trailers 1 "],
  },
  {
    name: "a second HEADERS without END_STREAM makes it malformed [http2/8.1/1]",
    send: [headers(1, POST), headers(1, TRAILERS), ping("--pong--")],
    sent: [BROKEN, PONG],
    events: ["request 1 POST /", "streamError 1 PROTOCOL_ERROR"],
  },
  {
    name: "trailers with a pseudo-header field make it malformed [http2/8.1.2.1/3]",
    send: [headers(1, POST), headers(1, "82", WHOLE)],
    sent: [BROKEN],
  },
  {
    name: "trailers with an upper-case name make it malformed",
    send: [headers(1, POST), headers(1, literal("X", "1"), WHOLE)],
    sent: [BROKEN],
  },
  {
    name: "a request that is malformed is never told of, and others go on",
    send: [headers(1, "86 84", WHOLE), headers(3, GET, WHOLE)],
    sent: [BROKEN, "HEADERS 3 :status=200", "DATA 3 hello END"],
    events: ["streamError 1 PROTOCOL_ERROR", "request 3 GET / END"],
  },
]);

test("messages: RFC 9113 §8.1.1: Content-Length MUST be the sum of all DATA", quiet, [
  {
    name: "it is",
    send: [headers(1, length("4")), data(1, "te"), data(1, "st", END_STREAM)],
    sent: [],
    events: ["request 1 POST /", "data 1 test END"],
  },
  {
    name: "it is, before trailers",
    send: [headers(1, length("4")), data(1, "test"), headers(1, TRAILERS, WHOLE)],
    sent: [],
  },
  { name: "it is 0", send: [headers(1, length("0"), WHOLE)], sent: [] },
  {
    name: "padding doesn't count",
    send: [headers(1, length("1")), data(1, "\x02a\0\0", 0x8 | END_STREAM)],
    sent: [],
  },
  ...([
    ["more in one frame [http2/8.1.2.6/1]", [data(1, "tests", END_STREAM)]],
    ["more in several frames [http2/8.1.2.6/2]", [data(1, "test"), data(1, "s", END_STREAM)]],
    ["less", [data(1, "tes", END_STREAM)]],
    ["none", [data(1, "", END_STREAM)]],
    ["less before trailers", [data(1, "tes"), headers(1, TRAILERS, WHOLE)]],
  ] as [string, Uint8Array[]][]).map(([name, send]): Conversation => ({
    name: `it is not: ${name}`,
    send: [headers(1, length("4")), ...send, ping("--pong--")],
    sent: [BROKEN, PONG],
  })),
  {
    name: "it is not: END_STREAM on the head",
    send: [headers(1, length("4"), WHOLE)],
    sent: [BROKEN],
    events: ["streamError 1 PROTOCOL_ERROR"],
  },
]);

const CONNECT = literal(":method", "CONNECT") + literal(":authority", "a:1");

test("messages: RFC 9113 §8.5, RFC 8441 §5: a tunnel", quiet, [
  {
    name: "extended CONNECT",
    send: [headers(1, TUNNEL), data(1, "test"), data(1, "", END_STREAM)],
    sent: [],
    events: ["request 1 CONNECT /", "data 1 test END"],
  },
  {
    name: "CONNECT, whatever its Content-Length says",
    send: [headers(1, CONNECT + literal("content-length", "1")), data(1, "test", END_STREAM)],
    sent: [],
    events: ["request 1 CONNECT null", "data 1 test END"],
  },
  {
    name: "HEADERS in it is a stream error",
    send: [headers(1, TUNNEL), data(1, "test"), headers(1, TRAILERS, WHOLE), ping("--pong--")],
    sent: [BROKEN, PONG],
  },
]);

Deno.test("messages: RFC 8441 §3: :protocol is malformed where it was not allowed", () => {
  const settings = { enableConnectProtocol: false };
  const tester = new Tester({ role: "server", settings });
  assert.doesNotMatch(tester.sent()[0], /ENABLE_CONNECT_PROTOCOL/);
  const ready = Tester.ready({ role: "server", settings });
  ready.receive(headers(1, TUNNEL), headers(3, CONNECT));
  assert.deepEqual(ready.sent(), [BROKEN]);
  assert.deepEqual(ready.events(), ["streamError 1 PROTOCOL_ERROR", "request 3 CONNECT null"]);
});

Deno.test("messages: RFC 9113 §8.1.1: what is malformed so may be answered by who wants to", () => {
  const settings = { enableConnectProtocol: false, givesUnaskedProtocol: true };
  assert.doesNotMatch(
    new Tester({ role: "server", settings }).sent()[0],
    /ENABLE_CONNECT_PROTOCOL/,
  );
  const ready = Tester.ready({ role: "server", settings });
  ready.receive(headers(1, TUNNEL));
  assert.deepEqual(ready.sent(), []);
  assert.deepEqual(ready.events(), ["request 1 CONNECT /"]);
});

const little: Setup = {
  options: { role: "server", settings: { maxHeaderBytes: 240, maxFields: 5 } },
  owner: (connection, event) => {
    if (event.type !== "oversize") return silent(connection, event);
    connection.sendHeaders(event.streamId, encodeResponse(431, []), true);
  },
};
const LARGE = GET + literal("x", "a".repeat(100));
/** It goes into the table, where the next block finds it at 62. */
const LARGE_INDEXED = `${GET} 40 01 78 64 ${"61".repeat(100)}`;

test("messages: RFC 9113 §10.5.1: a head that is too large is told of as such", little, [
  {
    name: "the size is as RFC 9113 §6.5.2 counts it",
    send: [headers(1, GET + literal("x", "1"), WHOLE), headers(3, LARGE, WHOLE)],
    sent: ["HEADERS 3 :status=431 END"],
    events: ["request 1 GET / END", "oversize 3 END"],
  },
  {
    name: "it is decoded nevertheless",
    send: [headers(1, LARGE_INDEXED, END_HEADERS), headers(3, `${GET} be`, WHOLE)],
    sent: ["HEADERS 1 :status=431 END", "HEADERS 3 :status=431 END"],
  },
  {
    name: "the body of what was answered is taken still",
    send: [headers(1, LARGE), data(1, "test", END_STREAM), ping("--pong--")],
    sent: ["HEADERS 1 :status=431 END", PONG],
    events: ["oversize 1", "data 1 test END"],
  },
  {
    name: "too many fields are too large",
    send: [headers(1, GET + TRAILERS.repeat(2), WHOLE)],
    sent: ["HEADERS 1 :status=431 END"],
  },
  {
    name: "four times as much, encoded, is ENHANCE_YOUR_CALM",
    send: [headers(1, new Uint8Array(960), 0), continuation(1, "00", END_HEADERS)],
    sent: ["GOAWAY 0 ENHANCE_YOUR_CALM"],
  },
  {
    name: "trailers that are too large are a stream error ENHANCE_YOUR_CALM",
    send: [headers(1, POST), headers(1, literal("x", "a".repeat(120)) + TRAILERS.repeat(3), WHOLE)],
    sent: ["RST_STREAM 1 ENHANCE_YOUR_CALM"],
    events: ["request 1 POST /", "streamError 1 ENHANCE_YOUR_CALM"],
  },
]);
