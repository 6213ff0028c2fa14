import assert from "node:assert/strict";
import { RequestHeadParser } from "../../../src/protocol/http1/head.ts";
import { latin1 } from "../../fuzz/input.ts";
import { readRequest, statusOf } from "./feed.ts";

const HOST = "Host: a.example\r\n";

Deno.test("request head: method, target, version and fields, names in lower case", () => {
  const text = "GET /chat?x=1 HTTP/1.1\r\nHost: a.example:8080\r\nUpgrade:\twebsocket \t\r\n" +
    "X-Empty:\r\nX-Latin: \xe9\x80\r\nX-Empty: second\r\n\r\n\x81\x00";
  assert.deepEqual(readRequest(text), {
    events: [{
      method: "GET",
      target: "/chat?x=1",
      version: "1.1",
      fields: [
        ["host", "a.example:8080"],
        ["upgrade", "websocket"],
        ["x-empty", ""],
        ["x-latin", "\xe9\x80"],
        ["x-empty", "second"],
      ],
    }, { rest: "8100" }],
    error: null,
  });
});

Deno.test("request head: bytes behind the head come from later chunks, too", () => {
  const parser = new RequestHeadParser();
  parser.push(latin1(`GET / HTTP/1.1\r\n${HOST}\r\n`));
  assert.equal(parser.done, false);
  assert.equal(parser.next()?.target, "/");
  assert.equal(parser.done, true);
  assert.equal(parser.next(), null);
  assert.equal(parser.rest().length, 0);
  parser.push(latin1("later"));
  assert.equal(parser.next(), null);
  assert.deepEqual(parser.rest(), latin1("later"));
  assert.equal(parser.rest().length, 0);
});

Deno.test("request head: a connection that ends before the first byte is no error", () => {
  assert.deepEqual(readRequest(""), { events: [], error: null });
});

const ACCEPTED = [
  { name: "one empty line before the request line", text: `\r\nGET / HTTP/1.1\r\n${HOST}\r\n` },
  { name: "HTTP/1.0 without Host", text: "GET / HTTP/1.0\r\n\r\n" },
  { name: "absolute-form", text: `GET ws://b.example:80/x?y HTTP/1.1\r\n${HOST}\r\n` },
  { name: "absolute-form without a path", text: `GET http://[::1]?y HTTP/1.1\r\n${HOST}\r\n` },
  { name: "authority-form for CONNECT", text: `CONNECT b.example:443 HTTP/1.1\r\n${HOST}\r\n` },
  { name: "asterisk-form for OPTIONS", text: `OPTIONS * HTTP/1.1\r\n${HOST}\r\n` },
  { name: "path that looks like a URI", text: `GET //x@y/http://z HTTP/1.1\r\n${HOST}\r\n` },
  { name: "Host IPv6", text: "GET / HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n" },
  { name: "Host with an empty port", text: "GET / HTTP/1.1\r\nHost: a:\r\n\r\n" },
  { name: "own method", text: `M-SEARCH / HTTP/1.1\r\n${HOST}\r\n` },
  { name: "Content-Length", text: `PUT / HTTP/1.1\r\n${HOST}Content-Length: 007\r\n\r\n` },
  { name: "chunked", text: `PUT / HTTP/1.1\r\n${HOST}Transfer-Encoding: Chunked\r\n\r\n` },
  { name: "Content-Length of a CONNECT, 0", text: connect("Content-Length: 0\r\n") },
  { name: "HTAB and colon in a value", text: `GET / HTTP/1.1\r\n${HOST}A: b\t:c\r\n\r\n` },
];

function connect(lines: string): string {
  return `CONNECT b.example:443 HTTP/1.1\r\n${HOST}${lines}\r\n`;
}

for (const { name, text } of ACCEPTED) {
  Deno.test(`request head accepted: ${name}`, () => {
    const { events, error } = readRequest(text);
    assert.equal(error, null);
    assert.equal(events.length, 1);
  });
}

const line = (requestLine: string) => `${requestLine}\r\n${HOST}\r\n`;
const fields = (lines: string) => `GET / HTTP/1.1\r\n${HOST}${lines}\r\n`;
const host = (lines: string) => `GET / HTTP/1.1\r\n${lines}\r\n`;

