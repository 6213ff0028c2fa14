import assert from "node:assert/strict";
import { encodeRequestHead, encodeResponseHead } from "../../../src/protocol/http1/encode.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import { latin1 } from "../../fuzz/input.ts";

const HOST: Field = ["host", "a.example"];

Deno.test("request head is written with the names that HTTP/1.1 servers know", () => {
  const bytes = encodeRequestHead({
    method: "GET",
    target: "/chat?x=1",
    fields: [
      HOST,
      ["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="],
      ["x-latin", "\xe9"],
      ["x-empty", ""],
    ],
  });
  const want = "GET /chat?x=1 HTTP/1.1\r\nHost: a.example\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Latin: \xe9\r\nX-Empty: \r\n\r\n";
  assert.deepEqual(bytes, latin1(want));
});

Deno.test("response head has the reason of its status, a given one, or none", () => {
  const encode = (status: number, reason?: string) =>
    String.fromCharCode(...encodeResponseHead({ status, reason, fields: [["a", "b"]] }));
  assert.equal(encode(426), "HTTP/1.1 426 Upgrade Required\r\nA: b\r\n\r\n");
  assert.equal(encode(200, "Fine"), "HTTP/1.1 200 Fine\r\nA: b\r\n\r\n");
  assert.equal(encode(299), "HTTP/1.1 299 \r\nA: b\r\n\r\n");
});

Deno.test("RFC 9110 §8.6: no Content-Length or Transfer-Encoding in 1xx and 204", () => {
  for (const field of [["content-length", "0"], ["transfer-encoding", "chunked"]] as Field[]) {
    for (const [status, want] of [[101, 2], [103, 2], [204, 2], [200, 3], [304, 3]]) {
      const bytes = encodeResponseHead({ status, fields: [field] });
      assert.equal(String.fromCharCode(...bytes).split("\r\n").length - 1, want, `${status}`);
    }
  }
});

const request = { method: "GET", target: "/", fields: [HOST] };
const REFUSED_REQUESTS: { name: string; head: Parameters<typeof encodeRequestHead>[0] }[] = [
  { name: "CR LF in the method", head: { ...request, method: "GET / HTTP/1.1\r\nA:" } },
  { name: "empty method", head: { ...request, method: "" } },
  { name: "space in the target", head: { ...request, target: "/ HTTP/1.1" } },
  { name: "CR LF in the target", head: { ...request, target: "/\r\nA: b" } },
  { name: "target in the wrong form", head: { ...request, target: "a.example:80" } },
  { name: "no Host", head: { ...request, fields: [] } },
  { name: "two Host fields", head: { ...request, fields: [HOST, HOST] } },
  { name: "invalid Host", head: { ...request, fields: [["host", "a/b"]] } },
  { name: "character above latin1 in the target", head: { ...request, target: "/\u0130" } },
  {
    name: "CONNECT with a body",
    head: { method: "CONNECT", target: "a:1", fields: [HOST, ["content-length", "1"]] },
  },
  {
    name: "TRACE with a body",
    head: { method: "TRACE", target: "/", fields: [HOST, ["transfer-encoding", "chunked"]] },
  },
  { name: "two Content-Length fields", head: withFields("content-length", "1", "1") },
  { name: "invalid Content-Length", head: withFields("content-length", "+1") },
];

function withFields(name: string, ...values: string[]): Parameters<typeof encodeRequestHead>[0] {
  return { ...request, fields: [HOST, ...values.map((value): Field => [name, value])] };
}

for (const { name, head } of REFUSED_REQUESTS) {
  Deno.test(`request head is not written: ${name}`, () => {
    assert.throws(() => encodeRequestHead(head), TypeError);
  });
}

const REFUSED_FIELDS: { name: string; fields: Field[] }[] = [
  { name: "CR LF in a value", fields: [["a", "b\r\nc: d"]] },
  { name: "bare CR in a value", fields: [["a", "b\rc"]] },
  { name: "bare LF in a value", fields: [["a", "b\nc"]] },
  { name: "NUL in a value", fields: [["a", "b\0c"]] },
  { name: "white space before a value", fields: [["a", " b"]] },
  { name: "a tab behind a value", fields: [["a", "b\t"]] },
  { name: "control character in a value of a known field", fields: [["accept", "b\x01"]] },
  { name: "DEL in a value", fields: [["a", "\x7f"]] },
  { name: "CR LF in a value beside latin1", fields: [["a", "\xe9\r\nc: d"]] },
  { name: "character above latin1", fields: [["a", "\u010a"]] },
  { name: "character above latin1 that ends in CR", fields: [["a", "\u560d\u560a"]] },
  { name: "half of a surrogate pair", fields: [["a", "\ud83d"]] },
  { name: "name above latin1", fields: [["\u0130", "b"]] },
  { name: "empty name", fields: [["", "b"]] },
  { name: "colon in a name", fields: [["a:b", "c"]] },
  { name: "pseudo-header", fields: [[":path", "/"]] },
  { name: "name in upper case", fields: [["Content-Length", "1"]] },
  {
    name: "Content-Length with Transfer-Encoding",
    fields: [["content-length", "1"], ["transfer-encoding", "chunked"]],
  },
];

for (const { name, fields } of REFUSED_FIELDS) {
  Deno.test(`head is not written: ${name}`, () => {
    assert.throws(() => encodeRequestHead({ ...request, fields: [HOST, ...fields] }), TypeError);
    assert.throws(() => encodeResponseHead({ status: 200, fields }), TypeError);
  });
}

Deno.test("response head is not written: invalid status or reason", () => {
  for (const status of [99, 600, 200.5, NaN]) {
    assert.throws(() => encodeResponseHead({ status, fields: [] }), TypeError);
  }
  for (const reason of ["a\r\nb: c", "\0", "\u0100"]) {
    assert.throws(() => encodeResponseHead({ status: 200, reason, fields: [] }), TypeError);
  }
});
