import assert from "node:assert/strict";
import { registerGauge } from "../../src/observe/metrics.ts";
import { Registry } from "../../src/observe/registry.ts";
import { type Readiness, startAdminServer } from "../../src/observe/server.ts";
import { parsePromText, valueOf } from "./prom_text.ts";

const STATS = {
  totalRequests: 7,
  activeConnections: 3,
  websocketConnections: 2,
  http2Connections: 1,
  http3Connections: 1,
  bytesTransferred: 99,
};

interface Running {
  url: string;
  port: number;
  state: { readiness: Readiness };
  registry: Registry;
  failures: unknown[];
}

async function withServer(run: (server: Running) => Promise<void>): Promise<void> {
  const registry = new Registry();
  registerGauge({ registry, name: "up", help: "Up" }, () => [[{}, 1]]);
  const state: { readiness: Readiness } = { readiness: "starting" };
  const failures: unknown[] = [];
  const server = startAdminServer({
    address: { hostname: "127.0.0.1", port: 0 },
    registry,
    readiness: () => state.readiness,
    stats: () => STATS,
    failed: (error) => failures.push(error),
  })!;
  try {
    const url = `http://${server.hostname}:${server.port}`;
    await run({ url, port: server.port, state, registry, failures });
  } finally {
    await server.close();
  }
}

Deno.test("the admin server answers its paths", async () => {
  await withServer(async ({ url, state }) => {
    const table: { method?: string; path: string; readiness?: Readiness; want: string }[] = [
      { path: "/healthz", want: "200 ok" },
      { path: "/healthz", readiness: "draining", want: "200 ok" },
      { path: "/stats", want: `200 ${JSON.stringify(STATS)}` },
      { path: "/readyz", readiness: "starting", want: "503 starting" },
      { path: "/readyz", readiness: "ready", want: "200 ready" },
      { path: "/readyz?verbose", readiness: "ready", want: "200 ready" },
      { path: "/readyz", readiness: "draining", want: "503 draining" },
      { path: "/", want: "404 not found" },
      { path: "/metrics/", want: "404 not found" },
      { method: "POST", path: "/nothing", want: "404 not found" },
      { method: "POST", path: "/metrics", want: "405 method not allowed" },
      { method: "DELETE", path: "/readyz", want: "405 method not allowed" },
      { method: "OPTIONS", path: "/healthz", want: "405 method not allowed" },
    ];
    for (const { method = "GET", path, readiness = "ready", want } of table) {
      state.readiness = readiness;
      const response = await fetch(url + path, { method });
      const name = `${method} ${path} ${readiness}`;
      assert.equal(`${response.status} ${(await response.text()).trimEnd()}`, want, name);
      assert.equal(response.headers.get("allow"), response.status === 405 ? "GET, HEAD" : null);
    }
  });
});

Deno.test("/metrics is the text format, and cannot be cached", async () => {
  await withServer(async ({ url }) => {
    const response = await fetch(`${url}/metrics`);
    assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.equal(valueOf(parsePromText(await response.text()), "up"), 1);
  });
});

Deno.test("HEAD is answered as GET, without a body", async () => {
  await withServer(async ({ url, state }) => {
    state.readiness = "draining";
    for (const [path, status] of [["/metrics", 200], ["/readyz", 503], ["/x", 404]] as const) {
      const head = await fetch(url + path, { method: "HEAD" });
      const get = await fetch(url + path);
      assert.equal(head.status, status);
      assert.equal(await head.text(), "");
      for (const name of ["content-type", "content-length"]) {
        assert.equal(head.headers.get(name), get.headers.get(name), `${path} ${name}`);
      }
      await get.body?.cancel();
    }
  });
});

Deno.test("a metric that throws is a 500 that is told", async () => {
  await withServer(async ({ url, registry, failures }) => {
    registerGauge({ registry, name: "broken", help: "Broken" }, () => {
      throw new Error("broken metric");
    });
    const response = await fetch(`${url}/metrics`);
    assert.equal(response.status, 500);
    assert.equal(await response.text(), "internal error\n");
    assert.match(String(failures[0]), /broken metric/);
  });
});

Deno.test("RFC 9112 §3.2: an invalid Host is a 400, and nobody's failure", async () => {
  await withServer(async ({ port, failures }) => {
    for (const target of ["/healthz", "http://[/healthz"]) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.write(new TextEncoder().encode(`GET ${target} HTTP/1.1\r\nHost: a b\r\n\r\n`));
      const answer = new Uint8Array(1000);
      const length = await conn.read(answer);
      conn.close();
      assert.match(new TextDecoder().decode(answer.subarray(0, length ?? 0)), /^HTTP\/1\.1 400 /);
    }
    assert.deepEqual(failures, []);
  });
});

Deno.test("off means that there is no server", () => {
  const server = startAdminServer({
    address: null,
    registry: new Registry(),
    readiness: () => "ready",
    stats: () => STATS,
    failed: () => {},
  });
  assert.equal(server, null);
});

Deno.test("an address that is taken is told in one line", async () => {
  await withServer(({ port }) => {
    const start = (hostname: string) => () =>
      startAdminServer({
        address: { hostname, port },
        registry: new Registry(),
        readiness: () => "ready",
        stats: () => STATS,
        failed: () => {},
      });
    assert.throws(start("127.0.0.1"), (error: Error) => {
      assert.equal(error.message, `Cannot listen on TCP 127.0.0.1:${port}: the address is in use`);
      assert.ok(error.cause instanceof Deno.errors.AddrInUse);
      return true;
    });
    assert.throws(start("192.0.2.1"), /Cannot listen on TCP 192\.0\.2\.1:\d+: not an address/);
    return Promise.resolve();
  });
});

Deno.test("close does not wait for clients that keep a connection open", async () => {
  const idle: Deno.Conn[] = [];
  const before = performance.now();
  await withServer(async ({ port }) => {
    for (const request of ["", "GET /met", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"]) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      idle.push(conn);
      await conn.write(new TextEncoder().encode(request));
    }
    await idle[2].read(new Uint8Array(1000));
  });
  for (const conn of idle) conn.close();
  assert.ok(performance.now() - before < 5000);
});

Deno.test("close waits a second for answers under way, no longer", async () => {
  const registry = new Registry();
  let scraped = () => {};
  const begun = new Promise<void>((resolve) => scraped = resolve);
  let finish = () => {};
  const stuck = new Promise<void>((resolve) => finish = resolve);
  registry.add("slow", ({ Gauge }, registry) => {
    new Gauge({
      name: "slow",
      help: "Slow",
      registers: [registry],
      collect: () => {
        scraped();
        return stuck;
      },
    });
  });
  const server = startAdminServer({
    address: { hostname: "127.0.0.1", port: 0 },
    registry,
    readiness: () => "ready",
    stats: () => STATS,
    failed: () => {},
  })!;
  const answer = fetch(`http://127.0.0.1:${server.port}/metrics`).then(
    (response) => response.body?.cancel(),
    () => {},
  );
  await begun;
  const before = performance.now();
  await server.close();
  const took = performance.now() - before;
  finish();
  await answer;
  assert.ok(took > 900 && took < 5000, `${took} ms`);
});
