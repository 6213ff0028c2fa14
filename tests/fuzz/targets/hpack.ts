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
import { HpackDecoder } from "../../../src/protocol/hpack/decoder.ts";
import { HpackEncoder } from "../../../src/protocol/hpack/encoder.ts";
import { STATIC_TABLE } from "../../../src/protocol/hpack/static_table.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import type { Bytes, Codec, Decoder } from "../driver.ts";
import { fieldValue, plainName } from "../fields.ts";
import { join } from "../input.ts";

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

const MAX_LIST_BYTES = 400;
const TABLE_BYTES = 150;

const field: fc.Arbitrary<Field> = fc.oneof(
  fc.constantFrom(...STATIC_TABLE),
  fc.tuple(fc.constantFrom("x-a", "x-b", "cookie", "authorization", ":path"), fieldValue),
  fc.tuple(plainName, fieldValue),
);
/** The header lists of one connection, of which much comes again. */
const lists = fc.array(fc.array(field, { maxLength: 6 }), { minLength: 1, maxLength: 4 });

function listBytes(fields: readonly Field[]): number {
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
}

/** Blocks, each behind its length in one byte. */
function blocksOf(all: readonly Field[][]): Bytes {
  const encoder = new HpackEncoder({ maxTableBytes: TABLE_BYTES });
  const blocks = all.map((fields) => encoder.encode(fields)).filter((block) => block.length < 256);
  return join(...blocks.map((block) => join([block.length], block)));
}

/** Decodes all blocks with one decoder, whose table must stay within its limit. */
function decodeBlocks(bytes: Bytes): void {
  const decoder = new HpackDecoder();
  for (let at = 0; at < bytes.length;) {
    const block = bytes.subarray(at + 1, at + 1 + bytes[at]);
    const { fields } = decoder.decode(block, MAX_LIST_BYTES);
    assert.ok(listBytes(fields) <= MAX_LIST_BYTES);
    assert.ok(decoder.tableBytes <= 4096);
    assert.equal(listBytes(decoder.tableFields), decoder.tableBytes);
    at += 1 + bytes[at];
  }
}

export const decoders: Decoder[] = [
  {
    name: "header blocks of one connection",
    decode: decodeBlocks,
    valid: lists.map(blocksOf),
  },
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

const listsCodec: Codec<Field[][], Bytes[]> = {
  name: "header lists of one connection",
  value: lists,
  encode: (all) => {
    const encoder = new HpackEncoder({ maxTableBytes: TABLE_BYTES });
    return all.map((fields) => encoder.encode(fields));
  },
  decode: (blocks) => {
    const decoder = new HpackDecoder();
    return blocks.map((block) => decoder.decode(block, Infinity).fields);
  },
};
/** RFC 7541 §4: a decoder that keeps nothing has the same table as one that keeps all. */
const stepCodec: Codec<Field[][], Bytes[]> = {
  ...listsCodec,
  name: "header lists of one connection, one in two too large",
  decode: (blocks) => {
    const decoder = new HpackDecoder();
    return blocks.map((block, i) => decoder.decode(block, i % 2 === 0 ? 0 : Infinity).fields);
  },
  want: (all) => all.map((fields, i) => (i % 2 === 0 ? [] : fields)),
};

export const codecs: Codec[] = [
  huffmanCodec,
  limitCodec,
  integerCodec,
  stringCodec,
  listsCodec,
  stepCodec,
] as Codec[];
