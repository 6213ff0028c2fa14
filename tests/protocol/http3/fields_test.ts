import assert from "node:assert/strict";
import {
  checkTrailers,
  contentLength,
  readRequestHead,
  readResponseHead,
  type RequestHead,
} from "../../../src/protocol/http3/fields.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import { errorText } from "./feed.ts";

const MALFORMED = "H3_MESSAGE_ERROR stream";

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

const requests: { name: string; text: string; want: Partial<RequestHead> }[] = [
  { name: "GET", text: GET, want: get },
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
    name: "RFC 9110 §7.8: a :protocol with a version",
    text: WS.replace("websocket", "foo/2.0"),
    want: { ...get, method: "CONNECT", protocol: "foo/2.0", path: "/chat?x" },
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
    name: ":authority and Host in one value, whatever the case",
    text: GET + "host: A.Example",
    want: { ...get, fields: [["host", "A.Example"]] },
  },
  {
    name: "OPTIONS *",
    text: GET.replace("GET", "OPTIONS").replace("path: /", "path: *"),
    want: { ...get, method: "OPTIONS", path: "*" },
  },
  {
    name: "another scheme needs no authority, and its path no slash",
    text: ":method: GET\n:scheme: urn\n:path: a:b",
    want: { ...get, scheme: "urn", authority: null, path: "a:b" },
  },
  {
    name: "TE that says trailers, and a Content-Length",
    text: GET + "te: trailers\ncontent-length: 12",
    want: { ...get, fields: [["te", "trailers"], ["content-length", "12"]] },
  },
  {
    name: "RFC 9114 §4.2.1: several Cookie fields are joined with '; '",
    text: GET + "x: 1\ncookie: a=1\ny: 2\ncookie: b=2\ncookie: c=3\nz: 3",
    want: { ...get, fields: [["x", "1"], ["cookie", "a=1; b=2; c=3"], ["y", "2"], ["z", "3"]] },
  },
  {
    name: "RFC 9110 §5.5: an empty Cookie field leaves no blank at the end of the joined one",
    text: GET + "cookie: a=1\ncookie: \ncookie: b=2\ncookie: ",
    want: { ...get, fields: [["cookie", "a=1; b=2"]] },
  },
  {
    name: "empty Cookie fields alone are one empty field",
    text: GET + "cookie: \ncookie: ",
    want: { ...get, fields: [["cookie", ""]] },
  },
];

for (const test of requests) {
  Deno.test(`request head: ${test.name}`, () => {
    assert.deepEqual(outcome(() => readRequestHead(section(test.text))), test.want);
  });
}

/** `GET` or another request with some lines taken out or put in. */
function change(text: string, from: string | RegExp, to = ""): string {
  const changed = text.replace(from, to);
  assert.notEqual(changed, text);
  return changed;
}

