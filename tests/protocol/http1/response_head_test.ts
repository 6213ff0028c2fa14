import assert from "node:assert/strict";
import { ResponseHeadParser } from "../../../src/protocol/http1/head.ts";
import { latin1 } from "../../fuzz/input.ts";
import { readResponse, statusOf } from "./feed.ts";

Deno.test("response head: status, reason, version and fields, and the bytes behind", () => {
  const text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi";
  assert.deepEqual(readResponse(text), {
    events: [{
      status: 101,
      reason: "Switching Protocols",
      version: "1.1",
      fields: [
        ["upgrade", "websocket"],
        ["sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
      ],
    }, { rest: "81026869" }],
    error: null,
  });
});

Deno.test("response head: interim responses come first, 101 is the last", () => {
  const text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" +
    "HTTP/1.1 101 \r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
  const { events, error } = readResponse(text);
  assert.equal(error, null);
  const statuses = events.slice(0, 3).map((head) => (head as { status: number }).status);
  assert.deepEqual(statuses, [100, 103, 101]);
  assert.ok("rest" in (events[3] as object));
  assert.equal(events.length, 4);
});

Deno.test("response head: after an interim response the parser is not done", () => {
  const parser = new ResponseHeadParser();
  parser.push(latin1("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody"));
  assert.equal(parser.next()?.status, 100);
  assert.equal(parser.done, false);
  assert.equal(parser.rest().length, 0);
  assert.equal(parser.next()?.status, 200);
  assert.equal(parser.done, true);
  assert.deepEqual(parser.rest(), latin1("body"));
});

const ACCEPTED = [
  { name: "HTTP/1.0", text: "HTTP/1.0 200 OK\r\n\r\n" },
  { name: "empty reason", text: "HTTP/1.1 200 \r\n\r\n" },
  { name: "no reason and no space", text: "HTTP/1.1 200\r\n\r\n" },
  { name: "8-bit reason", text: "HTTP/1.1 404 d\xe9sol\xe9\r\n\r\n" },
  { name: "status 599", text: "HTTP/1.1 599 x\r\n\r\n" },
  { name: "Content-Length in 204", text: "HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n" },
];

for (const { name, text } of ACCEPTED) {
  Deno.test(`response head accepted: ${name}`, () => {
    const { events, error } = readResponse(text);
    assert.equal(error, null);
    assert.equal(events.length, 1);
  });
}

const fields = (lines: string) => `HTTP/1.1 200 OK\r\n${lines}\r\n`;

const REFUSED = [
  // RFC 9112 §4
  { name: "status of two digits", text: "HTTP/1.1 20 OK\r\n\r\n" },
  { name: "status of four digits", text: "HTTP/1.1 2000 OK\r\n\r\n" },
  { name: "status with a letter", text: "HTTP/1.1 2o0 OK\r\n\r\n" },
  { name: "status with a sign", text: "HTTP/1.1 +20 OK\r\n\r\n" },
  { name: "status 099", text: "HTTP/1.1 099 OK\r\n\r\n" },
  { name: "status 000", text: "HTTP/1.1 000 OK\r\n\r\n" },
  { name: "status 600", text: "HTTP/1.1 600 OK\r\n\r\n" },
  { name: "two spaces", text: "HTTP/1.1  200 OK\r\n\r\n" },
  { name: "tab for space", text: "HTTP/1.1\t200 OK\r\n\r\n" },
  { name: "NUL in the reason", text: "HTTP/1.1 200 O\0K\r\n\r\n" },
  { name: "HTTP/2", text: "HTTP/2 200 OK\r\n\r\n" },
  { name: "HTTP/1.2", text: "HTTP/1.2 200 OK\r\n\r\n" },
  { name: "http/1.1", text: "http/1.1 200 OK\r\n\r\n" },
  { name: "ICY", text: "ICY 200 OK\r\n\r\n" },
  { name: "no status line", text: "\r\nHTTP/1.1 200 OK\r\n\r\n" },
  // RFC 9110 §7.8
  { name: "101 in HTTP/1.0", text: "HTTP/1.0 101 Switching Protocols\r\nUpgrade: a\r\n\r\n" },
  { name: "not HTTP at all", text: "SSH-2.0-OpenSSH_9.2\r\n" },
  // RFC 9112 §2.2, §5
  { name: "bare LF ends the status line", text: "HTTP/1.1 200 OK\n\r\n" },
  { name: "bare LF ends a field line", text: fields("A: b\n") },
  { name: "bare CR in a value", text: fields("A: b\rSet-Cookie: c\r\n") },
  { name: "obs-fold", text: fields("A: b\r\n c\r\n") },
  { name: "space before the colon", text: fields("A : b\r\n") },
  { name: "empty field name", text: fields(": b\r\n") },
  { name: "NUL in a value", text: fields("A: \0\r\n") },
  // RFC 9112 §6
  {
    name: "conflicting Content-Length",
    text: fields("Content-Length: 1\r\nContent-Length: 2\r\n"),
  },
  {
    name: "Transfer-Encoding with Content-Length",
    text: fields("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
  },
  {
    name: "Transfer-Encoding in HTTP/1.0",
    text: "HTTP/1.0 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
  },
  { name: "Transfer-Encoding gzip", text: fields("Transfer-Encoding: gzip\r\n") },
  { name: "Transfer-Encoding gzip, chunked", text: fields("Transfer-Encoding: gzip, chunked\r\n") },
  // Cut off
  { name: "ends before the first byte", text: "" },
  { name: "ends in the head", text: "HTTP/1.1 200 OK\r\nA: b\r\n" },
];

for (const { name, text } of REFUSED) {
  Deno.test(`response head refused with 502: ${name}`, () => {
    const outcome = readResponse(text);
    assert.equal(statusOf(outcome), 502);
    assert.deepEqual(outcome.events, []);
  });
}

Deno.test("response head: ends behind an interim response", () => {
  const { events, error } = readResponse("HTTP/1.1 100 Continue\r\n\r\n");
  assert.equal(events.length, 1);
  assert.deepEqual(error, { name: "HttpError", code: 502, scope: "connection", by: "end" });
});

Deno.test("response head: interim heads count towards the limit, so they can't go on for ever", () => {
  const interim = "HTTP/1.1 100 Continue\r\n\r\n";
  const text = interim.repeat(3) + "HTTP/1.1 200 OK\r\n\r\n";
  assert.equal(statusOf(readResponse(text, { limit: text.length })), null);
  assert.equal(statusOf(readResponse(text, { limit: text.length - 1 })), 502);
  const { events, error } = readResponse(interim.repeat(100), { limit: 80 });
  assert.equal(error?.code, 502);
  assert.equal(events.length, 3);
});

Deno.test("response head: 100 and 103 come before the final one, 32 of them at most", () => {
  const early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
  const text = "HTTP/1.1 100 Continue\r\n\r\n" + early.repeat(31) + "HTTP/1.1 200 OK\r\n\r\n";
  const { events, error } = readResponse(text);
  assert.equal(error, null);
  assert.equal(events.length, 33);
  const refused = readResponse(early + text);
  assert.equal(statusOf(refused), 502);
  assert.equal(refused.events.length, 32);
  assert.equal(statusOf(readResponse(early.repeat(3), { maxInterim: 2 })), 502);
});

Deno.test("response head: after `restart` interim heads are counted anew", () => {
  const parser = new ResponseHeadParser({ maxInterim: 1, limit: 100 });
  const interim = "HTTP/1.1 100 Continue\r\n\r\n";
  for (let i = 0; i < 3; i++) {
    parser.push(latin1(interim + "HTTP/1.1 200 OK\r\n\r\n"));
    assert.equal(parser.next()?.status, 100);
    assert.equal(parser.next()?.status, 200);
    parser.restart();
  }
});
