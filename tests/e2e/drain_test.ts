// RFC 9114 §5.2: a connection that is drained ends with its last stream, but not before what that
// stream said last has arrived.
import assert from "node:assert/strict";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { fromBackend, fromClient, readClose } from "../support/frames.ts";
import { withProxy } from "../support/proxy.ts";

const LONG_MS = 20_000;

for (const bytes of [10, 200_000]) {
  Deno.test(`drain: the last session's ${bytes} bytes and its Close arrive, then H3_NO_ERROR`, async () => {
    await withProxy({}, async (t) => {
      const { quic, client, backend } = await t.open();
      const draining = t.proxy.drain(LONG_MS);
      await client.send(fromClient.close(1000));
      // Nothing more comes from the client: the session is over as soon as all is written.
      await client.fin();
      await backend.frame();
      const frame = fromBackend.frame(Opcode.BINARY, new Uint8Array(bytes));
      backend.write(frame);
      backend.write(fromBackend.close(1000));
      backend.fin();
      assert.deepEqual(await client.inbox.take(frame.length), frame);
      assert.equal(readClose(await client.frame()).code, 1000);
      assert.equal(await client.frame(), null);
      await draining;
      assert.equal((await quic.quic.closed).code, 0x100);
    });
  });
}

Deno.test("drain: an answer that was given just before it arrives", async () => {
  await withProxy({}, async (t) => {
    const quic = await t.connect();
    const request = await quic.connectWs({ path: "/nope" });
    while (t.seen.rejections.length === 0) await new Promise((resolve) => setTimeout(resolve));
    const draining = t.proxy.drain(LONG_MS);
    assert.equal((await request.answer()).status, 404);
    await draining;
  });
});

Deno.test("drain: a connection on which nothing goes on ends at once", async () => {
  await withProxy({}, async (t) => {
    const quic = await t.connect();
    await quic.roundTrip();
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const startedMs = performance.now();
    await t.proxy.drain(LONG_MS);
    assert.ok(performance.now() - startedMs < 900, "without the time that a last stream gets");
    assert.equal((await quic.quic.closed).code, 0x100);
  });
});

Deno.test("drain: a connection that comes too late is refused, and counted as that", async () => {
  await withProxy({}, async (t) => {
    const { client, backend } = await t.open();
    const draining = t.proxy.drain(LONG_MS);
    await assert.rejects(t.connect(), { name: "NetError", kind: "refused" });
    assert.deepEqual(t.seen.rejections, [{ reason: "draining", status: 0, path: "" }]);
    await client.fin();
    backend.fin();
    await draining;
  });
});
