import assert from "node:assert/strict";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { ActiveHealth, HealthRules } from "../../src/proxy/route.ts";
import { type BackendStatus, Upstream } from "../../src/proxy/upstream.ts";
import { RawBackend } from "../support/backend.ts";
import { until } from "../support/until.ts";
import { WsBackend } from "../support/ws_backend.ts";
import { requestFor, routeFor, targetAt } from "./routes.ts";

const ACTIVE: ActiveHealth = {
  kind: "websocket",
  path: "/live",
  intervalMs: 30,
  timeoutMs: 300,
  unhealthyAfter: 2,
  healthyAfter: 2,
};

/** An upstream of these ports, which is stopped afterwards, and what it told. */
async function withUpstream(
  ports: readonly number[],
  health: HealthRules,
  body: (upstream: Upstream, told: BackendStatus[], sweeper: Sweeper) => Promise<void> | void,
): Promise<void> {
  const sweeper = new Sweeper(5);
  const told: BackendStatus[] = [];
  const route = routeFor("r", {}, { backends: ports.map(targetAt), health });
  const upstream = new Upstream(route, { sweeper, onChange: (_, status) => told.push(status) });
  try {
    upstream.start();
    await body(upstream, told, sweeper);
  } finally {
    upstream.stop();
    sweeper.stop();
  }
}

const portsOf = (upstream: Upstream) => upstream.order(requestFor()).map(({ dial }) => dial.port);
const downsOf = (upstream: Upstream) =>
  upstream.statuses.filter(({ up }) => !up).map(({ url, reason }) => `${url} ${reason}`);

Deno.test("upstream: sessions are counted by backend, each until it is over once", () =>
  withUpstream([1, 2], {}, (upstream) => {
    const [one, two] = upstream.route.backends;
    const [first, second, other] = [one, one, two].map((target) => upstream.take(target));
    const counts = () => upstream.statuses.map(({ sessions }) => sessions);
    assert.deepEqual([upstream.sessions, ...counts()], [3, 2, 1]);
    first();
    first();
    assert.deepEqual([upstream.sessions, ...counts()], [2, 1, 1]);
    second();
    other();
    assert.deepEqual([upstream.sessions, ...counts()], [0, 0, 0]);
  }));

Deno.test("upstream: round-robin takes turns", () =>
  withUpstream([1, 2], {}, (upstream) => {
    assert.deepEqual([1, 2, 3].map(() => portsOf(upstream)[0]), [1, 2, 1]);
  }));

Deno.test("upstream: passive: so many failures in a row take a backend down for a while", () =>
  withUpstream([1, 2], { passive: { failures: 2, forMs: 80 } }, async (upstream, told, sweeper) => {
    const [one] = upstream.route.backends;
    upstream.failed(one, "Cannot dial");
    upstream.succeeded(one);
    upstream.failed(one, "Cannot dial");
    assert.deepEqual([downsOf(upstream), told.length], [[], 0]);
    upstream.failed(one, "Cannot dial it");
    assert.deepEqual(downsOf(upstream), [`${one.url} Cannot dial it`]);
    assert.deepEqual([portsOf(upstream), portsOf(upstream)], [[2, 1], [2, 1]]);
    await until("the end of the time", () => told.length === 2);
    assert.deepEqual(told.map(({ up }) => up), [false, true]);
    assert.equal(sweeper.size, 0);
    // Once more is enough after that.
    upstream.failed(one, "again");
    assert.deepEqual(downsOf(upstream), [`${one.url} again`]);
    upstream.succeeded(one);
    assert.deepEqual(downsOf(upstream), []);
  }));

Deno.test("upstream: without passive checks failures take nothing down", () =>
  withUpstream([1], {}, (upstream) => {
    for (let i = 0; i < 10; i++) upstream.failed(upstream.route.backends[0], "x");
    assert.deepEqual(downsOf(upstream), []);
  }));

Deno.test("upstream: active: a WebSocket handshake on the path, ended with Close 1000", async () => {
  await using backend = await WsBackend.listen();
  await withUpstream([backend.port], { active: ACTIVE }, async (upstream) => {
    const peer = await backend.accept();
    assert.equal(peer.request.url, "/live");
    assert.equal(peer.request.headers.host, `127.0.0.1:${backend.port}`);
    assert.equal((await peer.closed).code, 1000);
    await backend.accept();
    assert.deepEqual(downsOf(upstream), []);
  });
});

