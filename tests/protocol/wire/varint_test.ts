import assert from "node:assert/strict";
import {
  MAX_LENGTH,
  readVarint,
  varintSize,
  varintSizeAt,
  writeVarint,
} from "../../../src/protocol/wire/varint.ts";
import { hex } from "../../fuzz/driver.ts";

// RFC 9000 appendix A.1, and the edges of each size.
const SHORTEST = [
  { value: 0, bytes: "00" },
  { value: 37, bytes: "25" },
  { value: 63, bytes: "3f" },
  { value: 64, bytes: "4040" },
  { value: 15293, bytes: "7bbd" },
  { value: 16383, bytes: "7fff" },
  { value: 16384, bytes: "80004000" },
  { value: 494878333, bytes: "9d7f3e7d" },
  { value: 0x3fffffff, bytes: "bfffffff" },
  { value: 0x40000000, bytes: "c000000040000000" },
  { value: 0xffffffff, bytes: "c0000000ffffffff" },
  { value: 0x100000000, bytes: "c000000100000000" },
  { value: MAX_LENGTH, bytes: "c01fffffffffffff" },
];

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

for (const { value, bytes } of SHORTEST) {
  Deno.test(`varint ${value} = ${bytes}`, () => {
    const out = new Uint8Array(12).fill(0xee);
    const end = writeVarint(out, 3, value);
    assert.equal(hex(out.subarray(3, end)), bytes);
    assert.equal(end - 3, varintSize(value));
    assert.equal(hex(out.subarray(end)), "ee".repeat(12 - end));
    assert.equal(varintSizeAt(out[3]), varintSize(value));
    assert.equal(readVarint(out, 3), value);
  });
}

// RFC 9000 §16: a value needn't be in its shortest form.
const LONGER = [
  { value: 37, bytes: "4025" },
  { value: 37, bytes: "80000025" },
  { value: 37, bytes: "c000000000000025" },
  { value: 0, bytes: "c000000000000000" },
  { value: 0x3fff, bytes: "80003fff" },
  { value: 0x80000000, bytes: "c000000080000000" },
  { value: 0xff00000000, bytes: "c00000ff00000000" },
];

for (const { value, bytes } of LONGER) {
  Deno.test(`varint ${bytes} = ${value}, though it is not the shortest form`, () => {
    const input = bytesOf(bytes);
    assert.equal(varintSizeAt(input[0]), input.length);
    assert.equal(readVarint(input, 0), value);
  });
}

for (const bytes of ["c020000000000000", "c020000000000001", "ffffffffffffffff"]) {
  Deno.test(`varint ${bytes} is above 2^53-1 and stays above it`, () => {
    assert.ok(readVarint(bytesOf(bytes), 0) > MAX_LENGTH);
  });
}
