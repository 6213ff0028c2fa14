import assert from "node:assert/strict";
import { EVERY_INTERFACE } from "../../src/net/address.ts";
import { UsageError } from "../../src/config/error.ts";
import { type ProxyConfig, proxyFlags, readProxyConfig } from "../../src/config/proxy.ts";

const DEFAULTS: Omit<ProxyConfig, "trustedProxies"> = {
  configFile: null,
  listen: { hostname: EVERY_INTERFACE, port: 443 },
  tcp: true,
  plainListen: null,
  h2cUpgrade: false,
  certFile: "cert.pem",
  keyFile: "key.pem",
  clientCaFile: null,
  proxyProtocol: false,
  backend: {
    tls: false,
    hostname: "127.0.0.1",
    port: 8080,
    unixPath: null,
    agents: null,
    path: null,
    url: "ws://127.0.0.1:8080",
    authority: "127.0.0.1:8080",
  },
  backendCaFile: null,
  backendInsecure: false,
  backendProxyProtocol: null,
  path: { exact: "/ws" },
  upgrades: ["*"],
  plain: false,
  cmux: false,
  websocket: true,
  h2Websocket: true,
  h3Websocket: true,
  altSvcPort: 0,
  metrics: { hostname: "127.0.0.1", port: 9090 },
  metricsGiven: false,
  maxFrameBytes: 1024 * 1024,
  maxMessageBytes: 8 * 1024 * 1024,
  maxSessions: 2000,
  maxSessionsPerClient: 0,
  maxConnections: 1000,
  maxRequestsPerClient: 512,
  maxStreams: 128,
  readTimeoutMs: 120_000,
  writeTimeoutMs: 15_000,
  pingIntervalMs: 0,
  pongTimeoutMs: 20_000,
  dialTimeoutMs: 10_000,
  handshakeTimeoutMs: 10_000,
  maxHeaderBytes: 16 * 1024,
  h2StreamWindowBytes: 256 * 1024,
  h2WindowBytes: 32 * 1024 * 1024,
  idleTimeoutMs: 60_000,
  keepaliveMs: 20_000,
  drainMs: 10_000,
  logLevel: "info",
  logFormat: "auto",
};

Deno.test("proxy config: the defaults", () => {
  const { trustedProxies, ...rest } = readProxyConfig({});
  assert.deepEqual(rest, DEFAULTS);
  assert.equal(trustedProxies("127.0.0.1"), false);
});