Deno.test("upstream: active: nobody there, then somebody, then nobody again", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  await withUpstream([port], { active: { ...ACTIVE, kind: "get" } }, async (upstream, told) => {
    await until("down", () => told.length === 1);
    assert.match(downsOf(upstream)[0], /refused/i);
    const paths: string[] = [];
    const server = Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, (request) => {
      paths.push(`${request.method} ${new URL(request.url).pathname}`);
      return new Response("fine", { status: paths.length > 6 ? 503 : 200 });
    });
    await until("up again", () => told.length === 2);
    assert.deepEqual(new Set(paths), new Set(["GET /live"]));
    assert.deepEqual(downsOf(upstream), []);
    await until("down by its answer", () => told.length === 3);
    assert.match(downsOf(upstream)[0], / it answered 503$/);
    await server.shutdown();
  });
});

const BAD: [name: string, kind: ActiveHealth["kind"], answer: string | null, reason: RegExp][] = [
  ["a refusal", "websocket", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", /answered 404/],
  [
    "a wrong Accept",
    "websocket",
    "HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n\r\n",
    /Accept/,
  ],
  ["no HTTP", "get", "SSH-2.0-OpenSSH\r\n\r\n", /./],
  ["an answer that never ends", "get", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}`, /./],
  ["a 101 that nobody asked for", "get", "HTTP/1.1 101 S\r\n\r\n", /101/],
  ["silence", "get", null, /no answer within 300 ms/],
  ["silence at a handshake", "websocket", null, /no answer within 300 ms/],
  ["an end before an answer", "get", "", /closed/],
];

for (const [name, kind, answer, reason] of BAD) {
  Deno.test(`upstream: active (${kind}): ${name} takes it down`, async () => {
    await using backend = answering(answer);
    const active = { ...ACTIVE, kind, unhealthyAfter: 1 };
    await withUpstream([backend.port], { active }, async (upstream, told) => {
      await until("down", () => told.length === 1);
      assert.match(downsOf(upstream)[0], reason);
    });
  });
}

/** Reads a request, says this and ends; says nothing and waits where it is `null`. */
function answering(answer: string | null): AsyncDisposable & { port: number } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conns: Deno.Conn[] = [];
  const answerOne = async (conn: Deno.Conn) => {
    conns.push(conn);
    await conn.read(new Uint8Array(4096));
    if (answer === null) return;
    await conn.write(new TextEncoder().encode(answer));
    await conn.closeWrite();
  };
  const served = (async () => {
    for await (const conn of listener) await answerOne(conn).catch(() => {});
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await served;
      for (const conn of conns) conn.close();
    },
  };
}

Deno.test({
  name: "upstream: active: a GET over a unix socket, with localhost as its Host",
  ignore: Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    const unixPath = `${folder}/b.sock`;
    const asked = Promise.withResolvers<string | null>();
    const server = Deno.serve({ path: unixPath, onListen() {} }, (request) => {
      asked.resolve(request.headers.get("host"));
      return new Response("fine");
    });
    const sweeper = new Sweeper(5);
    const target = {
      ...targetAt(1),
      dial: { hostname: "localhost", port: 0, unixPath },
      url: `ws+unix:${unixPath}`,
    };
    const health = { active: { ...ACTIVE, kind: "get" as const } };
    const upstream = new Upstream(routeFor("r", {}, { backends: [target], health }), { sweeper });
    upstream.start();
    assert.equal(await asked.promise, "localhost");
    upstream.stop();
    sweeper.stop();
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test("upstream: a reload keeps what is known of a backend with the same URL", () =>
  withUpstream([1, 2], { passive: { failures: 1, forMs: 60_000 } }, (upstream, _, sweeper) => {
    upstream.failed(upstream.route.backends[1], "gone");
    const { health } = upstream.route;
    const route = routeFor("next", {}, { backends: [targetAt(2), targetAt(3)], health });
    const next = new Upstream(route, { sweeper, from: upstream });
    assert.deepEqual(next.statuses.map(({ up }) => up), [false, true]);
    next.stop();
  }));

Deno.test("upstream: stop ends the checks under way, and no timer is left", async () => {
  const backend = await RawBackend.listen();
  await withUpstream(
    [backend.port],
    { active: { ...ACTIVE, timeoutMs: 60_000 } },
    async (upstream, _, sweeper) => {
      const conn = await backend.accept();
      await conn.request();
      upstream.stop();
      await until("no deadline", () => sweeper.size === 0);
      assert.deepEqual(downsOf(upstream), []);
    },
  );
  await backend.close();
});
