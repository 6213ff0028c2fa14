// RFC 9113 §8.3, RFC 9114 §4.3, RFC 8441 §4: requests of HTTP/2 and of HTTP/3, right and malformed. The
// numbers of h2spec's cases stand where one is met.
import assert from "node:assert/strict";
import type { RequestHead } from "../../../src/protocol/wire/message.ts";

/** Where it is said, by version: a section of the version's own RFC, or one of another's. */
export type Sections = readonly [http2: string, http3: string];

export const GET = ":method: GET\n:scheme: https\n:authority: a.example\n:path: /\n";
const WS =
  ":method: CONNECT\n:protocol: websocket\n:scheme: https\n:authority: a.example\n:path: /chat?x\n";
export const get: RequestHead = {
  method: "GET",
  scheme: "https",
  authority: "a.example",
  path: "/",
  protocol: null,
  fields: [],
};
const connect = { ...get, method: "CONNECT", scheme: null, path: null };
const tunnel = { ...get, method: "CONNECT", protocol: "websocket", path: "/chat?x" };

const PSEUDO: Sections = ["§8.3", "§4.3"];
const TWICE: Sections = ["§8.3", "§4.3.1"];
const REQUEST: Sections = ["§8.3.1", "§4.3.1"];
const PLAIN_CONNECT: Sections = ["§8.5", "§4.4"];
const PROTOCOL: Sections = ["RFC 8441 §4", "RFC 8441 §4"];
const COOKIE: Sections = ["§8.2.3", "§4.2.1"];
const METHOD: Sections = ["§8.3.1", "RFC 9110 §9.1"];
const SCHEME: Sections = ["§8.3.1", "RFC 3986 §3.1"];
const TARGET: Sections = ["§8.5", "RFC 9110 §9.3.6"];
const VALUE: Sections = ["§10.3", "§10.3"];
/** A section of RFC 3986 for HTTP/3. */
const uri = (section: string): Sections => ["§10.3", `RFC 3986 §${section}`];

export const requests: [Sections, what: string, text: string, want: RequestHead][] = [
  [REQUEST, "GET", GET, get],
  [
    PSEUDO,
    "pseudo-header fields in any order",
    ":path: /\n:authority: a.example\n:method: GET\n:scheme: https\nx: 1",
    { ...get, fields: [["x", "1"]] },
  ],
  [
    PROTOCOL,
    "extended CONNECT",
    WS + "sec-websocket-version: 13",
    { ...tunnel, fields: [["sec-websocket-version", "13"]] },
  ],
  [
    ["RFC 9110 §7.8", "RFC 9110 §7.8"],
    "a :protocol with a version",
    WS.replace("websocket", "foo/2.0"),
    { ...tunnel, protocol: "foo/2.0" },
  ],
  [
    PLAIN_CONNECT,
    "CONNECT",
    ":method: CONNECT\n:authority: a.example:443",
    { ...connect, authority: "a.example:443" },
  ],
  [
    PLAIN_CONNECT,
    "CONNECT to an IPv6 address",
    ":method: CONNECT\n:authority: [::1]:1",
    { ...connect, authority: "[::1]:1" },
  ],
  [
    REQUEST,
    "Host stands for :authority",
    GET.replace(":authority: a.example\n", "") + "host: b.example:8443",
    { ...get, authority: "b.example:8443", fields: [["host", "b.example:8443"]] },
  ],
  [
    REQUEST,
    ":authority and Host in one value, whatever the case",
    GET + "host: A.Example",
    { ...get, fields: [["host", "A.Example"]] },
  ],
  [
    REQUEST,
    "OPTIONS in asterisk form",
    GET.replace("GET", "OPTIONS").replace("path: /", "path: *"),
    { ...get, method: "OPTIONS", path: "*" },
  ],
  [
    REQUEST,
    "another scheme than http and https needs no authority, and its path no slash",
    ":method: GET\n:scheme: urn\n:path: a:b",
    { ...get, scheme: "urn", authority: null, path: "a:b" },
  ],
  [
    ["§8.2.2", "§4.2"],
    "TE may say trailers, and there may be a Content-Length",
    GET + "te: trailers\ncontent-length: 12",
    { ...get, fields: [["te", "trailers"], ["content-length", "12"]] },
  ],
  [
    COOKIE,
    "several Cookie fields are joined with '; '",
    GET + "x: 1\ncookie: a=1\ny: 2\ncookie: b=2\ncookie: c=3\nz: 3",
    { ...get, fields: [["x", "1"], ["cookie", "a=1; b=2; c=3"], ["y", "2"], ["z", "3"]] },
  ],
  [
    COOKIE,
    "an empty Cookie field among others adds nothing",
    GET + "x: 1\ncookie: a=1\ny: 2\ncookie: b=2\ncookie: \ncookie: c=3\nz: 3",
    { ...get, fields: [["x", "1"], ["cookie", "a=1; b=2; c=3"], ["y", "2"], ["z", "3"]] },
  ],
  [
    ["RFC 9110 §5.5", "RFC 9110 §5.5"],
    "an empty Cookie field leaves no blank at the end of the joined one",
    GET + "cookie: a=1\ncookie: \ncookie: b=2\ncookie: ",
    { ...get, fields: [["cookie", "a=1; b=2"]] },
  ],
  [
    COOKIE,
    "empty Cookie fields alone are one empty field",
    GET + "cookie: \ncookie: ",
    { ...get, fields: [["cookie", ""]] },
  ],
];

