// What the proxy ends or refuses of itself, by each door of TCP: closes_*_test.ts have more for HTTP/3.
import assert from "node:assert/strict";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import { TUNNELS } from "../support/door_clients.ts";
import { DoorPeers } from "../support/door_peers.ts";
import { withDoors } from "../support/doors.ts";
import { fromClient, readClose } from "../support/frames.ts";

for (const [door, open] of Object.entries(TUNNELS)) {
  Deno.test(`doors: time: over ${door} the proxy pings, takes the Pong, and without one says 1001 to both`, async () => {
    await withDoors({ pingIntervalMs: 200, pongTimeoutMs: 600 }, async (t) => {
      const opening = open(t);
      const backend = await t.backend.upgrade();
      const client = await opening;
      const ping = (await client.inbox.frame())!;
      assert.deepEqual([ping.opcode, ping.masked], [Opcode.PING, false]);
      const mark = fromClient.text("mark");
      client.send(fromClient.frame(Opcode.PONG, ping.payload));
      client.send(mark);
      // The Pong goes no further.
      assert.deepEqual(await backend.inbox.take(mark.length), mark);
      const second = (await client.inbox.frame())!;
      assert.equal(second.opcode, Opcode.PING);
      let last = await client.inbox.frame();
      while (last?.opcode === Opcode.PING) last = await client.inbox.frame();
      assert.equal(readClose(last).code, CloseCode.GOING_AWAY);
      assert.equal(readClose(await backend.frame()).code, CloseCode.GOING_AWAY);
      backend.fin();
      client.fin();
      const { by, code } = await t.seen.end();
      assert.deepEqual([by, code], ["proxy:ping", CloseCode.GOING_AWAY]);
    });
  });

  Deno.test(`doors: time: over ${door} a session that is idle gets Close 1001, its backend too`, async () => {
    await withDoors({ readTimeoutMs: 300 }, async (t) => {
      const opening = open(t);
      const backend = await t.backend.upgrade();
      const client = await opening;
      assert.equal(readClose(await client.inbox.frame()).code, CloseCode.GOING_AWAY);
      assert.equal(readClose(await backend.frame()).code, CloseCode.GOING_AWAY);
      backend.fin();
      client.fin();
      assert.equal((await t.seen.end()).by, "proxy:idle");
    });
  });
}

for (const door of ["h1", "h1s", "h2c", "h2"] as const) {
  Deno.test(`doors: 503 with Retry-After over --max-conns by ${door}, and room again after an end`, async () => {
    await withDoors({ maxSessions: 1 }, async (t) => {
      const { port, plainPort } = t.proxy;
      await using peers = new DoorPeers({ port, plainPort, caPem: t.caCerts[0] });
      const opening = peers.open(door, { path: "/ws" });
      const first = await t.backend.upgrade();
      const tunnel = await opening;
      const above = await peers.open(door, { path: "/ws" });
      assert.deepEqual([above.status, above.get("retry-after")], [503, "5"]);
      assert.deepEqual(t.seen.rejections.map(({ reason }) => reason), ["max_conns"]);
      tunnel.fin();
      await first.inbox.rest();
      first.fin();
      await t.seen.end();
      const again = peers.open(door, { path: "/ws" });
      const second = await t.backend.upgrade();
      (await again).fin();
      await second.inbox.rest();
      second.fin();
    });
  });
}
