// RFC 9113 §8.2, §8.3, §8.5, RFC 8441 §4: what makes a message malformed. The numbers of h2spec's
// cases stand where one is met.
import assert from "node:assert/strict";
import {
  checkTrailers,
  contentLength,
  encodeRequest,
  encodeResponse,
  encodeTrailers,
  readRequestHead,
  readResponseHead,
  type RequestHead,
} from "../../../src/protocol/http2/fields.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import { errorText } from "./support.ts";

const MALFORMED = "PROTOCOL_ERROR stream";

/** A field section, one field a line: `name: value`. */
function section(text: string): Field[] {
  return text.split("\n").filter((line) => line !== "").map((line): Field => {
    const colon = line.indexOf(":", 1);
    return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
  });
}

function outcome<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    return errorText(error);
  }
}

const GET = ":method: GET\n:scheme: https\n:authority: a.example\n:path: /\n";
const WS =
  ":method: CONNECT\n:protocol: websocket\n:scheme: https\n:authority: a.example\n:path: /chat?x\n";
const get: RequestHead = {
  method: "GET",
  scheme: "https",
  authority: "a.example",
  path: "/",
  protocol: null,
  fields: [],
};
const connect = { ...get, method: "CONNECT", scheme: null, path: null };

const requests: { name: string; text: string; want: RequestHead }[] = [
  { name: "GET", text: GET, want: get },
  {
    name: "pseudo-header fields in any order",
    text: ":path: /\n:authority: a.example\n:method: GET\n:scheme: https\nx: 1",
    want: { ...get, fields: [["x", "1"]] },
  },
  {
    name: "RFC 8441 §4: extended CONNECT",
    text: WS + "sec-websocket-version: 13",
    want: {
      ...get,
      method: "CONNECT",
      protocol: "websocket",
      path: "/chat?x",
      fields: [["sec-websocket-version", "13"]],
    },
  },
  {
    name: "CONNECT",
    text: ":method: CONNECT\n:authority: a.example:443",
    want: { ...connect, authority: "a.example:443" },
  },
  {
    name: "CONNECT to an IPv6 address",
    text: ":method: CONNECT\n:authority: [::1]:1",
    want: { ...connect, authority: "[::1]:1" },
  },
  {
    name: "Host stands for :authority",
    text: GET.replace(":authority: a.example\n", "") + "host: b.example:8443",
    want: { ...get, authority: "b.example:8443", fields: [["host", "b.example:8443"]] },
  },
  {
    name: "RFC 9113 §8.3.1: :authority and Host that are the same when they are normalized",
    text: GET + "host: A.Example:443",
    want: { ...get, fields: [["host", "A.Example:443"]] },
  },
  {
    name: "RFC 9113 §8.3.1: OPTIONS in asterisk form",
    text: GET.replace("GET", "OPTIONS").replace("path: /", "path: *"),
    want: { ...get, method: "OPTIONS", path: "*" },
  },
  {
    name: "RFC 9113 §8.3.1: :scheme is not restricted to http and https",
    text: ":method: GET\n:scheme: urn\n:path: a:b",
    want: { ...get, scheme: "urn", authority: null, path: "a:b" },
  },
  {
    name: "RFC 9113 §8.2.2: TE may say trailers",
    text: GET + "te: trailers\ncontent-length: 12",
    want: { ...get, fields: [["te", "trailers"], ["content-length", "12"]] },
  },
  {
    name: "RFC 9113 §8.2.3: several Cookie fields are joined with '; '",
    text: GET + "x: 1\ncookie: a=1\ny: 2\ncookie: b=2\ncookie: \ncookie: c=3\nz: 3",
    want: { ...get, fields: [["x", "1"], ["cookie", "a=1; b=2; c=3"], ["y", "2"], ["z", "3"]] },
  },
];

for (const { name, text, want } of requests) {
  Deno.test(`request head: ${name}`, () => {
    assert.deepEqual(outcome(() => readRequestHead(section(text))), want);
  });
}

