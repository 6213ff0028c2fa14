// The handshake when all goes well: when the client gets its 200, and what comes early.
import assert from "node:assert/strict";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { encodeFrame } from "../../src/protocol/websocket/encoder.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { HELLO } from "../support/answer_rows.ts";
import { fromBackend } from "../support/frames.ts";
import { latin1 } from "../support/inbox.ts";
import { withProxy } from "../support/proxy.ts";
import { CLIENT_ACCEPT, CLIENT_KEY, connectFields, dataFrame } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";

const WELCOME = fromBackend.text("welcome");

Deno.test("handshake: the client gets its 200 only after the backend's 101", async () => {
  await withProxy({}, async (t) => {
    const quic = await t.connect();
    const client = await quic.connectWs();
    const conn = await t.backend.accept();
    await conn.request();
    let answered = false;
    const response = client.response().then((head) => {
      answered = true;
      return head;
    });
    // A round trip on the same connection: whatever was sent before it would have come.
    await quic.roundTrip();
    conn.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n");
    await quic.roundTrip();
    assert.equal(answered, false);
    assert.equal(t.seen.opened.length, 0);
    conn.upgrade();
    assert.equal((await response).status, 200);
    quic.close();
  });
});

Deno.test("handshake: Sec-WebSocket-Accept only for a client that sent a Key", async () => {
  await withProxy({}, async (t) => {
    const quic = await t.connect();
    for (const key of [null, CLIENT_KEY]) {
      const fields = key === null ? [] : [["sec-websocket-key", key] as const];
      const client = await quic.connectWs({}, fields);
      const conn = await t.backend.upgrade();
      const head = await client.response();
      assert.equal(head.status, 200);
      assert.equal(head.get("sec-websocket-accept"), key === null ? null : CLIENT_ACCEPT);
      const sent = (await conn.request()).get("sec-websocket-key");
      assert.notEqual(sent, CLIENT_KEY, "the backend gets a key of the proxy's own");
      assert.match(sent ?? "", /^[A-Za-z0-9+/]{22}==$/);
      for (const name of ["connection", "upgrade"]) assert.equal(head.get(name), null);
    }
    quic.close();
  });
});

Deno.test("handshake: data of the client's before the 200 is held and arrives in order", async () => {
  await withProxy({}, async (t) => {
    const quic = await t.connect();
    const frames = Array.from({ length: 300 }, (_, i) =>
      encodeFrame({
        opcode: Opcode.BINARY,
        payload: new Uint8Array(100).fill(i),
        maskKey: new Uint8Array([i, 2, 3, 4]),
      }));
    const all = concat(frames);
    // The first comes in one packet with the head, cut within a DATA frame.
    const first = dataFrame(frames[0]);
    const client = await quic.request(connectFields(), first.subarray(0, 20));
    const conn = await t.backend.accept();
    await conn.request();
    await client.write(first.subarray(20));
    for (const frame of frames.slice(1)) await client.send(frame);
    assert.equal(conn.inbox.pending.length, 0, "nothing goes on before the 101");
    conn.upgrade();
    assert.deepEqual(await conn.inbox.take(all.length), all);
    await client.send(HELLO);
    assert.deepEqual(await conn.inbox.take(HELLO.length), HELLO);
    quic.close();
  });
});

Deno.test("handshake: what it sends in one packet with its 101 arrives", async () => {
  await withProxy({}, async (t) => {
    const quic = await t.connect();
    const client = await quic.connectWs();
    const conn = await t.backend.upgrade([], concat([WELCOME, WELCOME.subarray(0, 3)]));
    assert.equal((await client.response()).status, 200);
    assert.deepEqual(await client.inbox.take(WELCOME.length), WELCOME);
    conn.write(WELCOME.subarray(3));
    const frame = await client.frame();
    assert.equal(latin1(frame!.payload), "welcome");
    quic.close();
  });
});

Deno.test("handshake: a client that leaves during the handshake ends the backend leg", async () => {
  await withProxy({ maxSessions: 1, handshakeTimeoutMs: 3_600_000 }, async (t) => {
    const quic = await t.connect();
    await quic.connectWs();
    const conn = await t.backend.accept();
    await conn.request();
    quic.close();
    await conn.inbox.rest();
    await t.idle();
    assert.equal(t.seen.opened.length, 0);
    assert.deepEqual(t.seen.failures, [], "it is not the backend's failure");
    // There is room again.
    const next = await t.connect();
    const client = await next.connectWs();
    await t.backend.upgrade();
    assert.equal((await client.response()).status, 200);
    next.close();
  });
});

Deno.test("handshake: a FIN of the client's during the handshake is kept for after it", async () => {
  await withProxy({}, async (t) => {
    const quic = await t.connect();
    const client = await quic.request(connectFields(), dataFrame(HELLO));
    await client.fin();
    const conn = await t.backend.upgrade();
    assert.equal((await client.response()).status, 200);
    assert.deepEqual(await conn.inbox.rest(), HELLO);
    assert.equal(conn.inbox.ending, "fin");
    conn.write(WELCOME);
    conn.fin();
    assert.deepEqual(await client.inbox.rest(), WELCOME);
    await until("the end of the session", () => t.seen.closed.length === 1);
    assert.equal(t.seen.closed[0].by, "client");
  });
});

Deno.test("handshake: a client that stops its stream before the 200 gets its credit back", async () => {
  await withProxy({ maxStreams: 2 }, async (t) => {
    const quic = await t.connect();
    for (let i = 0; i < 6; i++) {
      const client = await quic.connectWs();
      const conn = await t.backend.accept();
      await conn.request();
      client.abort();
      await quic.roundTrip();
      conn.upgrade();
      await conn.inbox.rest();
    }
    await t.idle();
    assert.equal(t.proxy.connections, 1);
    quic.close();
  });
});
