// The options of `createProxy` as those of `startProxy`, and what contradicts itself.
import assert from "node:assert/strict";
import { type CreateProxyOptions, createProxyOptions } from "../../src/config/create_options.ts";
import { UsageError } from "../../src/config/error.ts";
import { createMetricsObserver } from "../../src/observe/library.ts";
import { CMUX_DEFAULTS } from "../../src/proxy/cmux.ts";
import type { ProxyOptions } from "../../src/proxy/options.ts";

const PAIR = { certPem: "cert", keyPem: "key" };
const BACKEND = { backend: "ws://127.0.0.1:8080" };
const BASE = { ...PAIR, ...BACKEND };

function read(options: CreateProxyOptions): ProxyOptions {
  return createProxyOptions(options, createMetricsObserver());
}

const anywhere = (port: number) => ({ hostname: "::", port });

const ROWS: { name: string; given: CreateProxyOptions; want: Partial<ProxyOptions> }[] = [
  {
    name: "nothing else",
    given: BASE,
    want: {
      ...{ maxConnections: 1000, idleTimeoutMs: 120_000, keepaliveMs: 30_000, http2: undefined },
      ...{ tunnels: { h1: true, h2: true, h3: true }, cmux: null, routes: null, plain: false },
      ...{ maxMessageBytes: 8 * 1024 * 1024, plainListen: null },
    },
  },
  {
    name: "undefined is as nothing",
    given: { ...BASE, maxConnections: undefined, listenPort: undefined, keepaliveMs: undefined },
    want: { maxConnections: 1000, keepaliveMs: 30_000 },
  },
  {
    name: "listenPort with a certificate",
    given: { ...BASE, listenPort: 9776 },
    want: { listen: anywhere(9776), plainListen: null },
  },
  {
    name: "listenPort with a certificate, beside clear text",
    given: { ...BASE, listenPort: 9776, plainListen: "127.0.0.1:0" },
    want: { listen: anywhere(9776), plainListen: { hostname: "127.0.0.1", port: 0 } },
  },
  {
    name: "listenPort without a certificate",
    given: { ...BACKEND, listenPort: 9776 },
    want: { listen: null, plainListen: anywhere(9776) },
  },
  {
    name: "plainListen alone",
    given: { ...BACKEND, plainListen: "127.0.0.1:9776" },
    want: { listen: null, plainListen: { hostname: "127.0.0.1", port: 9776 } },
  },
  {
    name: "a certificate alone",
    given: BASE,
    want: { listen: anywhere(443) },
  },
  {
    name: "versions and sockets that are off",
    given: { ...BASE, enableHttp2: false, enableWebsockets: false },
    want: { http2: false, tunnels: { h1: false, h2: false, h3: false } },
  },
  {
    name: "numbers",
    given: { ...BASE, maxConnections: 7, idleTimeoutMs: 9000, keepaliveMs: 0, maxSessions: 3 },
    want: { maxConnections: 7, idleTimeoutMs: 9000, keepaliveMs: 0, maxSessions: 3 },
  },
  {
    name: "an idle timeout below the keepalive's default",
    given: { ...BASE, idleTimeoutMs: 9001 },
    want: { keepaliveMs: 4500 },
  },
  {
    name: "cmux as it is",
    given: { ...PAIR, cmux: CMUX_DEFAULTS },
    want: { cmux: CMUX_DEFAULTS, routes: [] },
  },
];

for (const { name, given, want } of ROWS) {
  Deno.test(`createProxy options: ${name}`, () => {
    const all = read(given);
    for (const [key, value] of Object.entries(want)) {
      assert.deepEqual(all[key as keyof ProxyOptions], value, key);
    }
  });
}

Deno.test("createProxy options: headerRoutingEnabled is --cmux, for those who are near", () => {
  const resolvePort = () => null;
  const given = { headerRoutingEnabled: true, workspaceIsolation: false, resolvePort };
  const { cmux, routes } = read({ ...PAIR, ...given });
  const { clients, ...rest } = cmux!;
  const { clients: _, ...defaults } = CMUX_DEFAULTS;
  assert.deepEqual(rest, { ...defaults, workspaceIsolation: false, resolvePort });
  assert.deepEqual(["127.0.0.1", "10.1.2.3", "203.0.113.1"].map(clients!), [true, true, false]);
  // There is nothing else: but beside a backend, what asks for no port is for that.
  assert.deepEqual(routes, []);
  const beside = read({ ...BASE, headerRoutingEnabled: true });
  assert.deepEqual([beside.routes, beside.cmux!.required], [null, false]);
  assert.equal(beside.cmux!.workspaceIsolation, true);
});

