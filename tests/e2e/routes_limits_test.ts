// Issue 4, Build 6: limits and timeouts that a route has of its own, by every door.
import assert from "node:assert/strict";
import { DOOR_IDS, isOpen, say } from "../support/door_peers.ts";
import { RawBackend } from "../support/backend.ts";
import { fromClient, readClose } from "../support/frames.ts";
import { withNamedDoors } from "../support/named_doors.ts";
import { routesFrom, withRoutes } from "../support/named_routes.ts";
import { until } from "../support/until.ts";

const LIMITS = `
routes:
  - match: { path: /small }
    backend: "ws://$small"
    limits: { max-message: 100, max-conns: 1 }
  - match: { path: /large }
    backend: "ws://$large"
`;

Deno.test("routes: max-message and max-conns of one route are not those of another", async () => {
  await withRoutes(LIMITS, async ({ peers, t }) => {
    for (const door of DOOR_IDS) {
      const small = await peers.open(door, { path: "/small" });
      assert.ok(isOpen(small), door);
      const full = await peers.open(door, { path: "/small" });
      assert.deepEqual([full.status, full.body], [503, "too many connections\n"], door);
      assert.equal(full.get("retry-after"), "5");
      const large = await peers.open(door, { path: "/large" });
      for (const tunnel of [large, await peers.open(door, { path: "/large" })]) {
        const long = "x".repeat(200);
        assert.equal(await say(tunnel, long), `large ${long}`);
        tunnel.fin();
      }
      small.send(fromClient.text("x".repeat(101)));
      assert.equal(readClose(await small.inbox.frame()).code, 1009, door);
      small.fin();
      await until("the end of the session", () => t.proxy.sessions === 0);
    }
    const limited = t.seen.closed.filter(({ by }) => by === "proxy:limit");
    assert.deepEqual(limited.map(({ path }) => path), DOOR_IDS.map(() => "/small"));
  });
});

Deno.test("routes: ordinary requests are no sessions: they are not counted among max-conns", async () => {
  const text = 'routes: [{ backend: "ws://$main", limits: { max-conns: 1 } }]';
  await withRoutes(text, async ({ t, peers, backends }) => {
    // One that is under way.
    const client = await peers.h1("h1");
    client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n");
    await until("the request at the backend", () => backends.get("main").connections === 1);
    const tunnel = await peers.open("h2", { path: "/ws" });
    assert.ok(isOpen(tunnel), String(tunnel.status));
    client.send("hi");
    await client.has("\r\n\r\n");
    assert.equal((await peers.ask("h2")).status, 200);
    assert.equal((await peers.open("h2", { path: "/ws" })).status, 503);
    assert.equal(t.proxy.sessions, 1);
    tunnel.fin();
  });
});

Deno.test("routes: read-timeout of one route ends its silent sessions, and no others", async () => {
  const text = `
routes:
  - { match: { path: /short }, backend: "ws://$short", limits: { read-timeout: 200ms } }
  - { match: { path: /long }, backend: "ws://$long" }
`;
  await withRoutes(text, async ({ peers, t }) => {
    const long = await Promise.all(DOOR_IDS.map((door) => peers.open(door, { path: "/long" })));
    for (const door of DOOR_IDS) {
      const short = await peers.open(door, { path: "/short" });
      assert.equal(await say(short, "hi"), "short hi");
      const startedMs = performance.now();
      const { code, reason } = readClose(await short.inbox.frame());
      assert.deepEqual([code, reason], [1001, "idle"], door);
      assert.ok(performance.now() - startedMs > 150, "not before its time");
      short.fin();
    }
    for (const tunnel of long) {
      assert.equal(await say(tunnel, "hi"), "long hi");
      tunnel.fin();
    }
    const idle = t.seen.closed.filter(({ by }) => by === "proxy:idle");
    assert.deepEqual(idle.map(({ path }) => path), DOOR_IDS.map(() => "/short"));
  });
});

Deno.test("routes: handshake-timeout of a route: 504 for a backend that says nothing", async () => {
  const silent = await RawBackend.listen();
  const routes = routesFrom(
    `routes: [{ backend: "ws://127.0.0.1:${silent.port}", limits: { handshake-timeout: 200ms } }]`,
  );
  try {
    await withNamedDoors({ routes }, async ({ peers, t }) => {
      for (const door of DOOR_IDS) {
        const tunnel = await peers.open(door, { path: "/ws" });
        assert.deepEqual([tunnel.status, tunnel.body], [504, "backend too slow\n"], door);
      }
      assert.equal(t.seen.failures.length, DOOR_IDS.length);
    });
  } finally {
    await silent.close();
  }
});
