import assert from "node:assert/strict";
import { isRequestTarget, requestUri } from "../../../src/protocol/http1/target.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";

const HOST: Field[] = [["host", "a.example:8080"]];

const ROWS: {
  name: string;
  method?: string;
  target: string;
  fields?: Field[];
  want: [scheme: string | null, authority: string, path: string];
}[] = [
  { name: "origin-form", target: "/a?b=http://c", want: [null, "a.example:8080", "/a?b=http://c"] },
  {
    name: "origin-form that begins like a URI",
    target: "//b/c",
    want: [null, "a.example:8080", "//b/c"],
  },
  { name: "HTTP/1.0 without Host", target: "/", fields: [], want: [null, "", "/"] },
  {
    name: "RFC 9112 §3.2.2: absolute-form, its authority counts and Host is ignored",
    target: "http://b.example/c?d",
    want: ["http", "b.example", "/c?d"],
  },
  { name: "absolute-form of wss", target: "WSS://b:1/c", want: ["wss", "b:1", "/c"] },
  {
    name: "RFC 9112 §3.2.1: absolute-form without a path",
    target: "https://[::1]:8443",
    want: ["https", "[::1]:8443", "/"],
  },
  { name: "absolute-form with a query alone", target: "http://b?c", want: ["http", "b", "/?c"] },
  {
    name: "RFC 9112 §3.2.4: OPTIONS for a URI without a path",
    method: "OPTIONS",
    target: "http://b.example:8001",
    want: ["http", "b.example:8001", "*"],
  },
  { name: "asterisk-form", method: "OPTIONS", target: "*", want: [null, "a.example:8080", "*"] },
  { name: "authority-form", method: "CONNECT", target: "b:443", want: [null, "b:443", ""] },
];

for (const { name, method = "GET", target, fields = HOST, want } of ROWS) {
  Deno.test(`request URI: ${name}`, () => {
    assert.equal(isRequestTarget(method, target), true);
    const [scheme, authority, path] = want;
    assert.deepEqual(requestUri({ method, target, fields }), { scheme, authority, path });
  });
}

const REFUSED: [method: string, target: string][] = [
  ["GET", ""],
  ["GET", "*"],
  ["OPTIONS", "*x"],
  ["OPTIONS", "**"],
  ["GET", "a"],
  ["GET", "a.example:80"],
  ["GET", "?a"],
  ["GET", "http:/a"],
  ["GET", "http://"],
  ["GET", "http:///a"],
  ["GET", "http://?a"],
  ["GET", "http://u@a/"],
  ["GET", "http://a:b/"],
  ["GET", "file:///etc/passwd"],
  ["GET", "gopher://a/"],
  ["GET", "/a#b"],
  ["GET", "/a b"],
  ["GET", "/\x7f"],
  ["GET", "/\xe4"],
  ["CONNECT", "/"],
  ["CONNECT", "*"],
  ["CONNECT", "http://a:1"],
  ["CONNECT", "u@a:1"],
];

for (const [method, target] of REFUSED) {
  Deno.test(`RFC 9112 §3.2: no target of a request: ${method} ${JSON.stringify(target)}`, () => {
    assert.equal(isRequestTarget(method, target), false);
  });
}
