// Issue 4, Build 6: routes that are replaced while something of theirs is under way.
import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { DOOR_IDS, isOpen, say } from "../support/door_peers.ts";
import { RawBackend } from "../support/backend.ts";
import { answerAt } from "../support/doors.ts";
import { fromClient, readClose } from "../support/frames.ts";
import { NamedBackend } from "../support/named_backend.ts";
import { routeTo, withNamedDoors } from "../support/named_doors.ts";
import { routesFrom } from "../support/named_routes.ts";
import { h2Get } from "../support/h2_frames.ts";
import { until } from "../support/until.ts";

/** At once to one backend. */
const CONNECTIONS = 1024;

for (const door of DOOR_IDS) {
  Deno.test(`reload: ${door}: a socket whose backend is being asked gets Close 1012 as soon as it is open`, async () => {
    const slow = await RawBackend.listen();
    const old = routesFrom(`routes: [{ backend: "ws://127.0.0.1:${slow.port}" }]`);
    try {
      await withNamedDoors({ routes: old }, async ({ t, peers, main }) => {
        const opening = peers.open(door, { path: "/ws" });
        const conn = await slow.accept();
        await conn.request();
        t.proxy.replaceRoutes([routeTo(main)]);
        conn.upgrade();
        const tunnel = await opening;
        assert.ok(isOpen(tunnel));
        const { code, reason } = readClose(await tunnel.inbox.frame());
        assert.deepEqual([code, reason], [1012, "route was changed"]);
        assert.equal(readClose(await conn.frame()).code, 1012);
        tunnel.fin();
        conn.fin();
        const { by } = await t.seen.end();
        assert.equal(by, "proxy:reload");
        const next = await peers.open(door, { path: "/ws" });
        assert.equal(await say(next, "hi"), "main hi");
        next.fin();
      });
    } finally {
      await slow.close();
    }
  });
}

Deno.test("reload: where the list of routes is emptied every socket gets Close 1012, and then all is 404", async () => {
  await withNamedDoors({}, async ({ t, peers, main }) => {
    t.proxy.replaceRoutes([routeTo(main)]);
    const tunnel = await peers.open("h2", { path: "/ws" });
    assert.ok(isOpen(tunnel));
    t.proxy.replaceRoutes(routesFrom("routes: []"));
    assert.equal(readClose(await tunnel.inbox.frame()).code, 1012);
    tunnel.fin();
    assert.equal((await t.seen.end()).by, "proxy:reload");
    assert.equal((await peers.open("h2", { path: "/ws" })).status, 404);
    assert.equal((await peers.ask("h2", { path: "/x" })).status, 404);
  });
});

Deno.test("reload: a request that is under way on a removed route is answered whole, and nothing is kept", async () => {
  await using gone = await NamedBackend.listen("gone");
  await withNamedDoors({ routes: [routeTo(gone)] }, async ({ t, peers, main }) => {
    const client = await peers.h1("h1");
    client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n");
    await until("the request at the backend", () => gone.open.size === 1);
    t.proxy.replaceRoutes([routeTo(main)]);
    assert.equal(JSON.parse((await peers.ask("h2")).body).backend, "main");
    client.send("hi");
    await until("an answer", () => answerAt(client.got) !== null || client.isOver);
    const seen = JSON.parse(answerAt(client.got)!.text);
    assert.deepEqual([seen.backend, seen.body], ["gone", "hi"]);
    await until("the end of its connection", () => gone.open.size === 0);
  });
});

Deno.test("reload: requests that wait for a connection to a removed backend are answered by it", async () => {
  const held: ServerResponse[] = [];
  const gone = createServer((_, response) => held.push(response));
  await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
  const { port } = gone.address() as AddressInfo;
  const routes = routesFrom(`routes: [{ backend: "ws://127.0.0.1:${port}" }]`);
  try {
    await withNamedDoors(
      { routes, maxStreams: 2_000, maxRequestsPerClient: 0 },
      async ({ t, peers, main }) => {
        const client = await t.h2c();
        const ids = Array.from({ length: CONNECTIONS + 2 }, () => client.request(h2Get("/x")));
        await until("no room at the backend", () => held.length === CONNECTIONS);
        t.proxy.replaceRoutes([routeTo(main)]);
        // What is asked behind the reload goes to the new one, and waits for nobody.
        assert.equal((await peers.ask("h1")).status, 200);
        for (let i = 0; i < ids.length; i++) {
          await until("the next request", () => held.length > i);
          held[i].writeHead(204).end();
        }
        const streams = await Promise.all(ids.map((id) => client.over(id)));
        assert.deepEqual(new Set(streams.map(({ status }) => status)), new Set([204]));
        assert.deepEqual([t.seen.failures, main.requests.length], [[], 1]);
      },
    );
  } finally {
    gone.closeAllConnections();
    await new Promise<void>((resolve) => gone.close(() => resolve()));
  }
});

