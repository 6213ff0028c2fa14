// What only shows at the edges: loops, drains with silent peers, requests that never end.
import assert from "node:assert/strict";
import { getField } from "../../src/protocol/wire/field.ts";
import { DoorPeers } from "../support/door_peers.ts";
import { testCertificates } from "../support/proxy.ts";
import { connectFields } from "../support/raw_h3.ts";
import { RawH1, withDoors } from "../support/doors.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

Deno.test("edges: RFC 9110 §7.6: a request that came by here again and again is 508, not passed on", async () => {
  await withDoors({}, async (t) => {
    const { port, plainPort } = t.proxy;
    const { caPem } = await testCertificates();
    await using peers = new DoorPeers({ port, plainPort, caPem });
    const via = Array.from({ length: 8 }, () => "1.1 h3ws").join(", ");
    for (const door of ["h1", "h2c", "h3"] as const) {
      const answer = await peers.ask(door, { path: "/x", fields: [["via", via]] });
      assert.equal(answer.status, 508, door);
      const tunnel = await peers.open(door, { path: "/ws", fields: [["via", via]] });
      assert.equal(tunnel.status, 508, door);
    }
    assert.equal(t.backend.connections.length, 0);
  });
});

Deno.test("edges: RFC 9110 §7.6.3: Via tells the version that a request came by, HTTP/1.0 too", async () => {
  await withDoors({}, async (t) => {
    for (const [version, want] of [["1.0", "1.0 h3ws"], ["1.1", "1.1 h3ws"]]) {
      const client = await t.h1();
      client.send(`GET /x HTTP/${version}\r\nHost: a.example\r\n\r\n`);
      const conn = await t.backend.accept();
      const { fields } = await conn.request();
      conn.write("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
      assert.equal(getField(fields, "via"), want);
      await client.has(" 204 ");
    }
  });
});

Deno.test("edges: a drain does not wait for a plain connection that says nothing", async () => {
  await withDoors({}, async (t) => {
    const silent = await RawH1.connect(t.proxy.plainPort!);
    await until("the connection", () => t.proxy.connections === 1);
    await within("the drain", t.proxy.drain(60_000), 15_000);
    await silent.close();
  });
});

Deno.test("edges: RFC 9114 §4.1: a request that does not end in time never reaches the backend", async () => {
  await withDoors({ writeTimeoutMs: 300, readTimeoutMs: 60_000 }, async (t) => {
    const client = await t.connect();
    const pseudo = { method: "DELETE", protocol: null, path: "/x" };
    const stream = await client.request(connectFields(pseudo));
    await within("its end", stream.inbox.rest().catch(() => {}));
    assert.equal(t.backend.connections.length, 0);
    await until("the record", () => t.seen.requests.length > 0);
    const [{ backend, status, broken }] = t.seen.requests;
    assert.deepEqual([backend, status], [null, 0]);
    assert.equal(broken, "client: did not send its request to the end");
    assert.equal(t.seen.requests.length, 1);
  });
});

Deno.test("edges: RFC 8441 §5: a tunnel that is no WebSocket and is cut off does not look whole", async () => {
  await withDoors({ readTimeoutMs: 400 }, async (t) => {
    const client = await t.h2c();
    const fields = connectFields({ protocol: "foo", path: "/x" });
    const id = client.request(fields, () => []);
    const conn = await t.backend.accept();
    await conn.request();
    conn.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n");
    const stream = await client.head(id);
    assert.equal(stream.status, 200);
    await until("its end", () => stream.isOver);
    assert.equal(stream.ended, false, "RST_STREAM, not END_STREAM");
    assert.deepEqual((await t.seen.end()).by, "proxy:idle");
  });
});
