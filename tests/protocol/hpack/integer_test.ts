import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  COMPRESSION_ERROR,
  HpackError,
  MAX_INTEGER_BYTES,
  readInteger,
  writeInteger,
} from "../../../src/protocol/hpack/integer.ts";
import { codeOf, hex, toHex } from "./support.ts";

function read(bytes: Uint8Array, prefixBits: number): { value: number; at: number } {
  const cursor = { bytes, at: 0 };
  return { value: readInteger(cursor, prefixBits), at: cursor.at };
}

function write(value: number, prefixBits: number, pattern = 0): Uint8Array {
  const cursor = { bytes: new Uint8Array(16), at: 0 };
  writeInteger(cursor, { pattern, prefixBits }, value);
  return cursor.bytes.subarray(0, cursor.at);
}

const VECTORS = [
  { name: "RFC 7541 C.1.1: 10 with a prefix of 5 bits", hex: "0a", prefixBits: 5, value: 10 },
  {
    name: "RFC 7541 C.1.2: 1337 with a prefix of 5 bits",
    hex: "1f9a0a",
    prefixBits: 5,
    value: 1337,
  },
  { name: "RFC 7541 C.1.3: 42 with a prefix of 8 bits", hex: "2a", prefixBits: 8, value: 42 },
  { name: "the most a prefix holds", hex: "1e", prefixBits: 5, value: 30 },
  { name: "one more than a prefix holds", hex: "1f00", prefixBits: 5, value: 31 },
  { name: "prefix of one bit", hex: "017f", prefixBits: 1, value: 128 },
  { name: "2^32", hex: "7f81ffffff0f", prefixBits: 7, value: 2 ** 32 },
  { name: "2^53-1", hex: "ff80feffffffffff0f", prefixBits: 8, value: 2 ** 53 - 1 },
];

for (const { name, hex: digits, prefixBits, value } of VECTORS) {
  Deno.test(`integer: ${name}`, () => {
    const bytes = hex(digits);
    assert.deepEqual(read(bytes, prefixBits), { value, at: bytes.length });
    assert.equal(toHex(write(value, prefixBits)), digits);
  });
}

Deno.test("integer: the bits in front of the prefix are not of it", () => {
  assert.equal(read(hex("ea"), 5).value, 10);
  assert.equal(toHex(write(10, 5, 0xe0)), "ea");
  assert.equal(toHex(write(1337, 5, 0xe0)), "ff9a0a");
});

Deno.test("integer: read(write(x)) = x for each size of prefix", () => {
  const value = fc.oneof(fc.nat(600), fc.nat(), fc.maxSafeNat());
  fc.assert(fc.property(value, fc.integer({ min: 1, max: 8 }), (value, prefixBits) => {
    const bytes = write(value, prefixBits);
    assert.ok(bytes.length <= MAX_INTEGER_BYTES);
    assert.deepEqual(read(bytes, prefixBits), { value, at: bytes.length });
  }));
});

Deno.test("RFC 9204 §4.1.1: integers up to and including 62 bits MUST be decodable", () => {
  // 2^62-1 - 63 behind a prefix of 6 bits.
  const value = read(hex("3fc0ffffffffffffff3f"), 6).value;
  assert.equal(value, 2 ** 62);
  assert.ok(value > Number.MAX_SAFE_INTEGER);
});

const TOO_LARGE = [
  { name: "2^62", hex: "3fc1ffffffffffffff3f", prefixBits: 6 },
  { name: "2^63", hex: "ff81feffffffffffff7f", prefixBits: 8 },
  { name: "63 bits and a prefix", hex: "3fffffffffffffffff7f", prefixBits: 6 },
  { name: "10 bytes behind the prefix", hex: "3fffffffffffffffffff01", prefixBits: 6 },
  { name: "10 bytes behind the prefix, zeros all", hex: "3f80808080808080808000", prefixBits: 6 },
  { name: "no end in sight", hex: "1f" + "ff".repeat(100), prefixBits: 5 },
];

for (const { name, hex: digits, prefixBits } of TOO_LARGE) {
  Deno.test(`RFC 7541 §5.1: exceeding our limits MUST be a decoding error: ${name}`, () => {
    assert.equal(codeOf(() => read(hex(digits), prefixBits)), COMPRESSION_ERROR);
  });
}

Deno.test("integer: zeros behind it are no error within 9 bytes", () => {
  assert.deepEqual(read(hex("3f808080808080808000"), 6), { value: 63, at: 10 });
});

Deno.test("integer: a cut one is an error at each place", () => {
  const bytes = hex("3fc0ffffffffffffff3f");
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => read(bytes.subarray(0, length), 6), HpackError);
  }
});

Deno.test("integer: any bytes give a number or HpackError, as exact arithmetic has it", () => {
  const byte = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0x80, max: 0xff }) },
    { weight: 1, arbitrary: fc.nat(255) },
  );
  const bytes = fc.array(byte, { minLength: 1, maxLength: 14 }).map((all) => Uint8Array.from(all));
  fc.assert(
    fc.property(bytes, fc.integer({ min: 1, max: 8 }), (bytes, prefixBits) => {
      const want = exact(bytes, prefixBits);
      if (want === null) assert.throws(() => read(bytes, prefixBits), HpackError);
      else assert.equal(read(bytes, prefixBits).value, Number(want));
    }),
    { numRuns: 1000 },
  );
});

/** RFC 7541 §5.1's pseudocode once more; `null` for an error. */
function exact(bytes: Uint8Array, prefixBits: number): bigint | null {
  const most = (1n << BigInt(prefixBits)) - 1n;
  let value = BigInt(bytes[0]) & most;
  if (value < most) return value;
  for (let i = 1; i < Math.min(10, bytes.length); i++) {
    value += BigInt(bytes[i] & 0x7f) << BigInt(7 * (i - 1));
    if (bytes[i] < 0x80) return value < 1n << 62n ? value : null;
  }
  return null;
}
