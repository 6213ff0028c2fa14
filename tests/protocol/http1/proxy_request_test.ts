import assert from "node:assert/strict";
import { encodeRequestHead } from "../../../src/protocol/http1/encode.ts";
import { type RequestHead, RequestHeadParser } from "../../../src/protocol/http1/head.ts";
import { readProxyRequest } from "../../../src/protocol/http1/proxy_request.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import { latin1, latin1Text } from "../../fuzz/input.ts";

/** The head of a request line with these lines of fields below it. */
function parse(line: string, ...fields: string[]): RequestHead {
  const parser = new RequestHeadParser();
  const version = / HTTP\/1\.[01]$/.test(line) ? "" : " HTTP/1.1";
  const lines = [line + version, "Host: other.example", ...fields, "", ""];
  parser.push(latin1(lines.join("\r\n")));
  return parser.next()!;
}

const CONNECTS = [
  { name: "a name", target: "A.example:443", want: ["a.example", 443] },
  { name: "an IPv4 address", target: "127.0.0.1:22", want: ["127.0.0.1", 22] },
  { name: "an IPv6 address", target: "[2001:DB8::0:1]:22", want: ["2001:db8::1", 22] },
];

for (const { name, target, want } of CONNECTS) {
  Deno.test(`proxy request: RFC 9110 §9.3.6: CONNECT to ${name}`, () => {
    const [host, port] = want;
    assert.deepEqual(readProxyRequest(parse(`CONNECT ${target}`)), { kind: "connect", host, port });
  });
}

const FORWARDED = [
  {
    name: "RFC 9112 §3.2.2: a GET in absolute-form, and its Host MUST be replaced",
    line: "GET http://A.example/b?c",
    want: ["a.example", 80, "GET /b?c HTTP/1.1|Host: a.example|Via: 1.1 h3ws"],
  },
  {
    name: "a port of its own",
    line: "GET http://a.example:8080/",
    want: ["a.example", 8080, "GET / HTTP/1.1|Host: a.example:8080|Via: 1.1 h3ws"],
  },
  {
    name: "RFC 9110 §4.2.3: an empty port is the default one",
    line: "GET http://a.example:/",
    want: ["a.example", 80, "GET / HTTP/1.1|Host: a.example|Via: 1.1 h3ws"],
  },
  {
    name: "RFC 9112 §3.2.1: no path",
    line: "GET http://[::1]:81?q",
    want: ["::1", 81, "GET /?q HTTP/1.1|Host: [::1]:81|Via: 1.1 h3ws"],
  },
  {
    name: "RFC 9112 §3.2.4: OPTIONS for a server as a whole",
    line: "OPTIONS http://a.example",
    want: ["a.example", 80, "OPTIONS * HTTP/1.1|Host: a.example|Via: 1.1 h3ws"],
  },
  {
    name: "ws, whose Upgrade is for the sender to say again",
    line: "GET ws://a.example/chat",
    fields: ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
    want: [
      "a.example",
      80,
      "GET /chat HTTP/1.1|Host: a.example|Sec-WebSocket-Version: 13|Via: 1.1 h3ws",
    ],
  },
  {
    name: "RFC 9110 §7.6.1: no fields of the connection, and none of the proxy's",
    line: "GET http://a.example/",
    fields: [
      ...["Proxy-Authorization: Basic dTpw", "Proxy-Connection: keep-alive", "Proxy-Other: 1"],
      ...["Connection: keep-alive, x-mine, host", "Keep-Alive: 5", "X-Mine: 1", "TE: trailers"],
      "Accept: */*",
    ],
    want: ["a.example", 80, "GET / HTTP/1.1|Host: a.example|Accept: */*|Via: 1.1 h3ws"],
  },
  {
    name: "RFC 9110 §7.6.3: Via, behind those before, with the version by which it came",
    line: "GET http://a.example/ HTTP/1.0",
    fields: ["Via: 1.1 b", "Connection: via"],
    want: ["a.example", 80, "GET / HTTP/1.1|Host: a.example|Via: 1.1 b, 1.0 h3ws"],
  },
  {
    name: "content of a known length",
    line: "POST http://a.example/",
    fields: ["Content-Length: 3", "Expect: 100-continue"],
    want: [
      "a.example",
      80,
      "POST / HTTP/1.1|Host: a.example|Content-Length: 3|Expect: 100-continue|Via: 1.1 h3ws",
    ],
  },
  {
    name: "content in chunks, as it comes",
    line: "POST http://a.example/",
    fields: ["Transfer-Encoding: chunked", "Trailer: x"],
    want: [
      "a.example",
      80,
      "POST / HTTP/1.1|Host: a.example|Trailer: x|Via: 1.1 h3ws|Transfer-Encoding: chunked",
    ],
  },
  {
    name: "RFC 9110 §7.6.2: Max-Forwards is counted down for TRACE",
    line: "TRACE http://a.example/",
    fields: ["Max-Forwards: 1"],
    want: ["a.example", 80, "TRACE / HTTP/1.1|Host: a.example|Max-Forwards: 0|Via: 1.1 h3ws"],
  },
  {
    name: "RFC 9110 §7.6.2: Max-Forwards is nothing to GET",
    line: "GET http://a.example/",
    fields: ["Max-Forwards: 0"],
    want: ["a.example", 80, "GET / HTTP/1.1|Host: a.example|Max-Forwards: 0|Via: 1.1 h3ws"],
  },
];

