import assert from "node:assert/strict";
import { H2Stream, type H2Wire } from "../../src/ingress/h2_stream.ts";

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
