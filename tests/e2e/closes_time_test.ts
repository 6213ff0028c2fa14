// What the proxy ends by itself: idle sessions, slow readers, missing Pongs, and a drain.
import assert from "node:assert/strict";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { closeAndFin, fromBackend, fromClient, readClose } from "../support/frames.ts";
import type { Inbox, SeenFrame } from "../support/inbox.ts";
import { withProxy } from "../support/proxy.ts";
import { until } from "../support/until.ts";

const EMPTY = new Uint8Array(0);
const KIB64 = new Uint8Array(64 * 1024).fill(0x62);

Deno.test("closes: 1001 to both after --read-timeout without a byte from either side", async () => {
  await withProxy({ readTimeoutMs: 400 }, async (t) => {
    const { client, backend } = await t.open();
    const startedMs = performance.now();
    assert.equal((await closeAndFin(client.inbox, false)).code, 1001);
    assert.equal((await closeAndFin(backend.inbox, true)).code, 1001);
    assert.ok(performance.now() - startedMs >= 300, "not before its time");
    assert.deepEqual(await t.seen.end(), { by: "proxy:idle", code: 1001, reason: "idle" });
    await client.fin();
    backend.fin();
  });
});

for (const side of ["client", "backend"] as const) {
  Deno.test(`closes: bytes of the ${side} alone keep a session from being idle`, async () => {
    await withProxy({ readTimeoutMs: 3_000 }, async (t) => {
      const { client, backend } = await t.open();
      const frame = side === "client" ? fromClient.text("x") : fromBackend.text("x");
      const untilMs = performance.now() + 4_500;
      while (performance.now() < untilMs) {
        if (side === "client") await client.send(frame);
        else backend.write(frame);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.equal(t.seen.closed.length, 0);
      await client.fin();
      backend.fin();
    });
  });
}

Deno.test("closes: an idle session in mid-frame gets FIN without Close there", async () => {
  await withProxy({ readTimeoutMs: 400 }, async (t) => {
    const { client, backend } = await t.open();
    const part = fromBackend.text("never whole").subarray(0, 6);
    backend.write(part);
    assert.deepEqual(await client.inbox.take(part.length), part);
    assert.deepEqual(await client.inbox.rest(), EMPTY);
    assert.equal((await closeAndFin(backend.inbox, true)).code, 1001);
    assert.equal((await t.seen.end()).by, "proxy:idle");
    await client.fin();
    backend.fin();
  });
});

Deno.test("closes: proxy:slow, a backend that does not read for --write-timeout", async () => {
  await withProxy({ writeTimeoutMs: 500 }, async (t) => {
    const { client, backend } = await t.open();
    const frame = fromClient.frame(Opcode.BINARY, KIB64);
    let sent = 0;
    const pushing = (async () => {
      for (; sent < 16_384 && t.seen.closed.length === 0; sent++) await client.send(frame);
    })().catch(() => {});
    const { by, reason } = await t.seen.end();
    assert.deepEqual({ by, reason }, { by: "proxy:slow", reason: "backend reads too slowly" });
    assert.ok(sent < 16_384, "it was stopped by backpressure");
    assert.equal(readClose(await client.frame()).code, 1008);
    assert.deepEqual(await client.inbox.rest(), EMPTY);
    client.abort();
    await pushing;
    await t.idle();
    await backend.destroy();
  });
});

Deno.test("closes: proxy:slow, a client that does not read for --write-timeout", async () => {
  await withProxy({ writeTimeoutMs: 500 }, async (t) => {
    const { quic, client, backend } = await t.open();
    const frame = fromBackend.frame(Opcode.BINARY, KIB64);
    for (let i = 0; i < 512; i++) backend.write(frame);
    const { by, reason } = await t.seen.end();
    assert.deepEqual({ by, reason }, { by: "proxy:slow", reason: "client reads too slowly" });
    assert.equal(readClose(await backend.frame()).code, 1008);
    assert.deepEqual(await backend.inbox.rest(), EMPTY);
    // What was written arrives if it reads on after all; its end is FIN, in mid-frame or not.
    await t.idle();
    await client.inbox.take(KIB64.length);
    quic.close();
  });
});

/** The next frame that is not data. */
async function control(inbox: Inbox): Promise<SeenFrame> {
  for (;;) {
    const frame = await inbox.frame();
    assert.notEqual(frame, null);
    if (frame!.opcode >= 0x8) return frame!;
  }
}

Deno.test("closes: the proxy's own Ping goes to the client; its Pong goes no further", async () => {
  await withProxy({ pingIntervalMs: 200, pongTimeoutMs: 20_000 }, async (t) => {
    const { client, backend } = await t.open();
    for (let i = 0; i < 2; i++) {
      const ping = await control(client.inbox);
      assert.equal(ping.opcode, Opcode.PING);
      assert.equal(ping.masked, false);
      // RFC 6455 §5.5.3: a Pong without a Ping may be sent; it is not the proxy's to swallow.
      const foreign = fromClient.frame(Opcode.PONG, `foreign ${i}`);
      const mark = fromClient.text(`mark ${i}`);
      await client.send(foreign);
      await client.send(fromClient.frame(Opcode.PONG, ping.payload));
      await client.send(mark);
      assert.deepEqual(await backend.inbox.take(foreign.length), foreign);
      assert.deepEqual(await backend.inbox.take(mark.length), mark);
    }
    // A Ping of the backend's and its Pong are its own.
    backend.write(fromBackend.frame(Opcode.PING, "backend's"));
    let ping = await control(client.inbox);
    while (ping.payload.length !== 9) ping = await control(client.inbox);
    const pong = fromClient.frame(Opcode.PONG, ping.payload);
    await client.send(pong);
    assert.deepEqual(await backend.inbox.take(pong.length), pong);
    await client.send(fromClient.close(1000));
    assert.equal(readClose(await backend.frame()).code, 1000);
    backend.write(fromBackend.close(1000));
    backend.fin();
    assert.equal((await t.seen.end()).by, "client");
    await client.fin();
  });
});

Deno.test("closes: 1001 to both, proxy:ping, when the Pong does not come in --pong-timeout", async () => {
  await withProxy({ pingIntervalMs: 200, pongTimeoutMs: 400 }, async (t) => {
    const { client, backend } = await t.open();
    const ping = await client.frame();
    assert.equal(ping!.opcode, Opcode.PING);
    await client.send(fromClient.frame(Opcode.PONG, "another payload"));
    assert.equal((await backend.frame())!.opcode, Opcode.PONG);
    // It was there then; to the next Ping it says nothing.
    assert.equal((await client.frame())!.opcode, Opcode.PING);
    assert.equal((await closeAndFin(client.inbox, false)).code, 1001);
    assert.equal((await closeAndFin(backend.inbox, true)).code, 1001);
    const { by, code } = await t.seen.end();
    assert.deepEqual({ by, code }, { by: "proxy:ping", code: 1001 });
    await client.fin();
    backend.fin();
  });
});

Deno.test("closes: RFC 6455 §5.5.3: a client may answer the last of several Pings alone", async () => {
  await withProxy({ pingIntervalMs: 200, pongTimeoutMs: 600 }, async (t) => {
    const { client, backend } = await t.open();
    for (let i = 0; i < 5; i++) {
      assert.equal((await control(client.inbox)).opcode, Opcode.PING);
      backend.write(fromBackend.frame(Opcode.PING, `backend's ${i}`));
      const last = await control(client.inbox);
      await client.send(fromClient.frame(Opcode.PONG, last.payload));
      assert.deepEqual((await backend.frame())!.payload, last.payload);
    }
    assert.equal(t.seen.closed.length, 0);
    await client.fin();
    backend.fin();
  });
});

Deno.test("closes: RFC 6455 §5.4: a Pong may wait for the end of a frame that still comes", async () => {
  await withProxy({ pingIntervalMs: 1_000, pongTimeoutMs: 600 }, async (t) => {
    const { client, backend } = await t.open();
    const ping = await control(client.inbox);
    assert.equal(ping.opcode, Opcode.PING);
    const frame = fromClient.frame(Opcode.BINARY, new Uint8Array(20));
    for (let at = 0; at < frame.length; at++) {
      await client.send(frame.subarray(at, at + 1));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await client.send(fromClient.frame(Opcode.PONG, ping.payload));
    await client.send(fromClient.text("mark"));
    assert.deepEqual(await backend.inbox.take(frame.length), frame);
    assert.equal((await backend.frame())!.opcode, Opcode.TEXT, "its Pong goes no further");
    await client.fin();
    backend.fin();
  });
});

Deno.test("closes: no Ping of the proxy's while there is traffic, and none in mid-frame", async () => {
  await withProxy({ pingIntervalMs: 2_000, pongTimeoutMs: 60_000 }, async (t) => {
    const { client, backend } = await t.open();
    const frame = fromBackend.text("tick");
    const untilMs = performance.now() + 3_000;
    let ticks = 0;
    for (; performance.now() < untilMs; ticks++) {
      backend.write(frame);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    for (; ticks > 0; ticks--) assert.deepEqual((await client.frame())!.bytes, frame);
    // Now a frame that is cut: the next bytes are its rest, whatever the time.
    backend.write(frame.subarray(0, 4));
    await client.inbox.take(4);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    backend.write(frame.subarray(4));
    assert.deepEqual(await client.inbox.take(frame.length - 4), frame.subarray(4));
    await client.fin();
    backend.fin();
  });
});

Deno.test("closes: a drain tells both sides of every session 1001, and ends", async () => {
  await withProxy({}, async (t) => {
    const sessions = [await t.open(), await t.open(), await t.open()];
    const { quic } = sessions[0];
    // One that does not answer, one in mid-frame, one that is being dialled.
    const part = fromBackend.text("never whole").subarray(0, 6);
    sessions[2].backend.write(part);
    assert.deepEqual(await sessions[2].client.inbox.take(part.length), part);
    const dialled = await quic.connectWs();
    const late = await t.backend.accept();
    await late.request();

    const draining = t.proxy.drain(3_000);
    const refused = quic.connectWs().then((stream) => stream.answer());
    const { status, get } = await refused;
    assert.equal(status, 503);
    assert.match(get("retry-after") ?? "", /^[0-9]+$/);
    assert.equal(t.seen.rejections.at(-1)?.reason, "draining");
    await until("GOAWAY", () => quic.seen.includes("goaway"));

    late.upgrade();
    assert.equal((await dialled.response()).status, 200);
    assert.equal((await closeAndFin(dialled.inbox, false)).code, 1001);
    assert.equal((await closeAndFin(late.inbox, true)).code, 1001);
    for (const { client, backend } of sessions) {
      if (client === sessions[2].client) {
        assert.deepEqual(await client.inbox.rest(), EMPTY, "no Close in mid-frame");
      } else assert.equal((await closeAndFin(client.inbox, false)).code, 1001);
      assert.equal((await closeAndFin(backend.inbox, true)).code, 1001);
      if (client !== sessions[0].client) await client.fin();
      backend.fin();
    }
    await dialled.fin();
    late.fin();
    await draining;
    assert.deepEqual(t.seen.closed.map(({ by, code }) => [by, code]), [
      ...Array.from({ length: 4 }, () => ["proxy:drain", 1001]),
    ]);
    assert.equal((await quic.quic.closed).code, 0x100, "H3_NO_ERROR");
  });
});