/** `GET` or another request with some lines taken out or put in. */
function change(text: string, from: string | RegExp, to = ""): string {
  const changed = text.replace(from, to);
  assert.notEqual(changed, text);
  return changed;
}

const badRequests: [name: string, text: string][] = [
  ["§8.3: unknown pseudo-header fields [http2/8.1.2.1/1]", `:foo: 1\n${GET}`],
  ["§8.3: pseudo-header fields of responses [http2/8.1.2.1/2]", `${GET}:status: 200`],
  ["§8.3: an upper-case pseudo-header field", change(GET, ":path", ":Path")],
  ["§8.3: those behind a regular field [http2/8.1.2.1/4]", change(GET, ":path", "a: 1\n:path")],
  ["§8.3: two :method [http2/8.1.2.3/5]", GET + ":method: GET"],
  ["§8.3: two :scheme [http2/8.1.2.3/6]", GET + ":scheme: https"],
  ["§8.3: two :path [http2/8.1.2.3/7]", GET + ":path: /"],
  ["§8.3: two :authority", GET + ":authority: a.example"],
  ["§8.3: two :protocol", WS + ":protocol: websocket"],
  ["§8.3.1: an empty :path [http2/8.1.2.3/1]", change(GET, ":path: /", ":path: ")],
  ["§8.3.1: no :method [http2/8.1.2.3/2]", change(GET, ":method: GET\n")],
  ["§8.3.1: no :scheme [http2/8.1.2.3/3]", change(GET, ":scheme: https\n")],
  ["§8.3.1: no :path [http2/8.1.2.3/4]", change(GET, ":path: /\n")],
  ["§8.3.1: an empty :method", change(GET, "GET")],
  ["§8.3.1: an invalid :method", change(GET, "GET", "G T")],
  ["§8.3.1: an invalid :scheme", change(GET, "https", "1http")],
  ["§8.3.1: neither :authority nor Host", change(GET, ":authority: a.example\n")],
  ["§8.3.1: an empty :authority", change(GET, "a.example")],
  ["§8.3.1: an empty Host", change(GET, ":authority: a.example\n") + "host: "],
  ["§8.3.1: :authority and Host that differ", GET + "host: b.example"],
  ["§8.3.1: :authority and Host that differ in the port", GET + "host: a.example:80"],
  ["§8.3.1: userinfo in :authority", change(GET, "a.example", "u:p@a.example")],
  ["§8.3.1: userinfo in Host", change(GET, ":authority: ", "") + "host: u@a.example"],
  ["RFC 9110 §7.2: two Host", GET + "host: a.example\nhost: a.example"],
  ["§8.3.1: a :path without a slash", change(GET, ":path: /", ":path: a")],
  ["§8.3.1: a :path of * without OPTIONS", change(GET, ":path: /", ":path: *")],
  ["§10.3: a :path with a blank", change(GET, ":path: /", ":path: /a b")],
  ["§10.3: a :path with a byte above 0x7e", change(GET, ":path: /", ":path: /\xe9")],
  ["§10.3: a :path with a fragment", change(GET, ":path: /", ":path: /#a")],
  ["§10.3: a :path with NUL", change(GET, ":path: /", ":path: /\0")],
  ["§10.3: an :authority with a slash", change(GET, "a.example", "a.example/b")],
  ["§10.3: an :authority with a blank", change(GET, "a.example", "a b")],
  ["§10.3: an :authority with CR", change(GET, "a.example", "a\rb")],
  ["§10.3: an :authority with an invalid port", change(GET, "a.example", "a:x")],
  ["§8.5: CONNECT with :scheme", ":method: CONNECT\n:scheme: https\n:authority: a:1"],
  ["§8.5: CONNECT with :path", ":method: CONNECT\n:path: /\n:authority: a:1"],
  ["§8.5: CONNECT without :authority", ":method: CONNECT\nhost: a:1"],
  ["§8.5: CONNECT without a port", ":method: CONNECT\n:authority: a.example"],
  ["§8.5: CONNECT to port 0", ":method: CONNECT\n:authority: a.example:0"],
  ["§8.5: CONNECT to port 65536", ":method: CONNECT\n:authority: a.example:65536"],
  ["§8.5: CONNECT with userinfo", ":method: CONNECT\n:authority: u@a.example:1"],
  ["RFC 8441 §4: extended CONNECT without :scheme", change(WS, ":scheme: https\n")],
  ["RFC 8441 §4: extended CONNECT without :path", change(WS, /:path.*\n/)],
  ["RFC 8441 §4: extended CONNECT without :authority", change(WS, /:authority.*\n/) + "host: a"],
  ["RFC 8441 §4: :protocol without CONNECT", change(WS, "CONNECT", "GET")],
  ["RFC 8441 §4: an invalid :protocol", change(WS, "websocket", "web socket")],
  ["RFC 8441 §4: an empty :protocol", change(WS, "websocket")],
];