Deno.test("proxy config: each flag is read into its field, and each variable", () => {
  const given: Record<string, [text: string, field: keyof ProxyConfig, want: unknown]> = {
    listen: ["[::1]:1", "listen", { hostname: "::1", port: 1 }],
    tcp: ["false", "tcp", false],
    "plain-listen": ["127.0.0.1:80", "plainListen", { hostname: "127.0.0.1", port: 80 }],
    "h2c-upgrade": ["true", "h2cUpgrade", true],
    "client-ca": ["/ca", "clientCaFile", "/ca"],
    "proxy-protocol": ["true", "proxyProtocol", true],
    upgrade: ["WebSocket, foo", "upgrades", ["websocket", "foo"]],
    requests: ["true", "plain", true],
    cmux: ["true", "cmux", true],
    config: ["/y", "configFile", "/y"],
    websocket: ["off", "websocket", false],
    "h2-websocket": ["off", "h2Websocket", false],
    "h3-websocket": ["off", "h3Websocket", false],
    "alt-svc": ["8443", "altSvcPort", 8443],
    "h2-stream-window": ["64KiB", "h2StreamWindowBytes", 65_536],
    "h2-window": ["2MiB", "h2WindowBytes", 2 ** 21],
    cert: ["/c", "certFile", "/c"],
    key: ["/k", "keyFile", "/k"],
    "backend-ca": ["/ca", "backendCaFile", "/ca"],
    "backend-insecure": ["true", "backendInsecure", true],
    "backend-proxy-protocol": ["V2", "backendProxyProtocol", 2],
    path: ["/x", "path", { exact: "/x" }],
    metrics: ["off", "metrics", null],
    "max-frame": ["64KiB", "maxFrameBytes", 65536],
    "max-message": ["1GiB", "maxMessageBytes", 2 ** 30],
    "max-conns": ["5", "maxSessions", 5],
    "max-conns-per-client": ["5", "maxSessionsPerClient", 5],
    "max-requests-per-client": ["0", "maxRequestsPerClient", 0],
    "max-connections": ["6", "maxConnections", 6],
    "max-streams": ["7", "maxStreams", 7],
    "read-timeout": ["1m", "readTimeoutMs", 60_000],
    "write-timeout": ["1ms", "writeTimeoutMs", 1],
    "ping-interval": ["30s", "pingIntervalMs", 30_000],
    "pong-timeout": ["2s", "pongTimeoutMs", 2000],
    "dial-timeout": ["3s", "dialTimeoutMs", 3000],
    "handshake-timeout": ["4s", "handshakeTimeoutMs", 4000],
    "max-header-bytes": ["32KiB", "maxHeaderBytes", 32768],
    "idle-timeout": ["5s", "idleTimeoutMs", 5000],
    keepalive: ["0", "keepaliveMs", 0],
    drain: ["0", "drainMs", 0],
    "log-level": ["error", "logLevel", "error"],
    "log-format": ["json", "logFormat", "json"],
  };
  for (const [name, [text, field, want]] of Object.entries(given)) {
    assert.deepEqual(readProxyConfig({ [name]: text })[field], want, name);
    const variable = `H3WS_${name.toUpperCase().replaceAll("-", "_")}`;
    assert.deepEqual(readProxyConfig({}, { [variable]: text })[field], want, variable);
  }
  const backend = readProxyConfig({ backend: "wss://a.example/x" }).backend;
  assert.equal(backend.url, "wss://a.example/x");
  const names = [...Object.keys(given), "backend", "debug", "trusted-proxies"].sort();
  assert.deepEqual(Object.values(proxyFlags).map((flag) => flag.name).sort(), names);
});

Deno.test("proxy config: whether --metrics is the user's wish", () => {
  assert.equal(readProxyConfig({ metrics: "127.0.0.1:9090" }).metricsGiven, true);
  assert.equal(readProxyConfig({}, { H3WS_METRICS: ":1" }).metricsGiven, true);
  assert.equal(readProxyConfig({ debug: "true" }, { H3WS_DEBUG: "1" }).metricsGiven, false);
});

Deno.test("proxy config: --debug is --log-level debug, as far as it goes before it", () => {
  const cases: [flags: Record<string, string>, env: Record<string, string>, want: string][] = [
    [{ debug: "true" }, {}, "debug"],
    [{}, { H3WS_DEBUG: "1" }, "debug"],
    [{ debug: "true", "log-level": "error" }, {}, "debug"],
    [{ debug: "true" }, { H3WS_LOG_LEVEL: "error" }, "debug"],
    [{ "log-level": "error" }, { H3WS_DEBUG: "1" }, "error"],
    [{ debug: "false" }, { H3WS_DEBUG: "1" }, "info"],
  ];
  for (const [flags, env, want] of cases) {
    assert.equal(readProxyConfig(flags, env).logLevel, want, JSON.stringify([flags, env]));
  }
});

Deno.test("proxy config: a wrong value is a UsageError that names it", () => {
  const wrong: [name: string, value: string][] = [
    ["listen", "443"],
    ["backend", "ftp://127.0.0.1"],
    ["backend-proxy-protocol", "v3"],
    ["path", "^/(a)\\1"],
    ["path", "^("],
    ["max-frame", "0"],
    ["max-conns", "0"],
    ["max-streams", "100000"],
    ["read-timeout", "0"],
    ["dial-timeout", "10"],
    ["max-header-bytes", "1GiB"],
    ["drain", "-1s"],
    ["log-level", "loud"],
    ["backend-insecure", "maybe"],
    ["cert", ""],
  ];
  for (const [name, value] of wrong) {
    assert.throws(() => readProxyConfig({ [name]: value }), (error) => {
      assert.ok(error instanceof UsageError, name);
      assert.equal(error.key, `--${name}`);
      assert.equal(error.value, value);
      assert.ok(error.message.startsWith(`--${name}: "${value}" `), error.message);
      assert.ok(error.message.endsWith(`; allowed: ${error.allowed}`), error.message);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  }
});