/** `GET` or another request with some lines taken out or put in. */
function change(text: string, from: string | RegExp, to = ""): string {
  const changed = text.replace(from, to);
  assert.notEqual(changed, text);
  return changed;
}

const NO_AUTHORITY = change(GET, ":authority: a.example\n");
const CONNECT_TO = ":method: CONNECT\n:authority: ";

export const badRequests: [Sections, what: string, text: string][] = [
  [PSEUDO, "unknown pseudo-header fields [http2/8.1.2.1/1]", `:foo: 1\n${GET}`],
  [PSEUDO, "pseudo-header fields of responses [http2/8.1.2.1/2]", `${GET}:status: 200`],
  [PSEUDO, "an upper-case pseudo-header field", change(GET, ":path", ":Path")],
  [
    PSEUDO,
    "pseudo-header fields behind a regular one [http2/8.1.2.1/4]",
    change(GET, ":path", "a: 1\n:path"),
  ],
  [TWICE, "two :method [http2/8.1.2.3/5]", GET + ":method: GET"],
  [TWICE, "two :scheme [http2/8.1.2.3/6]", GET + ":scheme: https"],
  [TWICE, "two :path [http2/8.1.2.3/7]", GET + ":path: /"],
  [TWICE, "two :authority", GET + ":authority: a.example"],
  [["§8.3", "RFC 8441 §4"], "two :protocol", WS + ":protocol: websocket"],
  [REQUEST, "an empty :path [http2/8.1.2.3/1]", change(GET, ":path: /", ":path: ")],
  [REQUEST, "no :method [http2/8.1.2.3/2]", change(GET, ":method: GET\n")],
  [REQUEST, "no :scheme [http2/8.1.2.3/3]", change(GET, ":scheme: https\n")],
  [REQUEST, "no :path [http2/8.1.2.3/4]", change(GET, ":path: /\n")],
  [METHOD, "an empty :method", change(GET, "GET")],
  [METHOD, "an invalid :method", change(GET, "GET", "G T")],
  [SCHEME, "an empty :scheme", change(GET, "https")],
  [SCHEME, "an invalid :scheme", change(GET, "https", "1http")],
  [REQUEST, "neither :authority nor Host", NO_AUTHORITY],
  [REQUEST, "an empty :authority", change(GET, "a.example")],
  [REQUEST, "an empty Host", NO_AUTHORITY + "host: "],
  [REQUEST, ":authority and Host that differ", GET + "host: b.example"],
  [REQUEST, ":authority and Host that differ in the port", GET + "host: a.example:80"],
  [REQUEST, "userinfo in :authority", change(GET, "a.example", "u:p@a.example")],
  [REQUEST, "userinfo in Host", change(GET, ":authority: ", "") + "host: u@a.example"],
  [
    ["RFC 9110 §7.2", "RFC 9110 §7.2"],
    "two Host",
    GET + "host: a.example\nhost: a.example",
  ],
  [REQUEST, "a :path without a slash", change(GET, ":path: /", ":path: a")],
  [REQUEST, "a :path of * without OPTIONS", change(GET, ":path: /", ":path: *")],
  [uri("3.3"), "a :path with a blank", change(GET, ":path: /", ":path: /a b")],
  [uri("3.3"), "a :path with a byte above 0x7e", change(GET, ":path: /", ":path: /\xe9")],
  [uri("3.5"), "a :path with a fragment", change(GET, ":path: /", ":path: /#a")],
  [VALUE, "a :path with NUL", change(GET, ":path: /", ":path: /\0")],
  [uri("3.2"), "an :authority with a slash", change(GET, "a.example", "a.example/b")],
  [uri("3.2"), "an :authority with a blank", change(GET, "a.example", "a b")],
  [VALUE, "an :authority with CR", change(GET, "a.example", "a\rb")],
  [uri("3.2.3"), "an :authority with an invalid port", change(GET, "a.example", "a:x")],
  [PLAIN_CONNECT, "CONNECT with :scheme", ":method: CONNECT\n:scheme: https\n:authority: a:1"],
  [PLAIN_CONNECT, "CONNECT with :path", ":method: CONNECT\n:path: /\n:authority: a:1"],
  [PLAIN_CONNECT, "CONNECT without :authority", ":method: CONNECT\nhost: a:1"],
  [TARGET, "CONNECT without a port", CONNECT_TO + "a.example"],
  [TARGET, "CONNECT to port 0", CONNECT_TO + "a.example:0"],
  [TARGET, "CONNECT to port 65536", CONNECT_TO + "a.example:65536"],
  [TARGET, "CONNECT with userinfo", CONNECT_TO + "u@a.example:1"],
  [PROTOCOL, "extended CONNECT without :scheme", change(WS, ":scheme: https\n")],
  [PROTOCOL, "extended CONNECT without :path", change(WS, /:path.*\n/)],
  [PROTOCOL, "extended CONNECT without :authority", change(WS, /:authority.*\n/) + "host: a"],
  [PROTOCOL, "extended CONNECT with a path without a slash", change(WS, "/chat", "chat")],
  [PROTOCOL, "extended CONNECT with userinfo", change(WS, "a.example", "u@a.example")],
  [PROTOCOL, "extended CONNECT with another Host", WS + "host: b.example"],
  [PROTOCOL, ":protocol without CONNECT", change(WS, "CONNECT", "GET")],
  [PROTOCOL, "an invalid :protocol", change(WS, "websocket", "web socket")],
  [PROTOCOL, "an empty :protocol", change(WS, "websocket")],
];
