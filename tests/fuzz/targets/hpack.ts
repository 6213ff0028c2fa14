import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  huffmanDecode,
  huffmanEncode,
  huffmanEncodedLength,
  readString,
  writeString,
} from "../../../src/protocol/hpack/huffman.ts";
import {
  type Cursor,
  MAX_INTEGER_BYTES,
  readInteger,
  writeInteger,
} from "../../../src/protocol/hpack/integer.ts";
import type { Bytes, Codec, Decoder } from "../driver.ts";

const MAX_BYTES = 60;

const character = fc.nat(255).map((code) => String.fromCharCode(code));
const text = fc.oneof(
  fc.string({ unit: character, maxLength: 40 }),
  fc.string({ maxLength: 40 }),
  // More than is decoded in one go.
  fc.tuple(character, fc.integer({ min: 1000, max: 1050 })).map(([c, size]) => c.repeat(size)),
);

function huffman(text: string): Bytes {
  const length = huffmanEncodedLength(text);
  const out = new Uint8Array(length + 2);
  assert.equal(huffmanEncode(text, out, 1), 1 + length);
  return out.subarray(1, 1 + length);
}

function written(size: number, write: (cursor: Cursor) => void): Bytes {
  const cursor = { bytes: new Uint8Array(size), at: 0 };
  write(cursor);
  return cursor.bytes.subarray(0, cursor.at);
}

/** Decodes all of the bytes with one reader. */
function whole<Value>(bytes: Bytes, read: (cursor: Cursor) => Value): Value {
  const cursor = { bytes, at: 0 };
  const value = read(cursor);
  assert.equal(cursor.at, bytes.length);
  return value;
}

/** Reads until the end or an error; the cursor must go on and stay inside. */
function readAll(bytes: Bytes, read: (cursor: Cursor) => unknown): void {
  const cursor = { bytes, at: 0 };
  while (cursor.at < bytes.length) {
    const before = cursor.at;
    read(cursor);
    assert.ok(cursor.at > before && cursor.at <= bytes.length);
  }
}

const short = fc.string({ unit: character, maxLength: 20 });

export const decoders: Decoder[] = [
  {
    name: "Huffman",
    decode: (bytes) => {
      const text = huffmanDecode(bytes, 0, bytes.length, MAX_BYTES);
      if (text === null) return;
      assert.ok(text.length <= MAX_BYTES);
      // RFC 7541 §5.2: what is decoded has one encoding only.
      assert.deepEqual(huffman(text), bytes.slice());
    },
    valid: short.map(huffman),
  },
  ...[1, 3, 7, 8].map((prefixBits): Decoder => ({
    name: `prefixed integers, ${prefixBits} bits`,
    decode: (bytes) => readAll(bytes, (cursor) => readInteger(cursor, prefixBits)),
    valid: fc.maxSafeNat().map((value) =>
      written(MAX_INTEGER_BYTES, (out) => writeInteger(out, { pattern: 0, prefixBits }, value))
    ),
  })),
  ...[3, 7].map((prefixBits): Decoder => ({
    name: `string literals, ${prefixBits} bits`,
    decode: (bytes) =>
      readAll(bytes, (cursor) => {
        const text = readString(cursor, prefixBits, MAX_BYTES);
        assert.ok(text === null || text.length <= MAX_BYTES);
      }),
    valid: short.map((text) =>
      written(60, (out) => writeString(out, { pattern: 0, prefixBits }, text))
    ),
  })),
];

const huffmanCodec: Codec<string, Bytes> = {
  name: "Huffman",
  value: text,
  encode: huffman,
  decode: (bytes) => huffmanDecode(bytes, 0, bytes.length, 2000),
};
const limitCodec: Codec<string, Bytes> = {
  name: "Huffman, one byte above the limit",
  value: text.filter((text) => text.length > 0),
  encode: huffman,
  decode: (bytes) => {
    const text = huffmanDecode(bytes, 0, bytes.length, 2000)!;
    assert.equal(huffmanDecode(bytes, 0, bytes.length, text.length - 1), null);
    return huffmanDecode(bytes, 0, bytes.length, text.length);
  },
};
const integerCodec: Codec<[number, number], [number, Bytes]> = {
  name: "prefixed integers",
  value: fc.tuple(
    fc.integer({ min: 1, max: 8 }),
    fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.constant(Number.MAX_SAFE_INTEGER)),
  ),
  encode: ([prefixBits, value]) => [
    prefixBits,
    written(MAX_INTEGER_BYTES, (out) => writeInteger(out, { pattern: 0, prefixBits }, value)),
  ],
  decode: (
    [prefixBits, bytes],
  ) => [prefixBits, whole(bytes, (in_) => readInteger(in_, prefixBits))],
};
const stringCodec: Codec<[number, string], [number, Bytes]> = {
  name: "string literals",
  value: fc.tuple(fc.integer({ min: 3, max: 7 }), text),
  encode: ([prefixBits, text]) => [
    prefixBits,
    written(2000, (out) => writeString(out, { pattern: 0, prefixBits }, text)),
  ],
  decode: ([prefixBits, bytes]) => [
    prefixBits,
    whole(bytes, (in_) => readString(in_, prefixBits, 2000)),
  ],
};

export const codecs: Codec[] = [huffmanCodec, limitCodec, integerCodec, stringCodec] as Codec[];