const REFUSED = [
  // RFC 9112 §2.2
  { name: "bare LF ends the request line", text: `GET / HTTP/1.1\n${HOST}\r\n`, want: 400 },
  { name: "bare LF ends a field line", text: fields("A: b\nC: d\r\n"), want: 400 },
  { name: "bare LF ends the head", text: `GET / HTTP/1.1\r\n${HOST}\n`, want: 400 },
  { name: "bare CR in the request line", text: line("GET /\rx HTTP/1.1"), want: 400 },
  { name: "bare CR in a field value", text: fields("A: b\rC: d\r\n"), want: 400 },
  { name: "CR CR LF", text: fields("A: b\r\r\n"), want: 400 },
  { name: "two empty lines before the request line", text: "\r\n\r\n" + line("GET / HTTP/1.1") },
  { name: "white space before the request line", text: line(" GET / HTTP/1.1") },
  { name: "white space before the first field", text: host(` A: b\r\n${HOST}`) },
  // RFC 9112 §3
  { name: "no target", text: line("GET HTTP/1.1") },
  { name: "no version (HTTP/0.9)", text: line("GET /") },
  { name: "two spaces", text: line("GET  / HTTP/1.1") },
  { name: "tab for space", text: line("GET\t/\tHTTP/1.1") },
  { name: "space behind the version", text: line("GET / HTTP/1.1 ") },
  { name: "space in the target", text: line("GET /a b HTTP/1.1") },
  { name: "method is no token", text: line("G@T / HTTP/1.1") },
  { name: "empty method", text: line(" / HTTP/1.1") },
  { name: "NUL in the method", text: line("GE\0T / HTTP/1.1") },
  { name: "NUL in the target", text: line("GET /\0 HTTP/1.1") },
  { name: "8-bit target", text: line("GET /\xe9 HTTP/1.1") },
  { name: "fragment in the target", text: line("GET /a#b HTTP/1.1") },
  { name: "version in lower case", text: line("GET / http/1.1") },
  { name: "version of two digits", text: line("GET / HTTP/1.10") },
  { name: "version without a dot", text: line("GET / HTTP/2") },
  { name: "HTTP/2.0", text: line("GET / HTTP/2.0"), want: 505 },
  { name: "HTTP/1.2", text: line("GET / HTTP/1.2"), want: 505 },
  { name: "the HTTP/2 preface", text: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", want: 505 },
  { name: "a TLS ClientHello", text: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n" },
  // RFC 9112 §3.2
  { name: "authority-form without CONNECT", text: line("GET a.example:80 HTTP/1.1") },
  { name: "CONNECT with a path", text: line("CONNECT / HTTP/1.1") },
  { name: "CONNECT without a port", text: line("CONNECT a.example HTTP/1.1") },
  { name: "asterisk-form without OPTIONS", text: line("GET * HTTP/1.1") },
  { name: "relative path", text: line("GET a/b HTTP/1.1") },
  { name: "absolute-form without a host", text: line("GET http:///x HTTP/1.1") },
  { name: "CONNECT to port 0", text: line("CONNECT a:0 HTTP/1.1") },
  { name: "CONNECT to port 65536", text: line("CONNECT a:65536 HTTP/1.1") },
  { name: "absolute-form of another scheme", text: line("GET ftp://a/x HTTP/1.1") },
  { name: "absolute-form without slashes", text: line("GET http:a/x HTTP/1.1") },
  { name: "absolute-form with a backslash for a slash", text: line("GET http://a\\x HTTP/1.1") },
  { name: "absolute-form with userinfo", text: line("GET http://u@a/x HTTP/1.1") },
  { name: "no Host in HTTP/1.1", text: host("") },
  { name: "two Host fields", text: host(`${HOST}${HOST}`) },
  { name: "two Host fields in HTTP/1.0", text: `GET / HTTP/1.0\r\n${HOST}${HOST}\r\n` },
  { name: "empty Host", text: host("Host:\r\n") },
  { name: "Host with a path", text: host("Host: a/b\r\n") },
  { name: "Host with userinfo", text: host("Host: u@a\r\n") },
  { name: "Host with a list", text: host("Host: a, b\r\n") },
  { name: "Host with a bad port", text: host("Host: a:8o\r\n") },
  { name: "Host with a broken IPv6 literal", text: host("Host: [::1\r\n") },
  { name: "Host with a port above 65535", text: host("Host: a:65536\r\n") },
  { name: "Host with two names that somebody joined", text: host("Host: a,b\r\n") },
  // RFC 9110 §9.3.6, §9.3.8
  { name: "CONNECT with Content-Length", text: connect("Content-Length: 1\r\n") },
  { name: "CONNECT with Transfer-Encoding", text: connect("Transfer-Encoding: chunked\r\n") },
  {
    name: "TRACE with a body",
    text: `TRACE / HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\nx`,
  },
  // RFC 9112 §5
  { name: "space before the colon", text: fields("A : b\r\n") },
  { name: "tab before the colon", text: fields("Transfer-Encoding\t: chunked\r\n") },
  { name: "empty field name", text: fields(": b\r\n") },
  { name: "no colon", text: fields("Ab\r\n") },
  { name: "obs-fold", text: fields("A: b\r\n c\r\n") },
  { name: "obs-fold with a tab", text: fields("A: b\r\n\tc\r\n") },
  { name: "a line of white space", text: fields("A: b\r\n \r\n") },
  { name: "NUL in a name", text: fields("A\0: b\r\n") },
  { name: "NUL in a value", text: fields("A: b\0c\r\n") },
  { name: "control character in a value", text: fields("A: b\x0bc\r\n") },
  { name: "DEL in a value", text: fields("A: \x7f\r\n") },
  { name: "vertical tab before a value", text: fields("A: \x0bb\r\n") },
  { name: "8-bit name", text: fields("\xe9: b\r\n") },
  { name: "name in quotes", text: fields('"A": b\r\n') },
  // RFC 9112 §6
  { name: "Transfer-Encoding with Content-Length", text: smuggle("chunked", "3") },
  { name: "Transfer-Encoding in HTTP/1.0", text: smuggle("chunked").replace("1.1", "1.0") },
  { name: "chunked is not final", text: smuggle("chunked, gzip") },
  { name: "identity", text: smuggle("identity") },
  { name: "chunked twice", text: smuggle("chunked, chunked") },
  { name: "chunked in two fields", text: smuggle("chunked\r\nTransfer-Encoding: chunked") },
  { name: "chunked with a parameter", text: smuggle("chunked;a=b") },
  { name: "chunked in quotes", text: smuggle('"chunked"') },
  { name: "xchunked", text: smuggle("xchunked") },
  { name: "empty Transfer-Encoding", text: smuggle("") },
  { name: "Transfer-Encoding ends with a comma", text: smuggle("chunked,") },
  { name: "vertical tab and chunked", text: smuggle("\x0bchunked") },
  { name: "Transfer-Encoding begins with a comma", text: smuggle(",chunked") },
  { name: "a coding that is no token", text: smuggle("gz@p, chunked") },
  { name: "a coding that is not understood", text: smuggle("gzip, chunked"), want: 501 },
  { name: "a coding with a parameter", text: smuggle("gzip ;q=1, chunked"), want: 501 },
  { name: "Content-Length with an underscore", text: fields("Content_Length: 3\r\n") },
  { name: "Transfer-Encoding with an underscore", text: fields("transfer_encoding: chunked\r\n") },
  { name: "two equal Content-Length", text: fields("Content-Length: 3\r\ncontent-length: 3\r\n") },
  {
    name: "conflicting Content-Length",
    text: fields("Content-Length: 3\r\nContent-Length: 4\r\n"),
  },
  ...["3, 3", "+3", "-3", "0x3", "3.0", "1e3", "", "3 4", "9007199254740992", "9".repeat(30)]
    .map((value) => ({
      name: `Content-Length ${JSON.stringify(value)}`,
      text: fields(`Content-Length: ${value}\r\n`),
    })),
  // Cut off
  { name: "cut in the request line", text: "GET /" },
  { name: "cut behind the fields", text: `GET / HTTP/1.1\r\n${HOST}` },
];

function smuggle(codings: string, length?: string): string {
  const contentLength = length === undefined ? "" : `Content-Length: ${length}\r\n`;
  return `POST / HTTP/1.1\r\n${HOST}${contentLength}Transfer-Encoding: ${codings}\r\n\r\n0\r\n\r\n`;
}

for (
  const { name, text, want = 400 } of REFUSED as { name: string; text: string; want?: number }[]
) {
  Deno.test(`request head refused with ${want}: ${name}`, () => {
    const outcome = readRequest(text);
    assert.equal(statusOf(outcome), want);
    assert.deepEqual(outcome.events, []);
    assert.equal(outcome.error?.scope, "connection");
  });
}

Deno.test("request head: exactly `limit` bytes are taken, one more is 431", () => {
  const text = fields(`A: ${"b".repeat(60)}\r\n`);
  assert.equal(statusOf(readRequest(text, { limit: text.length })), null);
  assert.equal(statusOf(readRequest(text, { limit: text.length - 1 })), 431);
});

Deno.test("request head: a request line that is too long is 414", () => {
  const text = line(`GET /${"x".repeat(200)} HTTP/1.1`);
  assert.equal(statusOf(readRequest(text, { limit: 100 })), 414);
});

Deno.test("request head: more field lines than `maxFields` is 431", () => {
  assert.equal(statusOf(readRequest(fields("a:\r\n"), { maxFields: 2 })), null);
  assert.equal(statusOf(readRequest(fields("a:\r\nb:\r\n"), { maxFields: 2 })), 431);
});

Deno.test("RFC 9110 §8.6: Content-Length with leading zeros is decimal, and goes on without them", () => {
  const { events, error } = readRequest(fields("Content-Length: 0010\r\nA: 0010\r\n"));
  assert.equal(error, null);
  const want = [["host", "a.example"], ["content-length", "10"], ["a", "0010"]];
  assert.deepEqual((events[0] as { fields: unknown }).fields, want);
});

Deno.test("request head: 10,000 lines are 431 at the first too many, none behind it is kept", () => {
  const parser = new RequestHeadParser({ limit: 1 << 20 });
  const lines = "a:\r\n".repeat(10_000);
  parser.push(latin1(`GET / HTTP/1.1\r\n${HOST}${lines}`));
  assert.throws(() => parser.next(), { name: "HttpError", code: 431 });
  assert.ok(parser.buffered < 2000, `${parser.buffered}`);
});

Deno.test("request head: a request line of 1 MiB is 414 before it is held, however it comes", () => {
  const parser = new RequestHeadParser();
  let pushed = 0;
  const push = (chunk: Uint8Array) => {
    parser.push(chunk);
    pushed += chunk.length;
    assert.equal(parser.next(), null);
    assert.ok(parser.buffered <= 16384);
  };
  push(latin1("GET /"));
  assert.throws(() => {
    while (pushed < 1 << 20) push(new Uint8Array(1000).fill(0x78));
  }, { name: "HttpError", code: 414 });
  assert.ok(pushed < 18_000, `${pushed}`);
});

Deno.test("request head: after `restart` comes the next, in the same bytes or in others", () => {
  const parser = new RequestHeadParser({ limit: 60 });
  const text = (path: string) => `GET ${path} HTTP/1.1\r\n${HOST}\r\n`;
  assert.throws(() => parser.restart(), Error);
  parser.push(latin1("\r\n" + text("/1") + "\r\n" + text("/2") + text("/3").slice(0, 20)));
  for (const target of ["/1", "/2"]) {
    assert.equal(parser.next()?.target, target);
    assert.equal(parser.next(), null);
    parser.restart();
  }
  assert.equal(parser.next(), null);
  assert.equal(parser.done, false);
  parser.push(latin1(text("/3").slice(20)));
  assert.equal(parser.next()?.target, "/3");
});

Deno.test("request head: a line without end is refused before it is buffered", () => {
  const parser = new RequestHeadParser({ limit: 1000 });
  parser.push(new Uint8Array(1_000_000).fill(0x41));
  assert.throws(() => parser.next(), { name: "HttpError", code: 414 });
  assert.equal(parser.buffered, 0);
  assert.throws(() => parser.next(), { name: "HttpError", code: 414 });
  assert.throws(() => parser.end(), { name: "HttpError", code: 414 });
});

Deno.test("request head: `buffered` counts the lines of a head that is not whole", () => {
  const parser = new RequestHeadParser({ limit: 1000 });
  parser.push(latin1("GET / HTTP/1.1\r\nHost: a\r\nX"));
  assert.equal(parser.next(), null);
  assert.equal(parser.buffered, 26);
  parser.push(latin1(": y\r\n\r\n"));
  assert.notEqual(parser.next(), null);
  assert.equal(parser.buffered, 0);
});
