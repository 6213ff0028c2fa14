// A backend that drops its connection, and ends that come while the other side is busy.
import assert from "node:assert/strict";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import type { BackendConn } from "../support/backend.ts";
import { closeAndFin, fromBackend, fromClient } from "../support/frames.ts";
import { withProxy } from "../support/proxy.ts";
import { within } from "../support/within.ts";

const EMPTY = new Uint8Array(0);
const KIB64 = new Uint8Array(64 * 1024).fill(0x62);

/** Some milliseconds, and less than what a side gets that was told of the end and does not go. */
const AT_ONCE_MS = 1_500;

/** `work`, which has to be over at once. */
async function atOnce<T>(work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  const done = await work();
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs < AT_ONCE_MS, `it took ${tookMs} ms`);
  return done;
}

interface Drop {
  name: string;
  drop: (backend: BackendConn) => void;
}

const DROPS: Drop[] = [
  { name: "FIN", drop: (backend) => backend.fin() },
  { name: "RST", drop: (backend) => backend.reset() },
];

for (const { name, drop } of DROPS) {
  Deno.test(`closes: a backend's ${name} between frames: Close 1011 and FIN at once`, async () => {
    await withProxy({}, async (t) => {
      const { client, backend } = await t.open();
      const frame = fromBackend.text("last");
      backend.write(frame);
      assert.deepEqual(await client.inbox.take(frame.length), frame);
      drop(backend);
      assert.equal((await atOnce(() => closeAndFin(client.inbox, false))).code, 1011);
      const { by, code } = await t.seen.end();
      assert.deepEqual({ by, code }, { by: "backend", code: 1006 });
      await client.fin();
    });
  });

  Deno.test(`closes: a backend's ${name} between fragments: Close 1011 and FIN at once`, async () => {
    await withProxy({}, async (t) => {
      const { client, backend } = await t.open();
      const frame = fromBackend.frame(Opcode.TEXT, "never whole", { fin: false });
      backend.write(frame);
      assert.deepEqual(await client.inbox.take(frame.length), frame);
      drop(backend);
      assert.equal((await atOnce(() => closeAndFin(client.inbox, false))).code, 1011);
      assert.equal((await t.seen.end()).by, "backend");
      await client.fin();
    });
  });

  Deno.test(`closes: a backend's ${name} in mid-frame: FIN at once and no Close`, async () => {
    await withProxy({}, async (t) => {
      const { client, backend } = await t.open();
      const part = fromBackend.text("cut in the middle").subarray(0, 9);
      backend.write(part);
      assert.deepEqual(await client.inbox.take(part.length), part);
      drop(backend);
      assert.deepEqual(await atOnce(() => client.inbox.rest()), EMPTY);
      assert.equal(client.inbox.ending, "fin");
      const { by, code } = await t.seen.end();
      assert.deepEqual({ by, code }, { by: "backend", code: 1006 });
      await client.fin();
    });
  });

  Deno.test(`closes: a backend's ${name} in mid-header: no byte of it, Close 1011 and FIN`, async () => {
    await withProxy({}, async (t) => {
      const { client, backend } = await t.open();
      const good = fromBackend.text("good");
      backend.write(concat([good, fromBackend.text("x".repeat(200)).subarray(0, 3)]));
      assert.deepEqual(await client.inbox.take(good.length), good);
      drop(backend);
      assert.equal((await atOnce(() => closeAndFin(client.inbox, false))).code, 1011);
      await client.fin();
    });
  });
}

for (const { name, drop } of DROPS) {
  Deno.test(`closes: a backend's ${name} while the client sends: Close 1011 and FIN at once`, async () => {
    await withProxy({}, async (t) => {
      const { client, backend } = await t.open();
      const frame = fromClient.frame(Opcode.BINARY, KIB64);
      const pushing = (async () => {
        while (t.seen.closed.length === 0) await client.send(frame);
      })();
      // It has read some, and the rest is under way.
      await backend.inbox.take(4 * frame.length);
      drop(backend);
      assert.equal((await atOnce(() => closeAndFin(client.inbox, false))).code, 1011);
      await within("the client's last write", pushing);
      const { by, code } = await t.seen.end();
      assert.deepEqual({ by, code }, { by: "backend", code: 1006 });
      await client.fin();
    });
  });
}

Deno.test("closes: a client that breaks a rule and does not read: the backend is told at once", async () => {
  await withProxy({}, async (t) => {
    const { quic, client, backend } = await t.open();
    const frame = fromBackend.frame(Opcode.BINARY, KIB64);
    for (let i = 0; i < 256; i++) backend.write(frame);
    await client.inbox.take(frame.length);
    await client.send(Uint8Array.of(0x83, 0x80, 0, 0, 0, 0));
    const { by, code } = await t.seen.end();
    assert.deepEqual({ by, code }, { by: "proxy:error", code: 1002 });
    assert.equal((await closeAndFin(backend.inbox, true)).code, 1002);
    // Neither the stuck write nor what the backend still sends holds the session.
    await t.idle();
    quic.close();
  });
});

Deno.test("closes: a backend that breaks a rule and does not read: the client is told at once", async () => {
  await withProxy({}, async (t) => {
    const { client, backend } = await t.open();
    const frame = fromClient.frame(Opcode.BINARY, KIB64);
    const pushing = (async () => {
      while (t.seen.closed.length === 0) await client.send(frame);
    })().catch(() => {});
    await backend.inbox.take(frame.length);
    backend.write(Uint8Array.of(0x83, 0x00));
    assert.equal((await closeAndFin(client.inbox, false)).code, 1014);
    const { by, code } = await t.seen.end();
    assert.deepEqual({ by, code }, { by: "proxy:error", code: 1002 });
    await t.idle();
    client.abort();
    await within("the client's last write", pushing);
  });
});