for (const [name, text] of badRequests) {
  Deno.test(`request head: malformed: RFC 9113 ${name}`, () => {
    assert.deepEqual(outcome(() => readRequestHead(section(text))), MALFORMED);
  });
}

/** What makes a request, a response and trailers malformed. */
const badFields: [name: string, field: Field][] = [
  ["§8.2.1: a name with upper-case characters [http2/8.1.2/1]", ["X-a", "1"]],
  ["§8.2.1: an empty name", ["", "1"]],
  ["§8.2.1: a name with a blank", ["x a", "1"]],
  ["§8.2.1: a name with a colon", ["x:a", "1"]],
  ["§8.2.1: a name with LF", ["x\n", "1"]],
  ["§8.2.1: a name with NUL", ["x\0", "1"]],
  ["§8.2.1: a name with 0x7f", ["x\x7f", "1"]],
  ["§8.2.1: a name with a byte above 0x7f", ["x\xe9", "1"]],
  ["§8.2.1: a value with CR", ["x", "a\rb"]],
  ["§8.2.1: a value with LF", ["x", "a\nb"]],
  ["§8.2.1: a value with NUL", ["x", "a\0b"]],
  ["§8.2.1: a value that begins with SP", ["x", " a"]],
  ["§8.2.1: a value that begins with HTAB", ["x", "\ta"]],
  ["§8.2.1: a value that ends with SP", ["x", "a "]],
  ["§8.2.1: a value that ends with HTAB", ["x", "a\t"]],
  ["§8.2.2: connection [http2/8.1.2.2/1]", ["connection", "close"]],
  ["§8.2.2: keep-alive", ["keep-alive", "1"]],
  ["§8.2.2: proxy-connection", ["proxy-connection", "close"]],
  ["§8.2.2: transfer-encoding", ["transfer-encoding", "chunked"]],
  ["§8.2.2: upgrade", ["upgrade", "websocket"]],
  ["§8.2.2: TE other than trailers [http2/8.1.2.2/2]", ["te", "trailers, deflate"]],
  ["§8.3: an unknown pseudo-header field", [":x", "1"]],
];

for (const [name, field] of badFields) {
  Deno.test(`fields: malformed: RFC 9113 ${name}`, () => {
    assert.equal(outcome(() => readRequestHead([...section(GET), field])), MALFORMED);
    assert.equal(outcome(() => readResponseHead([...section(":status: 200"), field])), MALFORMED);
    assert.equal(outcome(() => checkTrailers([field])), MALFORMED);
  });
}

