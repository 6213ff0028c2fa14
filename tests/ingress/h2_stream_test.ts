import assert from "node:assert/strict";
import { H2Stream, type H2Wire } from "../../src/ingress/h2_stream.ts";
import { NetError } from "../../src/net/error.ts";
import { within } from "../support/within.ts";

/** A connection that only counts what is given back to it. */
function wire(): H2Wire & { consumedBytes: number } {
  const counted = {
    consumedBytes: 0,
    h2: {
      outputBytes: 0,
      consumed(_id: number, bytes: number) {
        counted.consumedBytes += bytes;
      },
    },
    flush() {},
    room: () => null,
  };
  return counted as unknown as H2Wire & { consumedBytes: number };
}

Deno.test("RFC 9113 §10.5: what waits takes about its size in memory, in however small pieces it came", async () => {
  const PIECES = 200_000;
  const counted = wire();
  const stream = new H2Stream(1, counted);
  const before = Deno.memoryUsage();
  for (let i = 0; i < PIECES; i++) stream.receive(new Uint8Array([i & 0xff]));
  const after = Deno.memoryUsage();
  const grown = after.external - before.external;
  assert.ok(grown < 8 * PIECES, `${grown} bytes outside of the heap for ${PIECES}`);
  const bytes = await stream.read();
  assert.equal(bytes?.length, PIECES);
  assert.ok(bytes!.every((byte, i) => byte === (i & 0xff)), "in order");
  stream.end();
  assert.equal(await stream.read(), null);
  assert.equal(counted.consumedBytes, PIECES, "given back once it went on");
});

Deno.test("h2 stream: pieces of any size come out whole and in order", async () => {
  const stream = new H2Stream(1, wire());
  const want: number[] = [];
  for (let i = 0; i < 500; i++) {
    const piece = new Uint8Array((i * 37) % 6000).fill(i);
    if (piece.length === 0) continue;
    want.push(...piece);
    stream.receive(piece);
    if (i % 97 === 0) {
      const got = await stream.read();
      assert.deepEqual([...got!], want.splice(0, got!.length));
    }
  }
  const got = await stream.read();
  assert.equal(got!.length, want.length);
  assert.ok(got!.every((byte, i) => byte === want[i]));
});

/** A connection with room and windows in the hands of a test. */
function shutWire() {
  const sent: string[] = [];
  const wire = {
    sent,
    windowBytes: 0,
    shut: null as PromiseWithResolvers<void> | null,
    h2: {
      outputBytes: 0,
      consumed() {},
      reset: () => void sent.push("reset"),
      sendData(_id: number, bytes: Uint8Array, end: boolean) {
        const taken = Math.min(bytes.length, wire.windowBytes);
        wire.windowBytes -= taken;
        const isLast = end && taken === bytes.length;
        if (taken > 0 || isLast) sent.push(`${bytes.slice(0, taken)}${isLast ? " end" : ""}`);
        return taken;
      },
    },
    flush() {},
    room: () => wire.shut?.promise ?? null,
  };
  return { wire, stream: new H2Stream(1, wire as unknown as H2Wire) };
}

Deno.test("h2 stream: abort tells who waits for room on the connection, at once", async () => {
  for (const end of ["abort", "cutOff"] as const) {
    const { wire, stream } = shutWire();
    wire.shut = Promise.withResolvers();
    const waiting = [stream.write(new Uint8Array(3)), stream.write(new Uint8Array(4))];
    waiting.push(stream.closeWrite());
    if (end === "abort") stream.abort();
    else stream.cutOff(new NetError("lost", "gone"));
    for (const { status } of await within("all", Promise.allSettled(waiting), 1_000)) {
      assert.equal(status, "rejected");
    }
  }
});

Deno.test("h2 stream: writes and the end go in the order of the calls, whatever holds them up", async () => {
  const { wire, stream } = shutWire();
  wire.shut = Promise.withResolvers();
  const { shut } = wire;
  const all = [stream.write(Uint8Array.of(1, 2, 3)), stream.closeWrite()];
  // There is room, but the window takes only a part.
  wire.shut = null;
  wire.windowBytes = 2;
  shut.resolve();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(wire.sent, ["1,2"]);
  wire.windowBytes = 2;
  stream.opened();
  await within("all", Promise.all(all));
  assert.deepEqual(wire.sent, ["1,2", "3", " end"]);
});

Deno.test("h2 stream: what is written as the window opens goes behind what waited for it", async () => {
  const { wire, stream } = shutWire();
  wire.windowBytes = 1;
  const first = stream.write(Uint8Array.of(1, 2));
  wire.windowBytes = 9;
  stream.opened();
  await within("both", Promise.all([first, stream.write(Uint8Array.of(3))]));
  assert.deepEqual(wire.sent, ["1", "2", "3"]);
});
