// Connections that are reset, by RST, in every state: what they asked for ends at the backend at once,
// and nothing is left. doors_h2_test.ts has the same for streams.
import assert from "node:assert/strict";
import { listenFull } from "../net/full_listener.ts";
import { TUNNELS, upgradeHead } from "../support/door_clients.ts";
import { withDoors } from "../support/doors.ts";
import { fromClient } from "../support/frames.ts";
import { h2Get, h2Ws } from "../support/raw_h2.ts";
import { until } from "../support/until.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const GET = "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";
const POST = "POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\n";

/** What has come to pass before the RST. */
const STATES: Record<string, { head: string; half?: string }> = {
  "its request is with the backend": { head: GET },
  "half of its content has come": { head: `${POST}abc` },
  "the backend has its wish for a tunnel": { head: upgradeHead() },
  "half of its answer has come": {
    head: GET,
    half: `${OK}Content-Length: 9\r\n\r\nabc`,
  },
};

for (const door of ["h1", "h1s"] as const) {
  for (const [name, { head, half }] of Object.entries(STATES)) {
    Deno.test(`doors: reset: a connection by ${door} is reset when ${name}`, async () => {
      await withDoors({}, async (t) => {
        const client = await t[door]();
        client.send(head);
        const conn = await t.backend.accept();
        await conn.request();
        if (half !== undefined) {
          conn.write(half);
          await client.has("abc");
        }
        client.reset();
        await conn.inbox.rest();
        await until("its end", () => t.proxy.connections === 0);
        assert.deepEqual(t.seen.opened, []);
      });
    });
  }

  Deno.test(`doors: reset: a connection by ${door} is reset in the middle of its head`, async () => {
    await withDoors({}, async (t) => {
      const client = await t[door]();
      client.send("GET /x HTTP/1.1\r\nHost: a.ex");
      await until("its begin", () => t.proxy.connections === 1);
      client.reset();
      await until("its end", () => t.proxy.connections === 0);
      assert.equal(t.backend.connections.length, 0);
    });
  });
}

for (const [door, open] of Object.entries(TUNNELS)) {
  Deno.test(`doors: reset: a connection by ${door} is reset when its tunnel is open`, async () => {
    await withDoors({}, async (t) => {
      const opening = open(t);
      const backend = await t.backend.upgrade();
      const client = await opening;
      client.send(fromClient.text("hello").subarray(0, 8));
      await backend.inbox.take(8);
      client.reset();
      await backend.inbox.rest();
      const { by, code } = await t.seen.end();
      assert.deepEqual({ by, code }, { by: "client", code: 1006 });
      await until("its end", () => t.proxy.connections === 0);
    });
  });
}

for (const door of ["h2c", "h2"] as const) {
  Deno.test(`doors: reset: a connection by ${door} is lost when its tunnel is half-closed`, async () => {
    await withDoors({}, async (t) => {
      const opening = TUNNELS[door](t);
      const backend = await t.backend.upgrade();
      const client = await opening;
      client.fin();
      await backend.inbox.rest();
      client.reset();
      // The backend says nothing, and is not waited for.
      const { by, code } = await t.seen.end();
      assert.deepEqual({ by, code }, { by: "client", code: 1006 });
      await until("its end", () => t.proxy.connections === 0);
    });
  });
}

Deno.test("doors: reset: connections that are reset while the backend is dialled end the dial", async () => {
  using full = await listenFull();
  const target = { dial: { hostname: full.hostname, port: full.port } };
  await withDoors({ backend: target, dialTimeoutMs: 60_000 }, async (t) => {
    for (const connect of [t.h1, t.h1s]) {
      for (const head of [GET, upgradeHead()]) {
        const client = await connect();
        client.send(head);
        // A dial that is under way tells nobody.
        await new Promise((resolve) => setTimeout(resolve, 50));
        client.reset();
      }
    }
    const h2 = await t.h2();
    h2.request(h2Get("/x"));
    h2.request(h2Ws(), () => []);
    await h2.roundTrip();
    h2.tcp.resetAndDestroy();
    // Long before the dial's own timeout.
    await until("all dials are given up", () => t.proxy.connections === 0);
    await t.idle();
    assert.deepEqual(t.seen.failures, []);
  });
});