const badRequests: [name: string, text: string][] = [
  ["RFC 9114 §4.3: unknown pseudo-header fields", `:foo: 1\n${GET}`],
  ["RFC 9114 §4.3: pseudo-header fields of responses", `${GET}:status: 200`],
  ["RFC 9114 §4.3: an upper-case pseudo-header field", change(GET, ":path", ":Path")],
  ["RFC 9114 §4.3: pseudo-header fields behind a regular one", change(GET, ":path", "a: 1\n:path")],
  ["RFC 9114 §4.3.1: two :method", GET + ":method: GET"],
  ["RFC 9114 §4.3.1: two :scheme", GET + ":scheme: https"],
  ["RFC 9114 §4.3.1: two :authority", GET + ":authority: a.example"],
  ["RFC 9114 §4.3.1: two :path", GET + ":path: /"],
  ["RFC 8441 §4: two :protocol", WS + ":protocol: websocket"],
  ["RFC 9114 §4.3.1: no :method", change(GET, ":method: GET\n")],
  ["RFC 9114 §4.3.1: no :scheme", change(GET, ":scheme: https\n")],
  ["RFC 9114 §4.3.1: no :path", change(GET, ":path: /\n")],
  ["RFC 9114 §4.3.1: neither :authority nor Host", change(GET, ":authority: a.example\n")],
  ["RFC 9114 §4.3.1: an empty :authority", change(GET, "a.example")],
  ["RFC 9114 §4.3.1: an empty Host", change(GET, ":authority: a.example\n") + "host: "],
  ["RFC 9114 §4.3.1: :authority and Host that differ", GET + "host: b.example"],
  ["RFC 9110 §7.2: two Host", GET + "host: a.example\nhost: a.example"],
  ["RFC 9114 §4.3.1: userinfo in :authority", change(GET, "a.example", "u:p@a.example")],
  ["RFC 9114 §4.3.1: userinfo in Host", change(GET, ":authority: ", "") + "host: u@a.example"],
  ["RFC 9114 §4.3.1: an empty :path", change(GET, ":path: /", ":path: ")],
  ["RFC 9114 §4.3.1: a :path without a slash", change(GET, ":path: /", ":path: a")],
  ["RFC 9114 §4.3.1: a :path of * without OPTIONS", change(GET, ":path: /", ":path: *")],
  ["RFC 9110 §9.1: an invalid :method", change(GET, "GET", "G T")],
  ["RFC 9110 §9.1: an empty :method", change(GET, "GET")],
  ["RFC 3986 §3.1: an invalid :scheme", change(GET, "https", "1http")],
  ["RFC 3986 §3.1: an empty :scheme", change(GET, "https")],
  ["RFC 3986 §3.3: a :path with a blank", change(GET, ":path: /", ":path: /a b")],
  ["RFC 3986 §3.3: a :path with a byte above 0x7e", change(GET, ":path: /", ":path: /\xe9")],
  ["RFC 3986 §3.5: a :path with a fragment", change(GET, ":path: /", ":path: /#a")],
  ["RFC 3986 §3.2: an :authority with a slash", change(GET, "a.example", "a.example/b")],
  ["RFC 3986 §3.2: an :authority with a blank", change(GET, "a.example", "a b")],
  ["RFC 3986 §3.2.3: an :authority with an invalid port", change(GET, "a.example", "a:x")],
  ["RFC 9114 §4.4: CONNECT with :scheme", ":method: CONNECT\n:scheme: https\n:authority: a:1"],
  ["RFC 9114 §4.4: CONNECT with :path", ":method: CONNECT\n:path: /\n:authority: a:1"],
  ["RFC 9114 §4.4: CONNECT without :authority", ":method: CONNECT\nhost: a:1"],
  ["RFC 9110 §9.3.6: CONNECT without a port", ":method: CONNECT\n:authority: a.example"],
  ["RFC 9110 §9.3.6: CONNECT to port 0", ":method: CONNECT\n:authority: a.example:0"],
  ["RFC 9110 §9.3.6: CONNECT to port 65536", ":method: CONNECT\n:authority: a.example:65536"],
  ["RFC 9110 §9.3.6: CONNECT with userinfo", ":method: CONNECT\n:authority: u@a.example:1"],
  ["RFC 8441 §4: extended CONNECT without :scheme", change(WS, ":scheme: https\n")],
  ["RFC 8441 §4: extended CONNECT without :path", change(WS, /:path.*\n/)],
  ["RFC 8441 §4: extended CONNECT without :authority", change(WS, /:authority.*\n/) + "host: a"],
  ["RFC 8441 §4: extended CONNECT with a path without a slash", change(WS, "/chat", "chat")],
  ["RFC 8441 §4: extended CONNECT with userinfo", change(WS, "a.example", "u@a.example")],
  ["RFC 8441 §4: extended CONNECT with another Host", WS + "host: b.example"],
  ["RFC 8441 §4: :protocol without CONNECT", change(WS, "CONNECT", "GET")],
  ["RFC 8441 §4: an invalid :protocol", change(WS, "websocket", "web socket")],
  ["RFC 8441 §4: an empty :protocol", change(WS, "websocket")],
];

