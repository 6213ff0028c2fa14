// Issue 4, Build 3: how connections of each version end when the proxy drains.
import assert from "node:assert/strict";
import * as net from "node:net";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import { DOOR_IDS, isOpen, say } from "../support/door_peers.ts";
import { answerAt } from "../support/doors.ts";
import { fromClient, readClose } from "../support/frames.ts";
import { withNamedDoors } from "../support/named_doors.ts";
import { h2Data, h2Get, type RawH2 } from "../support/raw_h2.ts";
import { until } from "../support/until.ts";

const LONG_MS = 20_000;

for (const door of ["h1", "h1s"] as const) {
  Deno.test(`drain: ${door}: an idle connection ends at once, one that is answered behind Connection: close`, async () => {
    await withNamedDoors({}, async ({ t, peers, main }) => {
      const idle = await peers.h1(door);
      idle.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await until("an answer", () => answerAt(idle.got) !== null);
      assert.doesNotMatch(idle.got, /\r\nconnection:/i);
      const busy = await peers.h1(door);
      busy.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n");
      await until("the request at the backend", () => main.connections === 1);
      const drained = t.proxy.drain(LONG_MS);
      await idle.ended();
      assert.equal(busy.isOver, false);
      // What is pipelined behind it is not answered any more.
      busy.send("hiGET /y HTTP/1.1\r\nHost: localhost\r\n\r\n");
      const got = await busy.ended();
      const answer = answerAt(got)!;
      assert.equal(answer.status, 200);
      assert.match(got, /\r\nconnection: close\r\n/i);
      assert.equal(got.length, answer.end, "one answer");
      assert.deepEqual(main.requests.map(({ url }) => url), ["/x"]);
      await drained;
    });
  });
}

for (const door of ["h2c", "h2"] as const) {
  Deno.test(`drain: RFC 9113 §6.8: ${door}: GOAWAY twice, and what was asked between them is answered`, async () => {
    await withNamedDoors({}, async ({ t, main }) => {
      const client: RawH2 = await (door === "h2" ? t.h2() : t.h2c());
      const post = h2Get("/x").map(([name, value]) =>
        [name, name === ":method" ? "POST" : value] as const
      );
      const first = client.request(post, (id) => [h2Data(id, "half")]);
      await until("the request at the backend", () => main.connections === 1);
      const drained = t.proxy.drain(LONG_MS);
      await until("two GOAWAYs", () => client.goaways.length === 2);
      const [early, last] = client.goaways;
      assert.deepEqual([early.code, early.lastStreamId], [0, 2 ** 31 - 1]);
      assert.deepEqual([last.code, last.lastStreamId], [0, first]);
      // RFC 9113 §6.8: a stream above the last one is ignored.
      const late = client.request(h2Get("/late"));
      client.write(h2Data(first, "whole", true));
      const answer = await client.over(first);
      assert.equal(answer.status, 200);
      assert.equal(JSON.parse(answer.body).body, "halfwhole");
      await client.end();
      assert.equal(client.stream(late).status, null);
      assert.deepEqual(main.requests.map(({ url }) => url), ["/x"]);
      await drained;
    });
  });

  Deno.test(`drain: ${door}: a connection on which nothing goes on ends at once`, async () => {
    await withNamedDoors({}, async ({ t }) => {
      const client = await (door === "h2" ? t.h2() : t.h2c());
      assert.equal((await client.get("/healthz")).status, 200);
      const drained = t.proxy.drain(LONG_MS);
      assert.equal(await client.end(), 0);
      await drained;
    });
  });
}

Deno.test("drain: WebSockets of every door get Close 1001 within the time, other tunnels their end", async () => {
  await withNamedDoors({}, async ({ t, peers }) => {
    const tunnels = [];
    for (const door of DOOR_IDS) {
      const tunnel = await peers.open(door, { path: "/ws" });
      assert.ok(isOpen(tunnel), door);
      assert.equal(await say(tunnel, "hi"), "main hi");
      tunnels.push(tunnel);
    }
    const drained = t.proxy.drain(1_000);
    await Promise.all(tunnels.map(async (tunnel) => {
      const { code, reason } = readClose(await tunnel.inbox.frame());
      assert.deepEqual([code, reason], [CloseCode.GOING_AWAY, "server is shutting down"]);
      tunnel.send(fromClient.close(code));
      tunnel.fin();
      assert.equal((await tunnel.inbox.rest()).length, 0);
    }));
    await drained;
    assert.deepEqual(
      t.seen.closed.map(({ by, code }) => [by, code]),
      DOOR_IDS.map(() => ["proxy:drain", 1001]),
    );
  });
});

Deno.test("drain: the backend gets Close 1001 too, and no port listens any more", async () => {
  await withNamedDoors({}, async ({ t, peers, main }) => {
    for (const door of DOOR_IDS) await peers.open(door, { path: "/ws" });
    const { port, plainPort } = t.proxy;
    await t.proxy.drain(500);
    await until("the ends at the backend", () => main.closes.length === DOOR_IDS.length);
    assert.deepEqual(main.closes.map(({ code }) => code), DOOR_IDS.map(() => 1001));
    for (const gone of [port, plainPort!]) {
      const socket = net.connect(gone, "127.0.0.1");
      const outcome = await new Promise((resolve) => {
        socket.once("connect", () => resolve("connected"));
        socket.once("error", (error: Error & { code?: string }) => resolve(error.code));
      });
      socket.destroy();
      assert.equal(outcome, "ECONNREFUSED");
    }
  });
});

Deno.test("drain: over HTTP/1.1 a tunnel whose head was under way is 503 with Retry-After", async () => {
  await withNamedDoors({}, async ({ t, peers }) => {
    const tunnel = await peers.open("h2", { path: "/ws" });
    const client = await peers.h1("h1");
    // A head that is under way when it begins.
    client.send("GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n");
    // That has come when something that was sent after it is answered.
    await peers.ask("h1", { path: "/healthz" });
    const drained = t.proxy.drain(LONG_MS);
    client.send(
      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await client.ended();
    const answer = answerAt(client.got);
    assert.deepEqual([answer?.status, answer?.text], [503, "shutting down\n"]);
    assert.match(client.got, /\r\nretry-after: 5\r\n/i);
    assert.equal(t.seen.rejections.at(-1)?.reason, "draining");
    tunnel.fin();
    await drained;
  });
});