Deno.test("reload: tunnels that are no WebSocket end too", async () => {
  const raw = await RawBackend.listen();
  const old = routesFrom(`routes: [{ backend: "ws://127.0.0.1:${raw.port}" }]`);
  try {
    await withNamedDoors({ routes: old }, async ({ t, peers, main }) => {
      for (const door of DOOR_IDS) {
        t.proxy.replaceRoutes(old);
        const opening = peers.open(door, { protocol: "foo" });
        const conn = await raw.accept();
        await conn.request();
        conn.write(
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n",
        );
        const tunnel = await opening;
        conn.write("hello");
        assert.equal((await tunnel.inbox.take(5)).length, 5, door);
        t.proxy.replaceRoutes([routeTo(main)]);
        // RFC 8441 §5: only HTTP/2 can tell of a tunnel that is cut off.
        await tunnel.inbox.rest().catch(() => {});
        assert.equal(tunnel.inbox.ending === "fin", door !== "h2" && door !== "h2c", door);
        await conn.inbox.rest().catch(() => {});
        await until("the end of the session", () => t.proxy.sessions === 0);
      }
      assert.deepEqual(
        t.seen.closed.map(({ by, protocol }) => [by, protocol]),
        DOOR_IDS.map(() => ["proxy:reload", "foo"]),
      );
    });
  } finally {
    await raw.close();
  }
});

Deno.test("reload: routes that can't be used change nothing", async () => {
  await withNamedDoors({}, async ({ t, peers, main }) => {
    t.proxy.replaceRoutes([routeTo(main)]);
    const tunnel = await peers.open("h2", { path: "/ws" });
    const bad = routeTo(main, { match: { path: { regexp: /^\/(a)\1$/ } } });
    assert.throws(() => t.proxy.replaceRoutes([bad]), SyntaxError);
    assert.equal(await say(tunnel, "hi"), "main hi");
    assert.equal((await peers.ask("h1", { path: "/x" })).status, 200);
    tunnel.send(fromClient.close(1000));
    tunnel.fin();
    const { by } = await t.seen.end();
    assert.equal(by, "client");
  });
});

Deno.test("reload: a hundred times over, with sockets open: what is kept stays, what is gone leaves nothing", async () => {
  await using other = await NamedBackend.listen("other");
  const kept = (main: NamedBackend) =>
    routeTo(main, { match: { path: { prefix: "/kept", strip: false } } });
  const changing = (n: number) =>
    routeTo(other, {
      name: `other${n}`,
      match: { path: { prefix: "/other", strip: false } },
      headers: {
        request: { set: { "x-n": String(n) }, remove: [] },
        response: { set: {}, remove: [] },
      },
    });
  await withNamedDoors({}, async ({ t, peers, main }) => {
    t.proxy.replaceRoutes([kept(main), changing(0)]);
    const tunnels = await Promise.all(DOOR_IDS.map((door) => peers.open(door, { path: "/kept" })));
    for (let n = 1; n <= 100; n++) {
      const answer = await peers.ask("h2", { path: "/other" });
      const { fields } = JSON.parse(answer.body);
      const said = fields.find(([name]: [string]) => name === "x-n");
      assert.equal(said[1], String(n - 1));
      t.proxy.replaceRoutes([changing(n), kept(main)]);
    }
    await until("the end of what was pooled", () => other.open.size === 0);
    for (const tunnel of tunnels) {
      assert.equal(await say(tunnel, "hi"), "main hi");
      tunnel.fin();
    }
  });
});
