import assert from "node:assert/strict";
import { FrameDecoder } from "../../../src/protocol/tunnel/frame_decoder.ts";
import { encodePrefixed } from "../../../src/protocol/tunnel/encode.ts";
import { type Frame, MAX_FRAME_BYTES } from "../../../src/protocol/tunnel/frame.ts";
import { concat } from "../../../src/protocol/wire/bytes.ts";
import { feedEveryWay, plain, type Target } from "../../fuzz/driver.ts";
import { faults, frames, otherForms } from "./frame_rows.ts";
import { faultOf, hex } from "./frames.ts";

const target: Target<Frame> = {
  name: "FrameDecoder",
  make: () => new FrameDecoder(),
  valid: null!, // nothing is generated here
};

function prefixed(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  return concat([Uint8Array.of(0x40 | (length >> 8), length & 0xff), bytes]);
}

for (const { name, hex: bytes, want } of [...frames, ...otherForms]) {
  Deno.test(`tunnel frame, with its length, whole and cut: ${name}`, () => {
    const { events, error } = feedEveryWay(target, prefixed(hex(bytes)));
    assert.deepEqual([events, error], [[plain(want)], null]);
  });
}

for (const { name, hex: bytes } of faults) {
  Deno.test(`tunnel frame, with its length: ${name} is INVALID_MESSAGE behind what is right`, () => {
    const { events, error } = feedEveryWay(target, concat([hex("02 0805"), prefixed(hex(bytes))]));
    assert.deepEqual(events, [{ type: "fin", id: 5 }]);
    assert.deepEqual(error, { name: "TunnelError", code: 2, scope: "connection", by: "next" });
  });
}

Deno.test("tunnel frames, with their lengths: one behind the other, later versions left out", () => {
  const all = frames.map(({ want }) => want);
  const unknown = hex("04 40 00 01 02");
  const bytes = concat(all.flatMap((frame) => [unknown, encodePrefixed(frame)]));
  assert.deepEqual(feedEveryWay(target, bytes).events, all.map(plain));
});

Deno.test("tunnel frame, with its length: cut off at every byte", () => {
  const whole = encodePrefixed({ type: "credit", id: 70, bytes: 70_000 });
  for (let at = 1; at < whole.length; at++) {
    const { events, error } = feedEveryWay(target, whole.subarray(0, at));
    assert.deepEqual(events, []);
    assert.deepEqual(error, { name: "TunnelError", code: 2, scope: "connection", by: "end" });
  }
});

Deno.test("tunnel frame, with its length: too long is a fault before its first byte came", () => {
  for (const length of ["80010009 (65545)", "80010010", "ffffffffffffffff"]) {
    const decoder = new FrameDecoder();
    decoder.push(hex(length));
    if (length.startsWith("80010009")) {
      assert.equal(decoder.next(), null);
      assert.equal(decoder.buffered, 0);
    } else assert.match(faultOf(() => decoder.next()).message, /too long/);
  }
});

Deno.test("tunnel frame, with its length: the longest is gathered, and no more than it", () => {
  const decoder = new FrameDecoder();
  const whole = encodePrefixed({ type: "data", id: 2 ** 40, bytes: new Uint8Array(0x10000) });
  assert.equal(whole.length, 4 + MAX_FRAME_BYTES);
  let most = 0;
  for (let at = 0; at < whole.length; at += 1000) {
    decoder.push(whole.subarray(at, at + 1000));
    const frame = decoder.next();
    assert.equal(frame?.type, at + 1000 < whole.length ? undefined : "data");
    most = Math.max(most, decoder.buffered);
    assert.ok(decoder.buffered <= decoder.limit);
  }
  assert.ok(most > 64_000);
  assert.equal(decoder.buffered, 0);
});

Deno.test("tunnel frame, with its length: what is there as a whole is not copied", () => {
  const decoder = new FrameDecoder();
  const bytes = encodePrefixed({ type: "data", id: 1, bytes: new Uint8Array(100) });
  decoder.push(bytes);
  const frame = decoder.next();
  assert.ok(frame?.type === "data");
  assert.equal(frame.bytes.buffer, bytes.buffer);
});

Deno.test("tunnel frame, with its length: what is behind it may be other bytes", () => {
  const decoder = new FrameDecoder();
  decoder.push(hex("03 04 05 09 616263"));
  assert.deepEqual(decoder.next(), { type: "opened", id: 5, windowBytes: 9 });
  assert.deepEqual(decoder.rest(), hex("616263"));
  assert.equal(decoder.next(), null);
  assert.deepEqual(decoder.rest(), hex(""));
  decoder.end();
});
