import assert from "node:assert/strict";
import { BodyParser } from "../../../src/protocol/http1/body.ts";
import {
  chunkHeader,
  chunkHeaderSize,
  chunkSize,
  CRLF,
  encodeChunk,
  encodeLastChunk,
  MAX_CHUNK_HEADER_SIZE,
  writeChunkHeader,
} from "../../../src/protocol/http1/chunk.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import { join, latin1, latin1Text } from "../../fuzz/input.ts";

const LENGTHS: [length: number, want: string][] = [
  [1, "1\r\n"],
  [15, "f\r\n"],
  [16, "10\r\n"],
  [255, "ff\r\n"],
  [16384, "4000\r\n"],
  [65535, "ffff\r\n"],
  [2 ** 32, "100000000\r\n"],
  [Number.MAX_SAFE_INTEGER, "1fffffffffffff\r\n"],
];

for (const [length, want] of LENGTHS) {
  Deno.test(`chunk header of ${length} bytes`, () => {
    assert.equal(latin1Text(chunkHeader(length)), want);
    assert.equal(chunkHeaderSize(length), want.length);
    assert.ok(want.length <= MAX_CHUNK_HEADER_SIZE);
    const source = latin1(`..${want}`);
    assert.equal(chunkSize({ source, start: 2, end: source.length - 2 }), length);
  });
}

Deno.test("chunk header and payload go out in one write", () => {
  const room = new Uint8Array(100).fill(0x78);
  const end = writeChunkHeader(room, 10, 20);
  assert.equal(end, 14);
  room.set(CRLF, end + 20);
  assert.equal(latin1Text(room.subarray(10, end + 22)), `14\r\n${"x".repeat(20)}\r\n`);
  assert.equal(latin1Text(room.subarray(0, 10)), "x".repeat(10));
});

const SIZES: [line: string, want: number][] = [
  ["0", 0],
  ["0000000000000000", 0],
  ["aBcDeF", 0xabcdef],
  ["1fffffffffffff", Number.MAX_SAFE_INTEGER],
  ["5;a", 5],
  ["5 \t; a = b ;c", 5],
  ['5;a="\\"; \\\\"', 5],
  ["", -1],
  ["00000000000000000", -1],
  ["g", -1],
  ["0x5", -1],
  ["5 ", -1],
  [" 5", -1],
  ["5;", -1],
  ["5; a", 5],
  ["5;a ", -1],
  ['5;"a"', -1],
  ['5;a="', -1],
  ['5;a="\\"', -1],
  ["5a;b=c=d", -1],
  ["5.0", -1],
  ["5,5", -1],
];

for (const [line, want] of SIZES) {
  Deno.test(`RFC 9112 §7.1: the line of a chunk ${JSON.stringify(line)}`, () => {
    assert.equal(chunkSize({ source: latin1(line), start: 0, end: line.length }), want);
  });
}

Deno.test("RFC 9112 §7.1: no loss of precision makes a size above 2^53-1 a smaller one", () => {
  for (const line of ["20000000000000", "20000000000001", "ffffffffffffffff"]) {
    const size = chunkSize({ source: latin1(line), start: 0, end: line.length });
    assert.ok(size > Number.MAX_SAFE_INTEGER);
  }
});

const TRAILERS: Field[] = [["grpc-status", "0"], ["content-length", "3"], ["x-latin", "\xe9"]];

Deno.test("a body that was written is read as it was, trailers too", () => {
  const parts = [latin1("a"), latin1(""), latin1("b".repeat(300))];
  const bytes = join(...parts.map(encodeChunk), encodeLastChunk(TRAILERS), latin1("rest"));
  const parser = new BodyParser({ framing: "chunked", invalid: 400 });
  parser.push(bytes);
  assert.deepEqual(parser.next(), parts[0]);
  assert.deepEqual(parser.next(), parts[2]);
  assert.equal(parser.next(), null);
  assert.deepEqual(parser.trailers, [["grpc-status", "0"], ["x-latin", "\xe9"]]);
  assert.deepEqual(parser.rest(), latin1("rest"));
});

Deno.test("RFC 9110 §6.5.1: forbidden trailer fields are not written", () => {
  const text = latin1Text(encodeLastChunk([["host", "a"], ["x-a", "b"], ["trailer", "x-a"]]));
  assert.equal(text, "0\r\nX-A: b\r\n\r\n");
  assert.equal(latin1Text(encodeLastChunk()), "0\r\n\r\n");
});

Deno.test("trailer fields that would be read as others are not written", () => {
  for (const field of [["a", "b\r\nc: d"], ["a", " b"], ["a b", "c"], ["", ""], ["A", "b"]]) {
    assert.throws(() => encodeLastChunk([field as unknown as Field]), TypeError);
  }
});
