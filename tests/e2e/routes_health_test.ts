// Issue 4, Build 6: health checks take a backend out of its route, and bring it back.
import assert from "node:assert/strict";
import { DOOR_IDS, type DoorPeers, isOpen, say } from "../support/door_peers.ts";
import { RawBackend } from "../support/backend.ts";
import { NamedBackend } from "../support/named_backend.ts";
import { withNamedDoors } from "../support/named_doors.ts";
import { routesFrom } from "../support/named_routes.ts";
import { until } from "../support/until.ts";

/** Which backends get the next requests and sessions. */
async function used(peers: DoorPeers): Promise<string> {
  const seen = new Set<string>();
  for (const door of DOOR_IDS) {
    for (let i = 0; i < 2; i++) {
      const { status, body } = await peers.ask(door, { path: "/x" });
      assert.equal(status, 200, body);
      seen.add(JSON.parse(body).backend);
      const tunnel = await peers.open(door, { path: "/ws" });
      assert.ok(isOpen(tunnel), `${tunnel.status}`);
      seen.add((await say(tunnel, "hi")).split(" ")[0]);
      tunnel.fin();
    }
  }
  return [...seen].sort().join();
}

const ACTIVE = "interval: 100ms, timeout: 1s, unhealthy-after: 2, healthy-after: 2";

Deno.test("health: active by GET: a backend whose answer is none of 200 to 399 gets nothing until it is well", async () => {
  await using a = await NamedBackend.listen("a");
  await using b = await NamedBackend.listen("b");
  const routes = routesFrom(
    `routes: [{ backends: ["${a.url}", "${b.url}"], health: { active: { kind: get, path: /live, ${ACTIVE} } } }]`,
  );
  await withNamedDoors({ routes }, async ({ peers, t }) => {
    await until("checks of both", () => [a, b].every(({ requests }) => requests.length > 0));
    const [{ method, url, fields }] = b.requests;
    assert.deepEqual([method, url], ["GET", "/live"]);
    assert.ok(fields.some(([name, value]) => name === "host" && value === `127.0.0.1:${b.port}`));
    assert.equal(await used(peers), "a,b");
    const open = await peers.open("h2", { path: "/ws" });
    const other = await peers.open("h2", { path: "/ws" });
    b.status = 500;
    await until("b to be down", () => t.seen.backends.length === 1);
    assert.deepEqual(t.seen.backends, [{ url: b.url, up: false }]);
    assert.equal(await used(peers), "a");
    // What is open stays: only new ones go elsewhere.
    const said = [await say(open, "hi"), await say(other, "hi")].sort();
    assert.deepEqual(said, ["a hi", "b hi"]);
    b.status = 304;
    await until("b to be up", () => t.seen.backends.length === 2);
    assert.deepEqual(t.seen.backends[1], { url: b.url, up: true });
    b.status = 200;
    assert.equal(await used(peers), "a,b");
    await peers.close();
    a.drop();
    b.drop();
  });
});

Deno.test("health: active by WebSocket: a backend that is gone gets nothing until it is back", async () => {
  await using a = await NamedBackend.listen("a");
  let b = await NamedBackend.listen("b");
  const { port, url } = b;
  const routes = routesFrom(
    `routes: [{ backends: ["${a.url}", "${url}"], health: { active: { kind: websocket, path: /live, ${ACTIVE} } } }]`,
  );
  try {
    await withNamedDoors({ routes }, async ({ peers, t }) => {
      await until("checks of both", () => [a, b].every(({ requests }) => requests.length > 1));
      assert.equal(b.requests[0].url, "/live");
      // A check ends as a WebSocket should.
      await until("the end of a check", () => b.closes.length > 0);
      assert.equal(b.closes[0].code, 1000);
      assert.equal(await used(peers), "a,b");
      await b.close();
      await until("b to be down", () => t.seen.backends.length === 1);
      assert.deepEqual(t.seen.backends, [{ url, up: false }]);
      assert.equal(await used(peers), "a");
      b = await NamedBackend.listen("b", { port });
      await until("b to be up", () => t.seen.backends.length === 2);
      assert.equal(await used(peers), "a,b");
      await peers.close();
      a.drop();
      b.drop();
    });
  } finally {
    await b.close();
  }
});

Deno.test("health: active: one that takes the connection and says nothing is down after its timeout", async () => {
  const silent = await RawBackend.listen();
  await using a = await NamedBackend.listen("a");
  const routes = routesFrom(
    `routes: [{ backends: ["ws://127.0.0.1:${silent.port}", "${a.url}"],
      health: { active: { interval: 100ms, timeout: 200ms, unhealthy-after: 1 } } }]`,
  );
  try {
    await withNamedDoors({ routes }, async ({ peers, t }) => {
      await until("it to be down", () => t.seen.backends.length === 1);
      const before = silent.connections.length;
      assert.equal(await used(peers), "a");
      // No connection of a check is left behind.
      await until("more checks", () => silent.connections.length > before + 3);
      for (const conn of silent.connections.slice(0, before)) {
        assert.equal((await conn.inbox.rest()).length > 0, true);
      }
      await peers.close();
      a.drop();
    });
  } finally {
    await silent.close();
  }
});

Deno.test("health: all down: one of them is asked all the same", async () => {
  await using a = await NamedBackend.listen("a", { status: 503 });
  const routes = routesFrom(
    `routes: [{ backend: "${a.url}", health: { active: { kind: get, ${ACTIVE} } } }]`,
  );
  await withNamedDoors({ routes }, async ({ peers, t }) => {
    await until("it to be down", () => t.seen.backends.length === 1);
    const tunnel = await peers.open("h2", { path: "/ws" });
    assert.equal(await say(tunnel, "hi"), "a hi");
    await peers.close();
    a.drop();
  });
});

Deno.test("health: passive: failures in a row take a backend out for a while, then it is tried again", async () => {
  await using a = await NamedBackend.listen("a");
  let b = await NamedBackend.listen("b");
  const { port, url } = b;
  const routes = routesFrom(
    `routes: [{ backends: ["${a.url}", "${url}"], health: { passive: { failures: 2, for: 2s } } }]`,
  );
  try {
    await withNamedDoors({ routes }, async ({ peers, t }) => {
      assert.equal(await used(peers), "a,b");
      await b.close();
      // Nobody is failed: a dial that fails leaves it to the next.
      assert.equal(await used(peers), "a");
      assert.deepEqual(t.seen.backends, [{ url, up: false }]);
      b = await NamedBackend.listen("b", { port });
      assert.equal(await used(peers), "a");
      assert.equal(b.connections, 0, "it is left alone");
      await until("its time to be over", () => t.seen.backends.length === 2);
      assert.deepEqual(t.seen.backends[1], { url, up: true });
      assert.equal(await used(peers), "a,b");
      await peers.close();
      a.drop();
      b.drop();
    });
  } finally {
    await b.close();
  }
});
