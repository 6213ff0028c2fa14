// How a session ends by what its two ends do: Close, FIN, RST.
import assert from "node:assert/strict";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { closeAndFin, fromBackend, fromClient, readClose } from "../support/frames.ts";
import { withProxy } from "../support/proxy.ts";

const EMPTY = new Uint8Array(0);

Deno.test("closes: frames of all kinds pass once, in order, unchanged, to Close and FIN", async () => {
  await withProxy({}, async (t) => {
    const { client, backend } = await t.open();
    const frames = (make: typeof fromClient) => [
      make.text("first"),
      make.frame(Opcode.PING, "ping 1"),
      make.frame(Opcode.TEXT, "frag", { fin: false }),
      make.frame(Opcode.PING, ""),
      make.frame(Opcode.CONTINUATION, "", { fin: false }),
      make.frame(Opcode.PONG, "not asked for"),
      make.frame(Opcode.CONTINUATION, "ment"),
      make.frame(Opcode.BINARY, new Uint8Array(70_000).fill(7)),
      make.frame(Opcode.PONG, new Uint8Array(125).fill(1)),
      make.text(""),
    ];
    const up = frames(fromClient);
    const down = frames(fromBackend);
    for (const frame of up) await client.send(frame);
    for (const frame of down) backend.write(frame);
    const [allUp, allDown] = [concat(up), concat(down)];
    assert.deepEqual(await backend.inbox.take(allUp.length), allUp);
    assert.deepEqual(await client.inbox.take(allDown.length), allDown);

    const close = fromClient.close(4001, "bye");
    await client.send(close);
    assert.deepEqual(await backend.inbox.take(close.length), close);
    const answer = fromBackend.close(4001);
    backend.write(answer);
    backend.fin();
    assert.deepEqual(await client.inbox.rest(), answer);
    await client.fin();
    assert.deepEqual(await backend.inbox.rest(), EMPTY);
    assert.deepEqual(await t.seen.end(), { by: "client", code: 4001, reason: "bye" });
    const { toBackend, toClient } = t.seen.closed[0];
    const all = { messages: 4, frames: up.length + 1 };
    assert.deepEqual(toBackend, { ...all, bytes: allUp.length + close.length });
    assert.deepEqual(toClient, { ...all, bytes: allDown.length + answer.length });
  });
});

Deno.test("closes: by the backend, code and reason reach the client", async () => {
  await withProxy({}, async (t) => {
    const { client, backend } = await t.open();
    backend.write(fromBackend.close(4002, "done"));
    assert.deepEqual(readClose(await client.frame()), { code: 4002, reason: "done" });
    assert.equal(t.seen.closed.length, 0, "one Close is not the end");
    const answer = fromClient.close(4002);
    await client.send(answer);
    // RFC 6455 §7.1.1: the server ends TCP first, and the client's stream ends at once.
    assert.deepEqual(await backend.inbox.take(answer.length), answer);
    assert.deepEqual(await client.inbox.rest(), EMPTY);
    backend.fin();
    assert.deepEqual(await t.seen.end(), { by: "backend", code: 4002, reason: "done" });
    await client.fin();
    assert.deepEqual(await backend.inbox.rest(), EMPTY);
  });
});

Deno.test("closes: a Close without a code stays one; 1005 is in the record only", async () => {
  await withProxy({}, async (t) => {
    const { client, backend } = await t.open();
    await client.send(fromClient.frame(Opcode.CLOSE, ""));
    assert.equal((await backend.frame())!.payload.length, 0);
    backend.write(fromBackend.frame(Opcode.CLOSE, ""));
    backend.fin();
    assert.equal((await client.frame())!.payload.length, 0);
    assert.deepEqual(await t.seen.end(), { by: "client", code: 1005, reason: "" });
    await client.fin();
  });
});

Deno.test("RFC 6455 §5.5.1: nothing that follows a Close is passed on", async () => {
  await withProxy({}, async (t) => {
    const { client, backend } = await t.open();
    const close = fromClient.close(1000);
    await client.send(concat([close, fromClient.text("too late")]));
    await client.send(fromClient.text("much too late"));
    assert.deepEqual(await backend.inbox.take(close.length), close);
    backend.write(concat([fromBackend.close(1000), fromBackend.text("too late")]));
    backend.fin();
    assert.deepEqual(await closeAndFin(client.inbox, false), { code: 1000, reason: "" });
    assert.deepEqual(await backend.inbox.rest(), EMPTY);
    assert.deepEqual(await t.seen.end(), { by: "client", code: 1000, reason: "" });
    await client.fin();
  });
});

