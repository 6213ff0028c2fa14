import assert from "node:assert/strict";
import { join } from "node:path";
import { LinearRegExp } from "../../src/proxy/linear_regexp.ts";
import { CMUX_DEFAULTS } from "../../src/proxy/cmux.ts";
import { ConfigFileError, parseConfig, parseConfigBytes, withFile } from "../../src/config/file.ts";
import { fileJsonSchema, TOP_KINDS } from "../../src/config/file_schema.ts";
import { envName } from "../../src/config/flags.ts";
import { proxyFlags, readProxyConfig } from "../../src/config/proxy.ts";

const parse = (text: string, env: Record<string, string> = {}, file = "h3ws.yaml") =>
  parseConfig(text, { file, env });

Deno.test("file: nothing at all is a file of nothing", () => {
  for (const text of ["", "\n", "# only a comment\n", "---\n", "{}", "\ufeff"]) {
    const { faultAt, ...said } = parse(text);
    const { key, problem } = faultAt(["listen"], { problem: "is missing", allowed: null });
    assert.deepEqual([key, problem], ["listen", "is missing"]);
    assert.deepEqual(said, {
      file: "h3ws.yaml",
      flags: {},
      certificates: [],
      routes: [],
      hasRoutes: false,
      cmux: null,
      tunnel: { gateway: null, agent: null },
      written: {},
      named: {
        pairs: [{ cert: null, key: null }, { cert: null, key: null }],
        ...{ cas: [], ports: null, users: null },
      },
    });
  }
});

Deno.test("file: each flag of the proxy is a key, and its value reaches the config", () => {
  const given: Record<string, [yaml: string, field: keyof typeof proxyFlags, want: unknown]> = {
    listen: ["127.0.0.1:1", "listen", { hostname: "127.0.0.1", port: 1 }],
    metrics: ["off", "metrics", null],
    "max-conns": ["5", "maxSessions", 5],
    "max-frame": ["65536", "maxFrameBytes", 65536],
    "max-message": ["1.5MiB", "maxMessageBytes", 1572864],
    "read-timeout": ["1m30s", "readTimeoutMs", 90_000],
    keepalive: ["0", "keepaliveMs", 0],
    "backend-insecure": ["true", "backendInsecure", true],
    "log-level": ["error", "logLevel", "error"],
    path: ["^/a$", "path", { regexp: new LinearRegExp("^/a$") }],
    "backend-proxy-protocol": ["v1", "backendProxyProtocol", 1],
    "backend-ca": ['""', "backendCaFile", null],
  };
  for (const [name, [yaml, field, want]] of Object.entries(given)) {
    const env = withFile(parse(`${name}: ${yaml}\n`), {});
    assert.deepEqual((readProxyConfig({}, env) as unknown as Record<string, unknown>)[field], want);
  }
  for (const { name } of Object.values(proxyFlags)) {
    // A file does not name another, and has a section for cmux.
    assert.equal(Object.hasOwn(TOP_KINDS, name), name !== "config" && name !== "cmux", name);
  }
});

Deno.test("file: the log section is the same as its two flags", () => {
  const { flags } = parse("log:\n  level: debug\n  format: json\n");
  assert.deepEqual(flags, { "log-level": "debug", "log-format": "json" });
});

Deno.test("file: flags and the environment go before it, an empty variable does not", () => {
  const config = parse("max-frame: 64KiB\nmetrics: ':9999'\nmax-conns: 7\n");
  const env = withFile(config, { H3WS_MAX_FRAME: "32KiB", H3WS_MAX_CONNS: "", H3WS_METRICS: "" });
  const read = readProxyConfig({ "max-message": "1KiB" }, env);
  assert.deepEqual(
    [read.maxFrameBytes, read.maxSessions, read.maxMessageBytes, read.metrics],
    [32768, 7, 1024, null],
  );
  assert.equal(readProxyConfig({ "max-frame": "1KiB" }, env).maxFrameBytes, 1024);
  assert.equal(envName("max-frame"), "H3WS_MAX_FRAME");
});

Deno.test("file: paths lead from the folder of the file", () => {
  const config = parse(
    `cert: c.pem
key: /abs/k.pem
backend: wss://b.example
routes: [{ backend-ca: ../ca.pem }]
cmux: { map-file: ports.json }
`,
    {},
    join("etc", "h3ws", "h3ws.yaml"),
  );
  assert.deepEqual([config.flags.cert, config.flags.key, config.flags.backend], [
    join("etc", "h3ws", "c.pem"),
    "/abs/k.pem",
    "wss://b.example",
  ]);
  assert.equal(config.routes[0].backendCaFile, join("etc", "ca.pem"));
  assert.equal(config.cmux?.mapFile, join("etc", "h3ws", "ports.json"));
  const { certificates } = parse("certificates: [{ cert: a, key: b }, { cert: /c, key: /d }]");
  assert.deepEqual(certificates, [
    { certFile: "a", keyFile: "b" },
    { certFile: "/c", keyFile: "/d" },
  ]);
});

Deno.test("file: lists are what a flag has with commas", () => {
  const { flags } = parse("trusted-proxies: [10.0.0.0/8, private]\nupgrade: [websocket, foo]\n");
  assert.deepEqual(flags, {
    "trusted-proxies": "10.0.0.0/8,private",
    upgrade: "websocket,foo",
  });
});

