import assert from "node:assert/strict";
import {
  BodyParser,
  RequestBodyParser,
  requestFraming,
  ResponseBodyParser,
  responseFraming,
} from "../../../src/protocol/http1/body.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import { hex } from "../../fuzz/driver.ts";
import { latin1 } from "../../fuzz/input.ts";
import { readBody, statusOf } from "./feed.ts";

const CHUNKED: Field[] = [["transfer-encoding", "chunked"]];
const FIVE: Field[] = [["content-length", "5"]];

const FRAMINGS: {
  name: string;
  method?: string;
  status?: number;
  fields?: Field[];
  want: unknown;
}[] = [
  { name: "Content-Length", fields: FIVE, want: 5 },
  { name: "chunked", fields: CHUNKED, want: "chunked" },
  { name: "neither: until the connection ends", want: "close" },
  { name: "HEAD", method: "HEAD", fields: FIVE, want: 0 },
  { name: "HEAD, chunked", method: "HEAD", fields: CHUNKED, want: 0 },
  { name: "101", status: 101, want: 0 },
  { name: "103 with Content-Length", status: 103, fields: FIVE, want: 0 },
  { name: "204", status: 204, fields: FIVE, want: 0 },
  { name: "304", status: 304, fields: FIVE, want: 0 },
  { name: "205 has a body like any other", status: 205, fields: FIVE, want: 5 },
  { name: "2xx to CONNECT", method: "CONNECT", fields: FIVE, want: 0 },
  { name: "407 to CONNECT", method: "CONNECT", status: 407, fields: FIVE, want: 5 },
];

for (const { name, method = "GET", status = 200, fields = [], want } of FRAMINGS) {
  Deno.test(`RFC 9112 §6.3, where a response body ends: ${name}`, () => {
    assert.equal(responseFraming({ status, reason: "", version: "1.1", fields }, method), want);
  });
}

Deno.test("RFC 9112 §6.3: a request without Content-Length and Transfer-Encoding has no body", () => {
  const request = (fields: Field[]) => ({
    method: "POST",
    target: "/",
    version: "1.1" as const,
    fields,
  });
  assert.equal(requestFraming(request([])), 0);
  assert.equal(requestFraming(request(FIVE)), 5);
  assert.equal(requestFraming(request(CHUNKED)), "chunked");
});

const WHOLE = [
  { name: "length", framing: 5, text: "hello", data: "hello" },
  {
    name: "length, bytes behind",
    framing: 5,
    text: "helloHTTP/1.1",
    data: "hello",
    rest: "HTTP/1.1",
  },
  { name: "length 0", framing: 0, text: "x", rest: "x" },
  { name: "until close", framing: "close", text: "hello\r\n", data: "hello\r\n" },
  { name: "until close, empty", framing: "close", text: "" },
  { name: "one chunk", text: "5\r\nhello\r\n0\r\n\r\n", data: "hello" },
  { name: "empty", text: "0\r\n\r\nx", rest: "x" },
  { name: "chunks", text: "1\r\na\r\n00002\r\nbc\r\n0\r\n\r\n", data: "abc" },
  {
    name: "hexadecimal",
    text: "A\r\n0123456789\r\nb\r\n0123456789a\r\n00\r\n\r\n",
    data: "01234567890123456789a",
  },
  { name: "CRLF as data", text: "4\r\n\r\n\r\n\r\n0\r\n\r\n", data: "\r\n\r\n" },
  {
    name: "extensions",
    text: '1;a\r\nx\r\n1;a=b\r\ny\r\n1 ; q\t= "; \\" \t\xe9";b\r\nz\r\n0;e\r\n\r\n',
    data: "xyz",
  },
  { name: "trailers", text: "1\r\na\r\n0\r\nDigest: x\r\nA:\r\n\r\nz", data: "a", rest: "z" },
] as const;

for (const row of WHOLE) {
  Deno.test(`body: ${row.name}`, () => {
    const { framing = "chunked", data, rest } = { framing: undefined, data: "", rest: "", ...row };
    const want = [];
    if (data !== "") want.push({ data: hex(latin1(data)) });
    if (rest !== "") want.push({ rest: hex(latin1(rest)) });
    assert.deepEqual(readBody(framing, row.text), { events: want, error: null });
  });
}

