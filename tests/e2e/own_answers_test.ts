// What the proxy answers by itself is told of once: neither never nor twice.
import assert from "node:assert/strict";
import type { Field } from "../../src/protocol/wire/field.ts";
import { DOOR_IDS, type DoorId, type DoorPeers } from "../support/door_peers.ts";
import { withNamedDoors } from "../support/named_doors.ts";
import { routesFrom } from "../support/named_routes.ts";
import type { TestProxyOptions } from "../support/proxy.ts";
import { until } from "../support/until.ts";

const LOOP: Field = ["via", Array.from({ length: 8 }, () => "1.1 h3ws").join(", ")];
const HTTP: Record<DoorId, string> = { h1: "1.1", h1s: "1.1", h2c: "2", h2: "2", h3: "3" };

interface OwnAnswer {
  name: string;
  options?: TestProxyOptions;
  ask: (peers: DoorPeers, door: DoorId) => Promise<{ status: number }>;
  status: number | ((door: DoorId) => number);
  /** As what it is told. */
  told: "request" | "rejection" | "failure" | "nothing";
  toClientBytes?: number;
}

const DOWN = { dial: { hostname: "127.0.0.1", port: 1 } };
const PATH = { path: { exact: "/ws" } };
const ROUTES = `routes: [{ match: { path: /ws }, backend: "ws://127.0.0.1:1" }]`;

const ROWS: OwnAnswer[] = [
  {
    name: "no route",
    options: PATH,
    ask: (peers, door) => peers.ask(door, { path: "/x?token=secret" }),
    ...{ status: 404, told: "request", toClientBytes: "not found\n".length },
  },
  {
    name: "no route, asked by HEAD",
    options: PATH,
    ask: (peers, door) => peers.ask(door, { path: "/x", method: "HEAD" }),
    ...{ status: 404, told: "request", toClientBytes: 0 },
  },
  {
    name: "a loop",
    ask: (peers, door) => peers.ask(door, { path: "/x", fields: [LOOP] }),
    ...{ status: 508, told: "request", toClientBytes: "Loop detected in proxy\n".length },
  },
  {
    name: "a path that is none",
    options: { routes: routesFrom(ROUTES) },
    ask: (peers, door) => peers.ask(door, { path: "/%00/../ws" }),
    ...{ status: 400, told: "request", toClientBytes: "invalid path\n".length },
  },
  {
    name: "CONNECT",
    ask: (peers, door) => peers.open(door, { protocol: null, authority: "a.example:1" }),
    ...{ status: 501, told: "rejection" },
  },
  {
    name: "a request where there are tunnels alone",
    options: { plain: false },
    ask: (peers, door) => peers.ask(door, { path: "/x" }),
    ...{ status: (door) => HTTP[door] === "1.1" ? 426 : 405, told: "rejection" },
  },
  {
    name: "a backend that is down",
    options: { backend: DOWN },
    ask: (peers, door) => peers.ask(door, { path: "/x" }),
    ...{ status: 502, told: "failure", toClientBytes: "backend unreachable\n".length },
  },
  {
    name: "a health check",
    ask: (peers, door) => peers.ask(door, { path: "/healthz" }),
    ...{ status: 200, told: "nothing" },
  },
];

for (const { name, options = {}, ask, status, told, toClientBytes } of ROWS) {
  Deno.test(`own answers: ${name} is told of once: ${told}`, async () => {
    for (const door of DOOR_IDS) {
      const want = typeof status === "number" ? status : status(door);
      await withNamedDoors(options, async ({ t, peers }) => {
        assert.equal((await ask(peers, door)).status, want, door);
        const { requests, rejections, failures } = t.seen;
        const all = () => [requests.length, rejections.length, failures.length];
        const failed = told === "failure";
        // What failed is an ended request too, of which the log has had its line.
        const once = [told === "request" || failed, told === "rejection", failed].map(Number);
        await until("the record", () => told === "nothing" || all().join() === once.join());
        await peers.close();
        assert.deepEqual(all(), once, door);
        if (told === "rejection") assert.equal(rejections[0].status, want);
        if (told !== "request" && !failed) return;
        const { client, durationMs, ...record } = requests[0];
        assert.equal(record.failed ?? false, failed);
        assert.match(client, /^127\.0\.0\.1:\d+$/);
        assert.ok(durationMs >= 0 && durationMs < 60_000);
        assert.deepEqual([record.http, record.backend, record.status], [HTTP[door], null, want]);
        assert.ok(!record.path.includes("?"), "no query");
        assert.deepEqual([record.toClientBytes, record.broken], [toClientBytes, ""]);
      });
    }
  });
}

Deno.test("own answers: a tunnel whose backend is down is no ordinary request", async () => {
  await withNamedDoors({ backend: DOWN }, async ({ t, peers }) => {
    assert.equal((await peers.open("h2", { path: "/ws" })).status, 502);
    await peers.close();
    assert.deepEqual([t.seen.failures.length, t.seen.requests], [1, []]);
  });
});

Deno.test("own answers: an upgrade with more content than is kept for it is 413, and told of once", async () => {
  await withNamedDoors({}, async ({ t, peers, main }) => {
    const client = await peers.h1("h1");
    const content = "x".repeat(70_000);
    client.send(
      "POST /x HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: foo\r\n" +
        `Content-Length: ${content.length}\r\n\r\n${content}`,
    );
    await client.has("HTTP/1.1 413 ");
    await until("the record", () => t.seen.rejections.length > 0);
    assert.deepEqual(t.seen.rejections, [{ reason: "bad_headers", status: 413, path: "/x" }]);
    assert.deepEqual([t.seen.requests, t.seen.failures, main.requests], [[], [], []]);
  });
});