for (const [name, text] of badRequests) {
  Deno.test(`request head: malformed: ${name}`, () => {
    assert.deepEqual(outcome(() => readRequestHead(section(text))), MALFORMED);
  });
}

/** What makes a request, a response and trailers malformed. */
const badFields: [name: string, field: Field][] = [
  ["RFC 9114 §4.2: a field name with upper-case characters", ["X-a", "1"]],
  ["RFC 9114 §10.3: an empty field name", ["", "1"]],
  ["RFC 9114 §10.3: a field name with a blank", ["x a", "1"]],
  ["RFC 9114 §10.3: a field name with a colon", ["x:a", "1"]],
  ["RFC 9114 §10.3: a field name with LF", ["x\n", "1"]],
  ["RFC 9114 §10.3: a field name with a byte above 0x7e", ["x\xe9", "1"]],
  ["RFC 9114 §10.3: a value with CR", ["x", "a\rb"]],
  ["RFC 9114 §10.3: a value with LF", ["x", "a\nb"]],
  ["RFC 9114 §10.3: a value with NUL", ["x", "a\0b"]],
  ["RFC 9110 §5.5: a value that begins with a blank", ["x", " a"]],
  ["RFC 9110 §5.5: a value that ends with a blank", ["x", "a\t"]],
  ["RFC 9114 §4.2: connection", ["connection", "close"]],
  ["RFC 9114 §4.2: keep-alive", ["keep-alive", "1"]],
  ["RFC 9114 §4.2: proxy-connection", ["proxy-connection", "close"]],
  ["RFC 9114 §4.2: transfer-encoding", ["transfer-encoding", "chunked"]],
  ["RFC 9114 §4.2: upgrade", ["upgrade", "websocket"]],
  ["RFC 9114 §4.2: TE MUST NOT contain any value other than trailers", ["te", "trailers, gzip"]],
];

for (const [name, field] of badFields) {
  Deno.test(`fields: malformed: ${name}`, () => {
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
  ["RFC 9114 §4.3.2: no :status", "x: 1", MALFORMED],
  ["RFC 9114 §4.3.2: two :status", ":status: 200\n:status: 200", MALFORMED],
  ["RFC 9114 §4.3: pseudo-header fields of requests", ":status: 200\n:path: /", MALFORMED],
  ["RFC 9114 §4.3: :status behind a regular field", "x: 1\n:status: 200", MALFORMED],
  ["RFC 9110 §15: two digits", ":status: 20", MALFORMED],
  ["RFC 9110 §15: four digits", ":status: 2000", MALFORMED],
  ["RFC 9110 §15: not a number", ":status: +20", MALFORMED],
  ["RFC 9110 §15: below 100", ":status: 099", MALFORMED],
  ["RFC 9114 §4.5: HTTP/3 has no 101", ":status: 101", MALFORMED],
  ["RFC 9114 §4.2: TE is for requests only", ":status: 200\nte: trailers", MALFORMED],
];

for (const [name, text, want] of responses) {
  Deno.test(`response head: ${name}`, () => {
    assert.deepEqual(outcome(() => readResponseHead(section(text))), want);
  });
}

Deno.test("trailers: RFC 9114 §4.3: pseudo-header fields MUST NOT appear in trailers", () => {
  assert.equal(outcome(() => checkTrailers(section("grpc-status: 0"))), undefined);
  assert.equal(outcome(() => checkTrailers(section(":status: 200"))), MALFORMED);
  assert.equal(outcome(() => checkTrailers(section(":path: /"))), MALFORMED);
});

const lengths: [name: string, text: string, want: number | null | string][] = [
  ["none", "x: 1", null],
  ["zero", "content-length: 0", 0],
  ["2^53-1", "content-length: 9007199254740991", 2 ** 53 - 1],
  ["above 2^53-1", "content-length: 9007199254740992", MALFORMED],
  ["empty", "content-length: ", MALFORMED],
  ["signed", "content-length: +1", MALFORMED],
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