const BROKEN = [
  { name: "no size", text: "\r\nx" },
  // RFC 9112 §7.1.1: chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
  { name: "extension without a name", text: "1;\r\nx\r\n0\r\n\r\n" },
  { name: "extension without a name before another", text: "1;;a\r\nx\r\n0\r\n\r\n" },
  { name: "extension without a value", text: "1;a=\r\nx\r\n0\r\n\r\n" },
  { name: "extension whose quotes don't end", text: '1;a="b\r\nx\r\n0\r\n\r\n' },
  { name: "extension whose last quote is escaped", text: '1;a="b\\"\r\nx\r\n0\r\n\r\n' },
  { name: "extension with text behind its quotes", text: '1;a="b"c\r\nx\r\n0\r\n\r\n' },
  { name: "extension with 8-bit text", text: "1;\xe9\r\nx\r\n0\r\n\r\n" },
  { name: "white space behind an extension", text: "1;a \r\nx\r\n0\r\n\r\n" },
  { name: "bare LF behind the size", text: "1\nx\r\n0\r\n\r\n" },
  { name: "bare LF behind an extension", text: "1;a\nx\r\n0\r\n\r\n" },
  { name: "bare CR in an extension", text: "1;a\rb\r\nx\r\n0\r\n\r\n" },
  { name: "NUL in an extension", text: "1;a\0\r\nx\r\n0\r\n\r\n" },
  { name: "size with 0x", text: "0x1\r\nx\r\n0\r\n\r\n" },
  { name: "size with a sign", text: "+1\r\nx\r\n0\r\n\r\n" },
  { name: "negative size", text: "-1\r\nx\r\n0\r\n\r\n" },
  { name: "size with an underscore", text: "1_0\r\n0123456789abcdef\r\n0\r\n\r\n" },
  { name: "space before the size", text: " 1\r\nx\r\n0\r\n\r\n" },
  { name: "space behind the size", text: "1 \r\nx\r\n0\r\n\r\n" },
  { name: "extension without a semicolon", text: "1 a\r\nx\r\n0\r\n\r\n" },
  { name: "size above 2^53-1", text: "20000000000000\r\nx" },
  { name: "size of 2^64+1", text: "10000000000000001\r\nx" },
  { name: "size of many zeros", text: `${"0".repeat(17)}\r\n\r\n` },
  { name: "data longer than its size", text: "1\r\nxy\r\n0\r\n\r\n", data: "x" },
  { name: "LF behind the data", text: "1\r\nx\n0\r\n\r\n", data: "x" },
  { name: "no CRLF behind the data", text: "1\r\nx0\r\n\r\n", data: "x" },
  { name: "CR CR behind the data", text: "1\r\nx\r\r\n0\r\n\r\n", data: "x" },
  { name: "trailer with a space before the colon", text: "0\r\nA : b\r\n\r\n" },
  { name: "trailer with obs-fold", text: "0\r\nA: b\r\n c\r\n\r\n" },
  { name: "trailer with a bare LF", text: "0\r\nA: b\n\r\n" },
  { name: "the trailers end with a bare LF", text: "0\r\n\n" },
  { name: "cut in the size", text: "5" },
  { name: "cut in the data", text: "5\r\nhel", data: "hel" },
  { name: "cut behind the data", text: "3\r\nhel", data: "hel" },
  { name: "cut before the last chunk", text: "3\r\nhel\r\n", data: "hel" },
  { name: "cut in the trailers", text: "0\r\nA: b\r\n" },
  { name: "Content-Length, cut", framing: 5, text: "hel", data: "hel" },
];

for (const { name, framing = "chunked" as const, text, data = "" } of BROKEN) {
  Deno.test(`body refused: ${name}`, () => {
    const outcome = readBody(framing, text);
    assert.equal(statusOf(outcome), 502);
    assert.deepEqual(outcome.events, data === "" ? [] : [{ data: hex(latin1(data)) }]);
  });
}

Deno.test("body: a chunk line longer than the limit is refused before it is buffered", () => {
  const text = `1;${"a".repeat(46)}\r\nx\r\n0\r\n\r\n`;
  assert.equal(statusOf(readBody("chunked", text, 50)), null);
  assert.equal(statusOf(readBody("chunked", text, 49)), 502);
});

Deno.test("body: a trailer section longer than the limit is refused", () => {
  const text = `0\r\n${"A: b\r\n".repeat(8)}\r\n`;
  assert.equal(statusOf(readBody("chunked", text, 50)), null);
  assert.equal(statusOf(readBody("chunked", text, 49)), 502);
});

Deno.test("RFC 9112 §7.1.1: the total length of chunk extensions is limited", () => {
  const chunk = `1;${"a".repeat(1000)}\r\nx\r\n`;
  assert.equal(statusOf(readBody("chunked", chunk.repeat(16) + "0\r\n\r\n")), null);
  assert.equal(statusOf(readBody("chunked", chunk.repeat(17) + "0\r\n\r\n")), 502);
  // Small chunks with short extensions are paid for, and each chunk of data pays for a signature.
  assert.equal(statusOf(readBody("chunked", "1;a\r\nx\r\n".repeat(7000) + "0\r\n\r\n")), null);
  const signed = `40;signature=${"a".repeat(64)}\r\n${"x".repeat(64)}\r\n`;
  assert.equal(statusOf(readBody("chunked", signed.repeat(1000) + "0\r\n\r\n")), null);
});

