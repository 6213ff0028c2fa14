// The encoder and the decoder stream of a peer.
import assert from "node:assert/strict";
import { QpackCode } from "../../../src/protocol/qpack/codes.ts";
import { DecoderStreamParser } from "../../../src/protocol/qpack/decoder_stream.ts";
import { EncoderStreamParser } from "../../../src/protocol/qpack/encoder_stream.ts";
import type { Parser } from "../../../src/protocol/wire/parser.ts";
import { codeOf, hex } from "../hpack/support.ts";

const { QPACK_DECODER_STREAM_ERROR, QPACK_ENCODER_STREAM_ERROR } = QpackCode;

/** Whole, byte by byte, and cut in two at each place. */
function waysToCut(bytes: Uint8Array): Uint8Array[][] {
  const ways = [[bytes], Array.from(bytes, (byte) => Uint8Array.of(byte))];
  for (let at = 1; at < bytes.length; at++) ways.push([bytes.subarray(0, at), bytes.subarray(at)]);
  return ways;
}

/** The code that `next` throws, and then ever after; or else that of `end`. */
function feed(
  parser: Parser<never>,
  chunks: Uint8Array[],
): { next: number | null; end: number | null } {
  for (const chunk of chunks) {
    const own = chunk.slice();
    parser.push(own);
    const code = codeOf(() => assert.equal(parser.next(), null));
    assert.ok(parser.buffered <= parser.limit);
    if (code !== null) {
      assert.equal(codeOf(() => parser.next()), code);
      parser.push(hex("20"));
      assert.equal(codeOf(() => parser.next()), code);
      assert.equal(codeOf(() => parser.end()), code);
      return { next: code, end: code };
    }
    own.fill(0xee);
  }
  const end = codeOf(() => parser.end());
  if (end !== null) assert.equal(codeOf(() => parser.next()), end);
  return { next: null, end };
}

const FINE = { next: null, end: null };

const ENCODER_STREAM = [
  { name: "nothing", hex: "", fault: false },
  { name: "§4.3.1: Set Dynamic Table Capacity 0", hex: "20", fault: false },
  { name: "§4.3.1: Set Dynamic Table Capacity 0, time and again", hex: "20202020", fault: false },
  { name: "§4.3.1: a capacity that exceeds the limit: 1", hex: "21", fault: true },
  { name: "§4.3.1: a capacity that exceeds the limit: 4096", hex: "203fe11f", fault: true },
  { name: "§7.4: a capacity above 62 bits", hex: "3fffffffffffffffffff7f", fault: true },
  {
    name: "§3.2.2: an entry larger than the capacity: Insert with Name Reference, static",
    hex: "c00161",
    fault: true,
  },
  { name: "§3.2.2: an entry larger than the capacity: an empty one", hex: "20c000", fault: true },
  {
    name: "§2.2.3: Insert with Name Reference of an entry that there is not",
    hex: "8000",
    fault: true,
  },
  {
    name: "§3.1: Insert with Name Reference with a static table index above 98",
    hex: "ff2400",
    fault: true,
  },
  {
    name: "§3.2.2: an entry larger than the capacity: Insert with Literal Name",
    hex: "41610162",
    fault: true,
  },
  {
    name: "§3.2.2: an entry larger than the capacity: Insert with Huffman name",
    hex: "611f00",
    fault: true,
  },
  { name: "§2.2.3: Duplicate of an entry that there is not", hex: "00", fault: true },
  { name: "§2.2.3: Duplicate with a large index", hex: "201f8001", fault: true },
];

for (const { name, hex: digits, fault } of ENCODER_STREAM) {
  Deno.test(`encoder stream: ${name}${fault ? " is QPACK_ENCODER_STREAM_ERROR" : ""}`, () => {
    const code = QPACK_ENCODER_STREAM_ERROR;
    for (const way of waysToCut(hex(digits))) {
      const want = fault ? { next: code, end: code } : FINE;
      assert.deepEqual(feed(new EncoderStreamParser(), way), want);
    }
  });
}

Deno.test("encoder stream: each first byte but 0x20 is an error at once", () => {
  for (let byte = 0; byte < 256; byte++) {
    const { next } = feed(new EncoderStreamParser(), [Uint8Array.of(byte)]);
    assert.equal(next, byte === 0x20 ? null : QPACK_ENCODER_STREAM_ERROR);
  }
});

const DECODER_STREAM: { name: string; hex: string; fault: "next" | "end" | null }[] = [
  { name: "nothing", hex: "", fault: null },
  { name: "§4.4.2: Stream Cancellation is ignored", hex: "40 44 7e", fault: null },
  {
    name: "§4.4.2: Stream Cancellation of large IDs",
    hex: "7f00 7f8001 7fffffffff0f 44",
    fault: null,
  },
  {
    name: "§4.1.1: Stream Cancellation of an ID of 62 bits",
    hex: "7fc0ffffffffffffff3f 40",
    fault: null,
  },
  { name: "§7.4: Stream Cancellation above 62 bits", hex: "7fc1ffffffffffffff3f", fault: "next" },
  {
    name: "§7.4: Stream Cancellation of too many bytes",
    hex: "7f80808080808080808000",
    fault: "next",
  },
  { name: "§4.4.1: Section Acknowledgment that nothing awaits", hex: "80", fault: "next" },
  { name: "§4.4.1: Section Acknowledgment, of a large ID", hex: "44 ff8001", fault: "next" },
  { name: "§4.4.3: Insert Count Increment of 0", hex: "00", fault: "next" },
  { name: "§4.4.3: Insert Count Increment beyond what was sent", hex: "01", fault: "next" },
  { name: "§4.4.3: Insert Count Increment, a large one", hex: "40 3f8001", fault: "next" },
  { name: "an end within an instruction", hex: "44 7f", fault: "end" },
  { name: "an end within an integer", hex: "7f80", fault: "end" },
];

for (const { name, hex: digits, fault } of DECODER_STREAM) {
  Deno.test(`decoder stream: ${name}${fault ? " is QPACK_DECODER_STREAM_ERROR" : ""}`, () => {
    const code = QPACK_DECODER_STREAM_ERROR;
    for (const way of waysToCut(hex(digits))) {
      const want = { next: fault === "next" ? code : null, end: fault === null ? null : code };
      assert.deepEqual(feed(new DecoderStreamParser(), way), want);
    }
  });
}

Deno.test("decoder stream: an instruction's beginning is all that is held back", () => {
  const parser = new DecoderStreamParser();
  parser.push(hex("44 40 7f8080"));
  parser.next();
  assert.equal(parser.buffered, 3);
  parser.push(hex("01 44"));
  parser.next();
  assert.equal(parser.buffered, 0);
  parser.end();
});
