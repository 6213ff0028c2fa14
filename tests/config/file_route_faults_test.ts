import assert from "node:assert/strict";
import { linesFor } from "./file_lines.ts";

/** A route with this in it. */
const route = (yaml: string) => `backend: ws://a\nroutes:\n  - ${yaml}\n`;

const PATH =
  "allowed: a path (/ws), or a regular expression that begins with ^ (^/rooms/[^/]+/ws$)";
const PREFIX = "allowed: a path (/api), which takes /api and all below it";
const REGEXP = "allowed: a regular expression without backreferences, lookaround, \\b and flags";
const HOST =
  "allowed: a name (chat.example), an IP address, or *.example for every name below it; " +
  "without port";
const BALANCE =
  "allowed: round-robin, least-sessions, { hash: ip }, { hash: { header: <name> } }, " +
  "or { hash: { cookie: <name> } }";
const CONDITION =
  "allowed: { name: <field>, value: <text> }, { name, regexp }, or { name, present: " +
  "true or false }";

const ROUTES: [yaml: string, ...want: string[]][] = [
  ["match: { path: ws }", `3:20: routes[0].match.path: "ws" is not a path; ${PATH}`],
  ["match: { path: /ws?x }", `3:20: routes[0].match.path: "/ws?x" has more than a path; ${PATH}`],
  [
    "match: { path: /a/../b }",
    `3:20: routes[0].match.path: "/a/../b" is a path that no request has; ${PATH}, without .., // and \\`,
  ],
  [
    "match: { prefix: /%2e/b }",
    `3:22: routes[0].match.prefix: "/%2e/b" is a path that no request has; ${PREFIX}, without .., // and \\`,
  ],
  [
    "match: { path: '^(a' }",
    '3:20: routes[0].match.path: "^(a" is not a regular expression that can be used ' +
    `(Unterminated group); ${REGEXP}`,
  ],
  [
    "match: { path: '^(a)\\1' }",
    '3:20: routes[0].match.path: "^(a)\\1" is not a regular expression that can be used ' +
    `(backreferences can't be used here); ${REGEXP}`,
  ],
  ["match: { host: 'a:80' }", `3:20: routes[0].match.host: "a:80" is no host; ${HOST}`],
  ["match: { host: [a, '*'] }", `3:24: routes[0].match.host[1]: "*" is no host; ${HOST}`],
  ["match: { host: '*.*.a' }", `3:20: routes[0].match.host: "*.*.a" is no host; ${HOST}`],
  [
    "match: { method: get }",
    '3:22: routes[0].match.method: "get" is no method; allowed: a method in capitals (GET); a ' +
    "WebSocket's is GET",
  ],
  [
    "match: { headers: { name: x, value: a, regexp: b } }",
    `3:23: routes[0].match.headers: is no condition for a header; ${CONDITION}`,
  ],
  [
    "match: { headers: [{ value: a }] }",
    `3:24: routes[0].match.headers[0]: is no condition for a header; ${CONDITION}`,
  ],
  [
    "balance: random",
    `3:14: routes[0].balance: "random" is no way to choose a backend; ${BALANCE}`,
  ],
  ["balance: { hash: x }", `3:14: routes[0].balance: is no way to choose a backend; ${BALANCE}`],
  [
    "limits: { max-conns: 0 }",
    '3:26: routes[0].limits.max-conns: "0" is out of range; allowed: 1 or more',
  ],
  [
    "limits: { max-streams: 1 }",
    "3:15: routes[0].limits.max-streams: is not known; allowed: max-conns, max-frame, " +
    "max-message, read-timeout, write-timeout, ping-interval, pong-timeout, dial-timeout, " +
    "handshake-timeout",
  ],
  [
    "health: { active: { interval: 1ms } }",
    '3:35: routes[0].health.active.interval: "1ms" is out of range; allowed: 100ms to 576h',
  ],
  [
    "allowed-origins: https://a/x",
    '3:22: routes[0].allowed-origins: "https://a/x" is no origin; allowed: an origin as browsers ' +
    "send it (https://app.example, http://localhost:3000), or null",
  ],
  [
    "headers: { request: { set: { Upgrade: x } } }",
    '3:32: routes[0].headers.request.set: has "Upgrade", which is the proxy\'s own to write; ' +
    "allowed: any other field; keep-host is for Host",
  ],
  [
    'headers: { request: { set: { x: "secret\\r\\n" } } }',
    '3:32: routes[0].headers.request.set: has "x", which is no field value; allowed: a field ' +
    "value: visible ASCII, with spaces and tabs only inside",
  ],
  [
    "headers: { response: { remove: [a b] } }",
    '3:37: routes[0].headers.response.remove[0]: "a b" is no field name; allowed: the name of a ' +
    "header field (x-canary)",
  ],
  ["match: { path: /a, prefix: /b }", "3:24: routes[0].match.prefix: can't stand beside path"],
  ["match: { strip: true }", "3:14: routes[0].match.strip: is for a prefix, and there is none"],
  [
    "{ backend: ws://b, backends: [ws://c] }",
    "3:24: routes[0].backends: can't stand beside backend",
  ],
  ["backends: []", "3:5: routes[0].backends: is an empty list"],
  [
    "backends: [ws://b, ws://c, ws://b]",
    "3:32: routes[0].backends[2]: is the same as backends[0]",
  ],
  [
    "{ name: a }\n  - { name: a, match: { path: /b } }",
    "4:7: routes[1].name: is the name of routes[0] already",
  ],
  [
    "match: { path: /a }\n  - match: { path: /a }",
    "4:5: routes[1]: takes what routes[0] takes before it: it would never have a request",
  ],
];

Deno.test("file route faults: each has its place, its key, itself and what would do", () => {
  for (const [yaml, ...want] of ROUTES) assert.deepEqual(linesFor(route(yaml)), want, yaml);
});