Deno.test("body: content comes as views of the chunk, and nothing is buffered", () => {
  const head = { status: 403, reason: "", version: "1.1" as const, fields: CHUNKED };
  const parser = new ResponseBodyParser(head, "GET");
  const chunk = latin1("3\r\nabc\r\n2\r\nde");
  parser.push(chunk);
  const first = parser.next()!;
  assert.equal(first.buffer, chunk.buffer);
  assert.equal(first.byteOffset, 3);
  assert.deepEqual(parser.next(), latin1("de"));
  assert.equal(parser.next(), null);
  assert.equal(parser.buffered, 0);
  assert.equal(parser.done, false);
  assert.throws(() => parser.end(), { name: "HttpError", code: 502 });
});

Deno.test("body: one without content is done at once, one until close by its end", () => {
  const head = { status: 403, reason: "", version: "1.1" as const, fields: [] };
  assert.equal(new ResponseBodyParser(head, "HEAD").done, true);
  const parser = new ResponseBodyParser(head, "GET");
  assert.equal(parser.done, false);
  parser.end();
  assert.equal(parser.done, true);
});

const TRAILERS: { name: string; lines: string; want: Field[] }[] = [
  { name: "none", lines: "", want: [] },
  {
    name: "names in lower case, values as they are, in order",
    lines: "Digest:\t x \r\nA:\r\nX-Latin: \xe9\r\nDigest: y\r\n",
    want: [["digest", "x"], ["a", ""], ["x-latin", "\xe9"], ["digest", "y"]],
  },
  {
    name: "RFC 9110 §6.5.1: fields of framing, routing and authentication are thrown away",
    lines: "Content-Length: 3\r\nHost: b\r\nA: b\r\nTransfer-Encoding: chunked\r\n" +
      "Authorization: x\r\nX-Forwarded-For: ::1\r\nSet-Cookie: c\r\nSec-WebSocket-Key: k\r\n",
    want: [["a", "b"]],
  },
];

for (const { name, lines, want } of TRAILERS) {
  Deno.test(`trailers: ${name}`, () => {
    const text = `1\r\nx\r\n0\r\n${lines}\r\nrest`;
    for (const size of [text.length, 1, 7]) {
      const parser = new BodyParser({ framing: "chunked", invalid: 400 });
      assert.deepEqual(parser.trailers, []);
      let rest = "";
      for (let at = 0; at < text.length; at += size) {
        const chunk = latin1(text.slice(at, at + size));
        parser.push(chunk);
        while (parser.next() !== null);
        rest += String.fromCharCode(...parser.rest());
        chunk.fill(0x21);
      }
      assert.deepEqual(parser.trailers, want);
      assert.equal(rest, "rest");
    }
  });
}

Deno.test("trailers: `buffered` counts those that came, until the body is whole", () => {
  const parser = new BodyParser({ framing: "chunked", invalid: 400 });
  parser.push(latin1("0\r\nA: b\r\nC"));
  assert.equal(parser.next(), null);
  assert.equal(parser.buffered, 7);
  assert.deepEqual(parser.trailers, []);
  parser.push(latin1(": d\r\n\r\n"));
  assert.equal(parser.next(), null);
  assert.equal(parser.buffered, 0);
  assert.deepEqual(parser.trailers, [["a", "b"], ["c", "d"]]);
});

Deno.test("trailers: more fields than `maxTrailers` are refused", () => {
  const read = (lines: string) => {
    const parser = new BodyParser({ framing: "chunked", invalid: 400, maxTrailers: 2 });
    parser.push(latin1(`0\r\n${lines}\r\n`));
    return parser.next();
  };
  assert.equal(read("a:\r\nb:\r\n"), null);
  assert.throws(() => read("a:\r\nb:\r\nc:\r\n"), { name: "HttpError", code: 400 });
});

Deno.test("body of a request: what is wrong with it is 400", () => {
  const head = { method: "POST", target: "/", version: "1.1" as const, fields: CHUNKED };
  const parser = new RequestBodyParser(head);
  parser.push(latin1("1\r\nx\r\n"));
  assert.deepEqual(parser.next(), latin1("x"));
  assert.equal(parser.next(), null);
  assert.throws(() => parser.end(), { name: "HttpError", code: 400 });
});
