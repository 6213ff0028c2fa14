// One client does not take the places of all: 429 for what it asks beyond its own, 503 where there
// is no place left at a backend.
import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { DOOR_IDS, isOpen } from "../support/door_peers.ts";
import { h2Get } from "../support/h2_frames.ts";
import { withNamedDoors } from "../support/named_doors.ts";
import { routesFrom } from "../support/named_routes.ts";
import { until } from "../support/until.ts";

/** At once to one backend. */
const CONNECTIONS = 1024;

/** A backend that answers when it is told to; `drop` ends what the proxy keeps for the next request. */
async function withHolding(
  body: (holding: { url: string; held: ServerResponse[]; drop(): void }) => Promise<void>,
): Promise<void> {
  const held: ServerResponse[] = [];
  const server = createServer((_, response) => held.push(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const drop = () => server.closeAllConnections();
    await body({ url: `ws://127.0.0.1:${port}`, held, drop });
  } finally {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

Deno.test("client shares: by every door: 429 with Retry-After beyond --max-requests-per-client, until one is answered", async () => {
  await withHolding(async ({ url, held, drop }) => {
    const routes = routesFrom(`routes: [{ backend: "${url}" }]`);
    for (const door of DOOR_IDS) {
      await withNamedDoors({ routes, maxRequestsPerClient: 2 }, async ({ t, peers }) => {
        held.length = 0;
        const under = [peers.ask(door, { path: "/1" }), peers.ask(door, { path: "/2" })];
        await until("both at the backend", () => held.length === 2);
        const refused = await peers.ask(door, { path: "/3" });
        assert.deepEqual([refused.status, refused.body], [429, "too many requests at once\n"]);
        assert.deepEqual(refused.fields.find(([name]) => name === "retry-after")?.[1], "5");
        await until("the record", () => t.seen.requests.length === 1);
        assert.deepEqual([t.seen.requests[0].status, t.seen.requests[0].backend], [429, null]);
        held[0].end("one");
        await until("an answer", () => t.seen.requests.length === 2);
        const next = peers.ask(door, { path: "/4" });
        await until("the next at the backend", () => held.length === 3);
        for (const response of held.slice(1)) response.end("more");
        for (const answer of [...await Promise.all(under), await next]) {
          assert.equal(answer.status, 200, door);
        }
        drop();
      });
    }
  });
});

Deno.test("client shares: by every door: 429 with Retry-After beyond --max-conns-per-client, until one is over", async () => {
  for (const door of DOOR_IDS) {
    await withNamedDoors({ maxSessionsPerClient: 1 }, async ({ t, peers }) => {
      const first = await peers.open(door);
      assert.ok(isOpen(first));
      const refused = await peers.open(door);
      assert.ok(!isOpen(refused));
      assert.deepEqual([refused.status, refused.body], [429, "too many connections\n"], door);
      assert.equal(refused.fields.find(([name]) => name === "retry-after")?.[1], "5");
      assert.deepEqual(t.seen.rejections, [{ reason: "max_conns", status: 429, path: "/" }]);
      first.fin();
      await t.seen.end();
      const next = await peers.open(door);
      assert.ok(isOpen(next));
      next.fin();
    });
  }
});

Deno.test("client shares: one of --trusted-proxies speaks for many", async () => {
  await withHolding(async ({ url, held, drop }) => {
    const routes = routesFrom(`routes: [{ backend: "${url}" }]`);
    const trustedProxies = () => true;
    await withNamedDoors({ routes, maxRequestsPerClient: 1, trustedProxies }, async ({ peers }) => {
      const under = [1, 2, 3].map((n) => peers.ask("h2", { path: `/${n}` }));
      await until("all at the backend", () => held.length === 3);
      for (const response of held) response.end();
      for (const { status } of await Promise.all(under)) assert.equal(status, 200);
      drop();
    });
  });
});

Deno.test("client shares: 503 with Retry-After when no connection to the backend was free for --handshake-timeout", async () => {
  await withHolding(async ({ url, held, drop }) => {
    const options = {
      routes: routesFrom(`routes: [{ backend: "${url}" }]`),
      ...{ maxRequestsPerClient: 0, maxStreams: 2 * CONNECTIONS, handshakeTimeoutMs: 3_000 },
    };
    await withNamedDoors(options, async ({ t, peers }) => {
      const client = await t.h2c();
      for (let n = 0; n < CONNECTIONS; n++) client.request(h2Get("/held"));
      await until("no room at the backend", () => held.length === CONNECTIONS);
      const { status, body, fields } = await peers.ask("h1", { path: "/one-more" });
      assert.deepEqual([status, body], [503, "backend busy\n"]);
      assert.equal(fields.find(([name]) => name === "retry-after")?.[1], "5");
      assert.match(t.seen.failures[0].message, /no connection was free within 3000 ms/);
      for (const response of held) response.end();
      // It is not taken to be down.
      const next = peers.ask("h1", { path: "/next" });
      await until("the next at the backend", () => held.length === CONNECTIONS + 1);
      held.at(-1)!.end("here");
      assert.equal((await next).status, 200);
      drop();
    });
  });
});
