import assert from "node:assert/strict";
import type { RouteConfig } from "../../src/config/file.ts";
import { parseConfig, withFile } from "../../src/config/file.ts";
import { caFilesOf, routesOf } from "../../src/config/file_targets.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import { changedRoutes } from "../../src/proxy/route.ts";
import { Router } from "../../src/proxy/router.ts";

const routesFor = (text: string): readonly RouteConfig[] =>
  parseConfig(text, { file: "h3ws.yaml" }).routes;

Deno.test("file route: the least that a route may be", () => {
  const [route] = routesFor("backend: ws://127.0.0.1:1\nroutes: [{}]\n");
  assert.deepEqual(route, {
    name: "*/*",
    enabled: true,
    match: { hosts: [], path: null, headers: [], methods: [] },
    backends: [],
    backendCaFile: null,
    backendInsecure: null,
    backendProxyProtocol: undefined,
    balance: "round-robin",
    health: {},
    limits: {},
    allowedOrigins: null,
    upgrades: null,
    headers: { request: { set: {}, remove: [] }, response: { set: {}, remove: [] } },
    keepHost: true,
  });
});

Deno.test("file route: all that a route may be", () => {
  const [route] = routesFor(`
routes:
  - name: chat
    enabled: false
    match:
      host: [Chat.Example, "*.Rooms.example", "[2001:DB8::1]"]
      prefix: /api
      strip: true
      headers:
        - { name: X-Canary, value: "1" }
        - { name: User-Agent, regexp: "^Moz" }
        - { name: X-Key }
        - { name: X-No, present: false }
      method: [GET, POST]
    backends: [ws://127.0.0.1:1, wss://b.example/ws]
    backend-ca: /ca.pem
    proxy-protocol: v2
    backend-insecure: true
    balance: { hash: { cookie: sid } }
    health:
      active: { kind: get, path: /live, interval: 5s, timeout: 1s, unhealthy-after: 4, healthy-after: 1 }
      passive: { failures: 5, for: 1m }
    limits: { max-conns: 9, max-frame: 1KiB, read-timeout: 5s, ping-interval: 0, dial-timeout: 1s }
    allowed-origins: [https://App.example, "http://localhost:3000/", "null"]
    upgrades: [WebSocket, foo]
    headers:
      request: { set: { X-Tenant: blue, x-n: 5 }, remove: Cookie }
      response: { remove: [Server, X-Powered-By] }
    keep-host: false
`);
  const { backends, ...rest } = route;
  assert.deepEqual(backends.map(({ url }) => url), ["ws://127.0.0.1:1", "wss://b.example/ws"]);
  assert.deepEqual(rest, {
    name: "chat",
    enabled: false,
    match: {
      hosts: ["chat.example", "*.rooms.example", "2001:db8::1"],
      path: { prefix: "/api", strip: true },
      headers: [
        { name: "x-canary", value: "1" },
        { name: "user-agent", regexp: /^Moz/ },
        { name: "x-key", present: true },
        { name: "x-no", present: false },
      ],
      methods: ["GET", "POST"],
    },
    backendCaFile: "/ca.pem",
    backendInsecure: true,
    backendProxyProtocol: 2,
    balance: { hash: { cookie: "sid" } },
    health: {
      active: {
        kind: "get",
        path: "/live",
        intervalMs: 5000,
        timeoutMs: 1000,
        unhealthyAfter: 4,
        healthyAfter: 1,
      },
      passive: { failures: 5, forMs: 60_000 },
    },
    limits: {
      maxSessions: 9,
      maxFrameBytes: 1024,
      readTimeoutMs: 5000,
      pingIntervalMs: 0,
      dialTimeoutMs: 1000,
    },
    allowedOrigins: ["https://app.example", "http://localhost:3000", "null"],
    upgrades: ["websocket", "foo"],
    headers: {
      request: { set: { "x-tenant": "blue", "x-n": "5" }, remove: ["cookie"] },
      response: { set: {}, remove: ["server", "x-powered-by"] },
    },
    keepHost: false,
  });
});

