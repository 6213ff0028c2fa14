// How frames are written, and what becomes of the room they took.
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { HpackDecoder } from "../../../src/protocol/hpack/decoder.ts";
import { HpackEncoder } from "../../../src/protocol/hpack/encoder.ts";
import { Output } from "../../../src/protocol/http2/output.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import { ascii, frameLines, hex, join, toHex } from "./support.ts";

function output(): Output {
  return new Output(new HpackEncoder());
}

Deno.test("output: RFC 9113 §4.1, §6: each frame, byte by byte", () => {
  const out = output();
  out.clientPreface();
  out.settings([[0x1, 0x12345678], [0x8, 1]]);
  out.settingsAck();
  out.headers(0x7fffffff, [[":status", "200"]], true);
  out.data(1, ascii("hi"), false);
  out.data(1, new Uint8Array(0), true);
  out.rstStream(3, 0xb);
  out.ping(ascii("12345678"), true);
  out.ping(ascii("12345678"), false);
  out.goaway(5, 1, "why");
  out.windowUpdate(0, 0x7fffffff);
  const want = [
    "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a",
    "00000c 04 00 00000000 0001 12345678 0008 00000001",
    "000000 04 01 00000000",
    "000001 01 05 7fffffff 88",
    "000002 00 00 00000001 6869",
    "000000 00 01 00000001",
    "000004 03 00 00000003 0000000b",
    "000008 06 01 00000000 3132333435363738",
    "000008 06 00 00000000 3132333435363738",
    "00000b 07 00 00000000 00000005 00000001 776879",
    "000004 08 00 00000000 7fffffff",
  ];
  assert.equal(toHex(out.take()), toHex(hex(want.join(""))));
  assert.equal(out.take().length, 0);
});

/** The block of the one HEADERS frame in `bytes`, and how it was cut. */
function blockOf(bytes: Uint8Array): { block: Uint8Array; sizes: number[] } {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
    const isLast = at + 9 + length === bytes.length;
    // RFC 9113 §6.2, §6.10: END_HEADERS is with the last frame alone, END_STREAM with the first.
    const flags = (at === 0 ? 0x1 : 0) | (isLast ? 0x4 : 0);
    assert.deepEqual([bytes[at + 3], bytes[at + 4]], [at === 0 ? 0x1 : 0x9, flags]);
    assert.deepEqual([...bytes.subarray(at + 5, at + 9)], [0, 0, 0, 7]);
    parts.push(bytes.subarray(at + 9, at + 9 + length));
    at += 9 + length;
  }
  return { block: join(...parts), sizes: parts.map((part) => part.length) };
}

Deno.test("output: RFC 9113 §4.2: field blocks above 16384 bytes take CONTINUATION frames", () => {
  for (const length of [16383, 16384, 16385, 32768, 32769, 100_000]) {
    // A literal of bytes that Huffman makes longer: 1 + 2 for the name, and a length of 4 bytes.
    const value = "\x01".repeat(length - 7);
    const out = output();
    out.data(1, ascii("before"), false);
    out.headers(7, [["x", value]], true);
    out.data(1, ascii("behind"), false);
    const bytes = out.take();
    assert.equal(toHex(bytes.subarray(0, 15)), toHex(hex("000006 00 00 00000001 6265666f7265")));
    assert.equal(toHex(bytes.subarray(-15)), toHex(hex("000006 00 00 00000001 626568696e64")));
    const { block, sizes } = blockOf(bytes.subarray(15, -15));
    assert.ok(Math.abs(block.length - length) <= 1);
    assert.ok(sizes.slice(0, -1).every((size) => size === 16384) && sizes.at(-1)! <= 16384);
    assert.deepEqual(new HpackDecoder().decode(block, Infinity).fields, [["x", value]]);
  }
});

Deno.test("output: what was taken holds until the next take, whatever is written meanwhile", () => {
  const step = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 6 });
  fc.assert(fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
    const out = output();
    let last = { bytes: new Uint8Array(0) as Uint8Array, copy: new Uint8Array(0) };
    let id = 1;
    for (const sizes of steps) {
      let length = 0;
      for (const size of sizes) {
        out.data(id, new Uint8Array(Math.min(size, 16384)).fill(id), false);
        length += 9 + Math.min(size, 16384);
        id = (id % 250) + 1;
      }
      assert.equal(out.at, length);
      if (id % 3 === 0) out.trim();
      assert.deepEqual(last.bytes, last.copy);
      const bytes = out.take();
      assert.equal(bytes.length, length);
      last = { bytes, copy: bytes.slice() };
    }
  }));
});

Deno.test("output: room that is not used is given up", () => {
  const out = output();
  for (let i = 0; i < 2; i++) {
    for (let n = 0; n < 10; n++) out.data(1, new Uint8Array(16384), false);
    out.take();
  }
  assert.ok(out.bytes.length >= 163_840, "it is kept while it is used");
  for (let i = 0; i < 4; i++) {
    out.data(1, ascii("hi"), false);
    out.take();
  }
  assert.ok(out.bytes.length <= 8192);
  out.trim();
  out.data(1, ascii("hi"), false);
  out.trim();
  assert.deepEqual(frameLines(out.take(), new HpackDecoder()), ["DATA 1 hi"]);
  out.trim();
  out.trim();
  assert.equal(out.bytes.length, 0);
});

Deno.test("output: answers are counted until they are taken", () => {
  const out = output();
  out.settings([]);
  out.windowUpdate(0, 1);
  out.ping(new Uint8Array(8), false);
  out.data(1, ascii("hi"), false);
  const fields: Field[] = [[":status", "200"]];
  out.headers(1, fields, false);
  assert.equal(out.replyBytes, 0);
  out.settingsAck();
  out.ping(new Uint8Array(8), true);
  out.rstStream(1, 8);
  assert.equal(out.replyBytes, 9 + 17 + 13);
  out.take();
  assert.equal(out.replyBytes, 0);
});