Deno.test("closes: a backend that goes right behind its Close is the one who closed", async () => {
  await withProxy({}, async (t) => {
    const { client, backend } = await t.open();
    backend.write(fromBackend.close(1012, "restart"));
    backend.fin();
    assert.deepEqual(await closeAndFin(client.inbox, false), { code: 1012, reason: "restart" });
    assert.deepEqual(await t.seen.end(), { by: "backend", code: 1012, reason: "restart" });
    await client.send(fromClient.close(1012));
    await client.fin();
  });
});

Deno.test("closes: when a backend goes, what a client still says is read to its end", async () => {
  // Else its stream's credit would not come back, and a connection would run out of streams.
  await withProxy({ maxStreams: 4 }, async (t) => {
    const quic = await t.connect();
    for (let i = 0; i < 20; i++) {
      const { client, backend } = await t.open();
      backend.write(fromBackend.close(1000));
      await backend.destroy();
      await closeAndFin(client.inbox, false);
      for (let k = 0; k < 3; k++) {
        await client.send(fromClient.text("still there?"));
        await quic.roundTrip();
      }
      await client.fin();
    }
    quic.close();
  });
});

Deno.test("closes: a client's FIN without Close becomes FIN, what is still sent arrives", async () => {
  await withProxy({}, async (t) => {
    const { client, backend } = await t.open();
    const last = fromClient.text("last words");
    await client.send(last);
    await client.fin();
    assert.deepEqual(await backend.inbox.rest(), last);
    assert.equal(backend.inbox.ending, "fin");
    assert.equal(t.seen.closed.length, 0, "the other way goes on");
    const frames = Array.from({ length: 20 }, (_, i) => fromBackend.text(`answer ${i}`));
    for (const frame of frames) backend.write(frame);
    backend.fin();
    assert.deepEqual(await client.inbox.rest(), concat(frames));
    const { by, code } = await t.seen.end();
    assert.deepEqual({ by, code }, { by: "client", code: 1006 });
  });
});

Deno.test("closes: a client's FIN in mid-frame becomes FIN, too", async () => {
  await withProxy({}, async (t) => {
    const { client, backend } = await t.open();
    const part = fromClient.text("cut in the middle").subarray(0, 9);
    await client.send(part);
    await client.fin();
    assert.deepEqual(await backend.inbox.rest(), part);
    backend.fin();
    assert.deepEqual(await client.inbox.rest(), EMPTY);
    assert.equal((await t.seen.end()).by, "client");
  });
});

Deno.test("closes: a client that is gone ends the backend leg at once", async () => {
  await withProxy({}, async (t) => {
    const { quic, client, backend } = await t.open();
    const frame = fromClient.text("hello");
    await client.send(frame);
    assert.deepEqual(await backend.inbox.take(frame.length), frame);
    quic.close();
    assert.deepEqual(await backend.inbox.rest(), EMPTY);
    const { by, code } = await t.seen.end();
    assert.deepEqual({ by, code }, { by: "client", code: 1006 });
  });
});

Deno.test("closes: a client that stops its stream (STOP_SENDING) ends the session", async () => {
  await withProxy({}, async (t) => {
    const { client, backend } = await t.open();
    client.abort();
    // It is told as FIN first; the next write finds that nobody reads.
    assert.deepEqual(await backend.inbox.rest(), EMPTY);
    backend.write(fromBackend.text("is anybody there?"));
    assert.equal((await t.seen.end()).by, "client");
  });
});

Deno.test("closes: Close of both at once is one end, and one record", async () => {
  await withProxy({}, async (t) => {
    const { client, backend } = await t.open();
    backend.write(fromBackend.close(4100, "b"));
    await client.send(fromClient.close(4200, "c"));
    assert.equal(readClose(await client.frame()).code, 4100);
    assert.equal(readClose(await backend.frame()).code, 4200);
    backend.fin();
    await client.fin();
    const { by, code } = await t.seen.end();
    assert.ok((by === "backend" && code === 4100) || (by === "client" && code === 4200));
  });
});

Deno.test("closes: a client that keeps its stream open after the end holds nothing", async () => {
  await withProxy({ maxStreams: 2 }, async (t) => {
    const quic = await t.connect();
    for (let i = 0; i < 3; i++) {
      const { client, backend } = await t.open();
      await client.send(fromClient.close(1000));
      backend.write(fromBackend.close(1000));
      await closeAndFin(client.inbox, false);
      // No FIN from either side; the proxy gives them some seconds, then ends both.
      await t.idle();
      client.abort();
    }
    quic.close();
  });
});