Deno.test("file route: the short forms", () => {
  const forms: [yaml: string, of: (route: RouteConfig) => unknown, want: unknown][] = [
    ["match: { path: /ws }", ({ match }) => match.path, { exact: "/ws" }],
    ["match: { path: ^/ws/ }", ({ match }) => match.path, { regexp: /^\/ws\// }],
    ["match: { prefix: / }", ({ match }) => match.path, { prefix: "/", strip: false }],
    ["match: { host: a.example }", ({ match }) => match.hosts, ["a.example"]],
    ["match: { method: GET }", ({ match }) => match.methods, ["GET"]],
    ["match: { headers: { name: x } }", ({ match }) => match.headers, [{
      name: "x",
      present: true,
    }]],
    ["balance: least-sessions", ({ balance }) => balance, "least-sessions"],
    ["balance: { hash: ip }", ({ balance }) => balance, { hash: "ip" }],
    ["balance: { hash: { header: X } }", ({ balance }) => balance, { hash: { header: "x" } }],
    ["upgrades: websocket", ({ upgrades }) => upgrades, ["websocket"]],
    ["allowed-origins: https://a", ({ allowedOrigins }) => allowedOrigins, ["https://a"]],
    ["allowed-origins: []", ({ allowedOrigins }) => allowedOrigins, []],
    ["enabled: 'no'", ({ enabled }) => enabled, false],
    ["health: { passive: {} }", ({ health }) => health, {
      passive: { failures: 3, forMs: 30_000 },
    }],
    ["health: { active: {} }", ({ health }) => health.active?.kind, "websocket"],
  ];
  for (const [yaml, of, want] of forms) {
    const [route] = routesFor(`backend: ws://a\nroutes:\n  - ${yaml}\n`);
    assert.deepEqual(of(route), want, yaml);
  }
});

Deno.test("file route: a route has the defaults where it does not say otherwise", () => {
  const routes = routesFor(`
backend: ws://a
defaults:
  limits: { max-frame: 1KiB, max-message: 2KiB }
  health: { passive: { failures: 9 } }
  allowed-origins: https://a.example
  upgrades: websocket
  balance: least-sessions
  keep-host: false
  headers:
    request: { set: { x-a: "1", x-b: "2" }, remove: [cookie] }
routes:
  - {}
  - match: { path: /x }
    limits: { max-frame: 4KiB }
    health: { active: {} }
    allowed-origins: []
    keep-host: true
    headers: { request: { set: { X-A: "3" }, remove: [x-b] } }
`);
  const [first, second] = routes;
  assert.deepEqual(first.limits, { maxFrameBytes: 1024, maxMessageBytes: 2048 });
  assert.deepEqual([first.upgrades, first.balance, first.keepHost], [
    ["websocket"],
    "least-sessions",
    false,
  ]);
  assert.deepEqual(second.limits, { maxFrameBytes: 4096, maxMessageBytes: 2048 });
  assert.deepEqual(Object.keys(second.health).sort(), ["active", "passive"]);
  assert.deepEqual([second.allowedOrigins, second.keepHost], [[], true]);
  assert.deepEqual(second.headers.request, { set: { "x-a": "3" }, remove: ["cookie", "x-b"] });
});

Deno.test("file route: a route without a name is called by what it takes", () => {
  const routes = routesFor(`
backend: ws://a
routes:
  - match: { host: [a.example, b.example], path: /ws }
  - match: { prefix: /api/ }
  - match: { path: "^/rooms/" }
  - match: { host: c.example }
  - match: { prefix: /api, method: POST }
  - name: "*/api/*"
    match: { path: /other }
`);
  assert.deepEqual(routes.map(({ name }) => name), [
    ...["a.example/ws", "*/api/*#2", "*^/rooms/", "c.example/*", "*/api/*#3", "*/api/*"],
  ]);
});

const PLAIN = `
routes:
  - { name: a, match: { path: /a }, backend: "ws://127.0.0.1:1" }
  - { name: b, match: { path: ^/b }, backend: "wss://b.example", backend-ca: /ca.pem }
`;

Deno.test("file route: routes to dial, alike whenever the file is alike", () => {
  const read = (text: string, ca = "PEM", flags: Record<string, string> = {}) => {
    const file = parseConfig(text, { file: "h3ws.yaml" });
    const base = readProxyConfig(flags, withFile(file, {}));
    assert.ok(caFilesOf(file, base).every((name) => name === "/ca.pem"));
    return routesOf(file, base, new Map([["/ca.pem", [ca]]]));
  };
  const [a, b] = read(PLAIN);
  assert.deepEqual(a.backends, [{
    dial: { hostname: "127.0.0.1", port: 1 },
    url: "ws://127.0.0.1:1",
    host: null,
    path: null,
    maxHeaderBytes: 16 * 1024,
  }]);
  assert.deepEqual(b.backends[0].dial.tls?.caCerts, ["PEM"]);
  assert.equal("backendCaFile" in b, false);
  const [own] = read("routes: [{ backend: 'ws://b.example:81/x', keep-host: false }]");
  assert.deepEqual([own.backends[0].host, own.backends[0].path], ["b.example:81", "/x"]);
  // What a route does not say is as in the whole proxy, whoever says it there.
  const bare = "backend: wss://a\nupgrade: foo\nbackend-ca: /ca.pem\nroutes: [{}]\n";
  const [common] = read(bare);
  assert.deepEqual([common.backends[0].url, common.upgrades], ["wss://a", ["foo"]]);
  assert.deepEqual(common.backends[0].dial.tls?.caCerts, ["PEM"]);
  const [flagged] = read(bare, "PEM", { backend: "wss://b", "backend-insecure": "true" });
  assert.deepEqual([flagged.backends[0].url, flagged.backends[0].dial.tls?.insecure], [
    "wss://b",
    true,
  ]);
  // off in a route is another word than none.
  const told = read(
    "backend: http://a\nbackend-proxy-protocol: v2\nroutes: [{ match: { path: /a } }, " +
      "{ match: { path: /b }, proxy-protocol: v1 }, { match: { path: /c }, proxy-protocol: off }]",
  );
  assert.deepEqual(told.map(({ backends: [one] }) => one.proxyProtocol), [2, 1, undefined]);
  assert.equal(new Router([a, b]).routes.length, 2);
  assert.deepEqual(changedRoutes(read(PLAIN), read(PLAIN)).kept.length, 2);
  const { kept, removed, added } = changedRoutes(read(PLAIN), read(PLAIN, "other"));
  assert.deepEqual([kept.length, removed.length, added.length], [1, 1, 1]);
});