const responses: [name: string, text: string, want: unknown][] = [
  ["200", ":status: 200\nx: 1", { status: 200, fields: [["x", "1"]] }],
  ["an interim one", ":status: 103", { status: 103, fields: [] }],
  ["several set-cookie stay", ":status: 200\nset-cookie: a\nset-cookie: b", {
    status: 200,
    fields: [["set-cookie", "a"], ["set-cookie", "b"]],
  }],
  ["Host means nothing in it, and may come twice", ":status: 200\nhost: a\nhost: b", {
    status: 200,
    fields: [["host", "a"], ["host", "b"]],
  }],
  ["RFC 9113 §8.3.2: no :status", "x: 1", MALFORMED],
  ["RFC 9113 §8.3: two :status", ":status: 200\n:status: 200", MALFORMED],
  ["RFC 9113 §8.3: pseudo-header fields of requests", ":status: 200\n:path: /", MALFORMED],
  ["RFC 9113 §8.3: :status behind a regular field", "x: 1\n:status: 200", MALFORMED],
  ["RFC 9110 §15: two digits", ":status: 20", MALFORMED],
  ["RFC 9110 §15: four digits", ":status: 2000", MALFORMED],
  ["RFC 9110 §15: not a number", ":status: +20", MALFORMED],
  ["RFC 9110 §15: below 100", ":status: 099", MALFORMED],
  ["RFC 9110 §15: above 599", ":status: 600", MALFORMED],
  ["RFC 9113 §8.6: HTTP/2 has no 101", ":status: 101", MALFORMED],
  ["RFC 9113 §8.2.2: TE is for requests only", ":status: 200\nte: trailers", MALFORMED],
];

for (const [name, text, want] of responses) {
  Deno.test(`response head: ${name}`, () => {
    assert.deepEqual(outcome(() => readResponseHead(section(text))), want);
  });
}

const lengths: [name: string, text: string, want: number | null | string][] = [
  ["none", "x: 1", null],
  ["zero", "content-length: 0", 0],
  ["2^53-1", "content-length: 9007199254740991", 2 ** 53 - 1],
  ["2^53", "content-length: 9007199254740992", MALFORMED],
  ["empty", "content-length: ", MALFORMED],
  ["a sign", "content-length: +1", MALFORMED],
  ["hex", "content-length: 0x1", MALFORMED],
  ["a list", "content-length: 1, 1", MALFORMED],
  ["two of them", "content-length: 1\ncontent-length: 1", MALFORMED],
];

for (const [name, text, want] of lengths) {
  Deno.test(`fields: RFC 9110 §8.6: Content-Length = 1*DIGIT: ${name}`, () => {
    assert.equal(outcome(() => contentLength(section(text))), want);
    if (want !== MALFORMED) return;
    assert.equal(outcome(() => readRequestHead(section(GET + text))), MALFORMED);
    assert.equal(outcome(() => readResponseHead(section(":status: 200\n" + text))), MALFORMED);
  });
}

Deno.test("trailers: Content-Length and Host mean nothing in them", () => {
  const fields = section("content-length: x\ncontent-length: 1\nhost: a\nhost: b");
  assert.equal(outcome(() => checkTrailers(fields)), undefined);
});

Deno.test("encodeRequest: what is read is what was meant", () => {
  const head: RequestHead = {
    ...get,
    method: "CONNECT",
    protocol: "websocket",
    fields: [["host", "a.example"], ["te", "gzip"], ["connection", "x-a"], ["x-a", "1"], [
      "x",
      "1",
    ]],
  };
  const section = encodeRequest(head);
  assert.deepEqual(readRequestHead(section), { ...head, fields: [["x", "1"]] });
  assert.throws(() => encodeRequest({ ...head, path: "no slash" }), TypeError);
  assert.throws(() => encodeRequest({ ...head, fields: [["x", "a\nb"]] }), TypeError);
});

Deno.test("encodeResponse: RFC 9113 §8.2.2: without the fields of the connection", () => {
  const fields: Field[] = [["connection", "close, X-A"], ["x-a", "1"], ["te", "trailers"]];
  assert.deepEqual(encodeResponse(204, [...fields, ["keep-alive", "1"], ["x", "1"]]), [
    [":status", "204"],
    ["x", "1"],
  ]);
  assert.throws(() => encodeResponse(101, []), TypeError);
  assert.throws(() => encodeResponse(200, [["X", "1"]]), TypeError);
});

Deno.test("encodeTrailers: RFC 9113 §8.1: without pseudo-header fields, or those of connections", () => {
  assert.deepEqual(encodeTrailers([["te", "trailers"], ["upgrade", "a"], ["x", "1"]]), [[
    "x",
    "1",
  ]]);
  assert.throws(() => encodeTrailers([[":status", "200"]]), TypeError);
  assert.throws(() => encodeTrailers([["x", "1\n"]]), TypeError);
});
