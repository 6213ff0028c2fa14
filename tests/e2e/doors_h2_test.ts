// HTTP/2 that is meant to hurt: streams that are reset in every state, and floods (RFC 9113 §10.5).
import assert from "node:assert/strict";
import { H2Code } from "../../src/protocol/http2/codes.ts";
import { listenFull } from "../net/full_listener.ts";
import { openH2 } from "../support/door_clients.ts";
import { withDoors } from "../support/doors.ts";
import { fromClient } from "../support/frames.ts";
import { flood, FLOODS } from "../support/h2_floods.ts";
import { h2Get, h2Reset, h2Ws } from "../support/raw_h2.ts";
import { until } from "../support/until.ts";
import { STREAM_STATES } from "./h2_stream_states.ts";

for (const door of ["h2c", "h2"] as const) {
  for (const { name, backend, reach } of STREAM_STATES) {
    Deno.test(`doors: h2: RFC 9113 §6.4: a stream over ${door} is reset when ${name}`, async () => {
      await withDoors({}, async (t) => {
        const client = await t[door]();
        const other = openH2(client);
        const peer = await t.backend.upgrade();
        const tunnel = await other;
        const id = await reach(client, t);
        client.write(h2Reset(id, H2Code.CANCEL));
        // It ends at the backend, and what else is on the connection goes on.
        const conn = t.backend.connections.at(-1)!;
        if (backend) await conn.inbox.rest();
        tunnel.send(fromClient.text("still"));
        assert.equal(new TextDecoder().decode((await peer.frame())!.payload), "still");
        await client.roundTrip();
        assert.deepEqual(client.goaways, []);
        tunnel.fin();
        await peer.inbox.rest();
        peer.fin();
        await until("the other's end", () => t.proxy.sessions === 0);
        // RFC 9113 §6.8: a connection that drains ends with its last stream: none is left.
        const drained = t.proxy.drain(60_000);
        assert.equal(await client.end(), H2Code.NO_ERROR);
        await drained;
      });
    });
  }

  Deno.test(`doors: h2: RFC 9113 §5.1: RST_STREAM over ${door} on an idle stream is PROTOCOL_ERROR`, async () => {
    await withDoors({}, async (t) => {
      const client = await t[door]();
      client.write(h2Reset(9, H2Code.CANCEL));
      assert.equal(await client.end(), H2Code.PROTOCOL_ERROR);
      assert.deepEqual([t.seen.failures.length, t.seen.rejections], [1, []]);
    });
  });
}

Deno.test("doors: h2: a stream that is reset while the backend is dialled ends the dial", async () => {
  using full = await listenFull();
  const target = { dial: { hostname: full.hostname, port: full.port } };
  await withDoors({ backend: target, dialTimeoutMs: 60_000 }, async (t) => {
    const client = await t.h2();
    const ids = [client.request(h2Get("/x")), client.request(h2Ws(), () => [])];
    await client.roundTrip();
    // A dial that is under way tells nobody.
    await new Promise((resolve) => setTimeout(resolve, 50));
    client.write(...ids.map((id) => h2Reset(id, H2Code.CANCEL)));
    await client.roundTrip();
    // Long before the dial's own timeout.
    await t.idle();
    assert.deepEqual(t.seen.failures, []);
  });
});

for (const door of ["h2c", "h2"] as const) {
  for (const row of FLOODS) {
    Deno.test(`doors: h2: RFC 9113 §10.5: ${row.name} over ${door} is ENHANCE_YOUR_CALM, and hurts no other`, async () => {
      await withDoors({}, async (t) => {
        const other = await t[door]();
        const opening = openH2(other);
        const peer = await t.backend.upgrade();
        const tunnel = await opening;
        const client = await t[door]();
        await flood(client, row);
        assert.equal(await client.end(), H2Code.ENHANCE_YOUR_CALM);
        const told = t.seen.failures.filter(({ message }) => /too many|more than/i.test(message));
        assert.equal(told.length, 1, JSON.stringify(t.seen.failures.slice(-3)));
        tunnel.send(fromClient.text("still"));
        assert.equal(new TextDecoder().decode((await peer.frame())!.payload), "still");
        tunnel.fin();
        await peer.inbox.rest();
        peer.fin();
        await until("the other's end", () => t.proxy.sessions === 0);
      });
    });
  }
}