Deno.test("file: variables, with a default, twice in a text, and none", () => {
  const text = `listen: "\${HOST:-127.0.0.1}:\${PORT}"
max-conns: \${N:-12}
path: "/$\${x}"
cert: "\${EMPTY:-c.pem}"
backend-ca: "\${EMPTY}"
`;
  const { flags } = parse(text, { PORT: "8443", EMPTY: "" });
  assert.deepEqual(flags, {
    listen: "127.0.0.1:8443",
    "max-conns": "12",
    path: "/${x}",
    cert: "c.pem",
    "backend-ca": "",
  });
});

Deno.test("file: what comes from a variable is one text, whatever is in it", () => {
  const config = parse(
    "backend: ws://a\nroutes: [{ headers: { request: { set: { x-a: '${A}' } } } }]\n",
    { A: "b, x-c: ${LISTEN} # {}" },
  );
  assert.deepEqual(config.routes[0].headers.request.set, { "x-a": "b, x-c: ${LISTEN} # {}" });
});

Deno.test("file: anchors, aliases and merge keys", () => {
  const { routes } = parse(`
x-limits: &limits { max-frame: 1KiB, max-message: 2KiB }
backend: &b ws://127.0.0.1:1
routes:
  - limits: *limits
  - match: { path: /x }
    backends: [*b]
    limits: { <<: *limits, max-frame: 4KiB }
`);
  assert.deepEqual(routes.map(({ limits }) => limits), [
    { maxFrameBytes: 1024, maxMessageBytes: 2048 },
    { maxFrameBytes: 4096, maxMessageBytes: 2048 },
  ]);
});

Deno.test("file: the cmux section holds what differs from the defaults", () => {
  assert.deepEqual(parse("cmux: {}").cmux, {
    enabled: true,
    portTable: null,
    mapFile: null,
    ttlMs: null,
  });
  const { cmux } = parse(`
cmux:
  enabled: false
  header-routing: false
  upstream-host: 127.0.0.2
  domains: [cmux.local, dev.example]
  allow-ports: [3000, 4000-4100]
  clients: [loopback, 10.0.0.0/8]
  map: { web.80: 32768, db.5432: "172.17.0.2:5432" }
  ttl: 5s
`);
  const { portTable, clients, ...rest } = cmux!;
  assert.deepEqual(rest, {
    enabled: false,
    headerRouting: false,
    upstreamHost: "127.0.0.2",
    domains: ["cmux.local", "dev.example"],
    ports: [[3000, 3000], [4000, 4100]],
    mapFile: null,
    ttlMs: 5000,
  });
  assert.deepEqual([clients!("127.0.0.1"), clients!("192.0.2.1")], [true, false]);
  assert.equal(portTable!({ kind: "container", name: "web", port: 80 }), 32768);
  const known = Object.keys(CMUX_DEFAULTS);
  for (const name of Object.keys(rest)) {
    assert.ok(known.includes(name) || ["enabled", "mapFile", "ttlMs"].includes(name), name);
  }
});

Deno.test("file: its paths lead from its folder, and what is not in UTF-8 is told", () => {
  const file = join("some", "h3ws.yaml");
  const { flags } = parseConfigBytes(new TextEncoder().encode("cert: c.pem\r\n"), { file });
  assert.deepEqual(flags, { cert: join("some", "c.pem") });
  assert.throws(() => parseConfigBytes(Uint8Array.of(0x61, 0xff), { file }), (error) => {
    assert.ok(error instanceof ConfigFileError);
    assert.equal(error.message, `${file}:1:1: is not in UTF-8`);
    return true;
  });
});

Deno.test("file: the JSON schema knows every key, and leaves no trace of how it was made", () => {
  const schema = fileJsonSchema();
  assert.equal(schema.$schema, "https://json-schema.org/draft/2020-12/schema");
  assert.equal(schema.additionalProperties, false);
  const properties = schema.properties as Record<string, Record<string, unknown>>;
  const sections = [
    "certificates",
    "log",
    "defaults",
    "routes",
    "cmux",
    "proxy",
    "gateway",
    "client",
  ];
  const names = [...Object.keys(TOP_KINDS), ...sections];
  assert.deepEqual(Object.keys(properties).sort(), names.sort());
  assert.equal(properties.listen.default, ":443");
  assert.deepEqual((properties.tcp.anyOf as unknown[])[0], { enum: ["on", "off", true, false] });
  assert.deepEqual((properties["log-format"].anyOf as unknown[])[0], {
    enum: ["auto", "text", "json"],
  });
  assert.equal(properties["max-conns"].description, proxyFlags.maxSessions.meaning);
  const text = JSON.stringify(schema);
  assert.doesNotMatch(text, /oneOrMore/);
  const route = (properties.routes.items as typeof schema).properties as typeof properties;
  assert.deepEqual(Object.keys((route.match.properties ?? {}) as object), [
    ...["host", "path", "prefix", "strip", "headers", "method"],
  ]);
  // One backend, or a list of them.
  assert.equal((route.backends.anyOf as unknown[]).length, 2);
  assert.equal(route.name.type, "string");
});