const BOTH = "they contradict each other, give one of them";

const FAULTS: { name: string; given: CreateProxyOptions; message: string }[] = [
  {
    name: "listenPort and listen",
    given: { ...BASE, listenPort: 1, listen: ":2" },
    message: `listenPort and listen: ${BOTH}`,
  },
  {
    name: "listenPort and plainListen in clear text",
    given: { ...BACKEND, listenPort: 1, plainListen: ":2" },
    message: `listenPort and plainListen: ${BOTH} where there is no certPem`,
  },
  {
    name: "listen without a certificate",
    given: { ...BACKEND, listen: ":1" },
    message: "listen: TLS and QUIC need certPem and keyPem; plainListen does without",
  },
  {
    name: "half a certificate",
    given: { ...BACKEND, certPem: "cert", listenPort: 1 },
    message: "certPem and keyPem: one is of no use without the other",
  },
  {
    name: "nowhere to listen",
    given: BACKEND,
    message: "listenPort, listen or plainListen: one of them must be given",
  },
  {
    name: "nowhere to go",
    given: PAIR,
    message: "backend, routes or headerRoutingEnabled: one of them must be given",
  },
  {
    name: "two ways to go",
    given: { ...BASE, routes: [] },
    message: `backend and routes: ${BOTH}`,
  },
  {
    name: "HTTP/2 twice",
    given: { ...BASE, enableHttp2: true, http2: true },
    message: `enableHttp2 and http2: ${BOTH}`,
  },
  {
    name: "sockets twice",
    given: { ...BASE, enableWebsockets: true, tunnels: { h1: true, h2: true, h3: true } },
    message: `enableWebsockets and tunnels: ${BOTH}`,
  },
  {
    name: "cmux twice",
    given: { ...BASE, headerRoutingEnabled: false, cmux: CMUX_DEFAULTS },
    message: `headerRoutingEnabled and cmux: ${BOTH}`,
  },
  {
    name: "workspaceIsolation beside cmux",
    given: { ...BASE, workspaceIsolation: false, cmux: CMUX_DEFAULTS },
    message: `workspaceIsolation and cmux: ${BOTH}`,
  },
  {
    name: "workspaceIsolation of nothing",
    given: { ...BASE, workspaceIsolation: true },
    message: "workspaceIsolation: is for headerRoutingEnabled: true alone",
  },
  {
    name: "resolvePort of nothing",
    given: { ...BASE, headerRoutingEnabled: false, resolvePort: () => null },
    message: "resolvePort: is for headerRoutingEnabled: true alone",
  },
  {
    name: "a number that is none",
    given: { ...BASE, maxConnections: NaN },
    message: "maxConnections: NaN is not a number of 0 or more",
  },
  {
    name: "a time before now",
    given: { ...BASE, idleTimeoutMs: -1 },
    message: "idleTimeoutMs: -1 is not a number of 0 or more",
  },
  {
    name: "a port above the last",
    given: { ...BASE, listenPort: 65_536 },
    message: "listenPort: 65536 is not a port, 0 to 65535",
  },
  {
    name: "half a port",
    given: { ...BASE, listenPort: 80.5 },
    message: "listenPort: 80.5 is not a port, 0 to 65535",
  },
];

for (const { name, given, message } of FAULTS) {
  Deno.test(`createProxy options: ${name} is an error`, () => {
    assert.throws(() => read(given), { name: "TypeError", message });
  });
}

Deno.test("createProxy options: an address, a backend or a path that is none is a UsageError", () => {
  for (const wrong of [{ listen: "nowhere" }, { backend: "ftp://a" }, { path: "ws" }]) {
    assert.throws(() => read({ ...BASE, ...wrong }), UsageError);
  }
});