for (const { name, line, fields = [], want } of FORWARDED) {
  Deno.test(`proxy request: forwards ${name}`, () => {
    const asked = readProxyRequest(parse(line, ...fields));
    assert.ok(asked.kind === "absolute", asked.kind);
    const sent = latin1Text(encodeRequestHead(asked.head)).trimEnd().replaceAll("\r\n", "|");
    assert.deepEqual([asked.host, asked.port, sent], want);
  });
}

const ANSWERED = [
  { name: "origin-form, which is for a server", line: "GET /", want: 400 },
  { name: "asterisk-form", line: "OPTIONS *", want: 400 },
  { name: "https without CONNECT", line: "GET https://a.example/", want: 501 },
  { name: "wss without CONNECT", line: "GET wss://a.example/", want: 501 },
  { name: "port 0", line: "GET http://a.example:0/", want: 400 },
  { name: "a host with escapes", line: "GET http://a%2eexample/", want: 400 },
  { name: "CONNECT to a host with escapes", line: "CONNECT a%2eexample:80", want: 400 },
  {
    name: "RFC 9110 §7.6.2: the last hop of TRACE",
    line: "TRACE http://a.example/",
    fields: ["Max-Forwards: 0"],
    want: 405,
  },
  {
    name: "RFC 9110 §7.6.2: the last hop of OPTIONS",
    line: "OPTIONS http://a.example/",
    fields: ["Max-Forwards: 0"],
    want: 204,
  },
  {
    name: "RFC 9110 §7.6.3: what goes in a loop",
    line: "GET http://a.example/",
    fields: [`Via: ${Array(8).fill("1.1 h3ws").join(", ")}`],
    want: 508,
  },
];

for (const { name, line, fields = [], want } of ANSWERED) {
  Deno.test(`proxy request: answers ${name} with ${want}`, () => {
    const asked = readProxyRequest(parse(line, ...fields));
    assert.ok(asked.kind === "answer", asked.kind);
    assert.equal(asked.status, want);
    assert.equal(asked.text === "", want === 204);
  });
}

Deno.test("proxy request: the head that was read stays as it is", () => {
  const head = parse("GET http://a.example/", "Connection: x", "X: 1");
  const before: Field[] = [...head.fields];
  readProxyRequest(head);
  assert.deepEqual(head.fields, before);
});
