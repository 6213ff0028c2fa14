import assert from "node:assert/strict";
import * as fc from "fast-check";
import { decodeFieldSection } from "../../../src/protocol/qpack/decoder.ts";
import { DecoderStreamParser } from "../../../src/protocol/qpack/decoder_stream.ts";
import { encodeFieldSection } from "../../../src/protocol/qpack/encoder.ts";
import { EncoderStreamParser } from "../../../src/protocol/qpack/encoder_stream.ts";
import { STATIC_TABLE } from "../../../src/protocol/qpack/static_table.ts";
import { writeInteger } from "../../../src/protocol/hpack/integer.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import type { Bytes, Codec, Decoder, Target } from "../driver.ts";
import { fieldValue, plainName } from "../fields.ts";
import { join } from "../input.ts";

const MAX_BYTES = 400;

const field: fc.Arbitrary<Field> = fc.oneof(
  fc.constantFrom(...STATIC_TABLE),
  fc.tuple(fc.constantFrom(...STATIC_TABLE.map(([name]) => name)), fieldValue),
  fc.tuple(plainName, fieldValue),
  fc.tuple(fc.constantFrom("cookie", "authorization"), fieldValue),
);
const section = fc.array(field, { maxLength: 8 });

function sizeOf(fields: readonly Field[]): number {
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
}

/** RFC 9204 §4.5.2, §4.5.4: indices about the end of the static table. */
const reference = fc.oneof(
  fc.tuple(fc.constantFrom([0xc0, 6], [0x50, 4], [0x70, 4]), fc.integer({ min: 96, max: 101 })),
  fc.tuple(fc.constantFrom([0x80, 6], [0x40, 4], [0x10, 4], [0x00, 3]), fc.nat(100)),
).map(([[pattern, prefixBits], index]) => integer(pattern, prefixBits, index));

export const decoders: Decoder[] = [{
  name: "field section",
  decode: (bytes) => {
    const { fields, oversize } = decodeFieldSection(bytes, MAX_BYTES);
    assert.ok(sizeOf(fields) <= MAX_BYTES);
    // What was read can be written, and is then read again.
    if (!oversize) {
      const again = decodeFieldSection(encodeFieldSection(fields), MAX_BYTES);
      assert.deepEqual(again, { fields, oversize });
    }
  },
  valid: section.map(encodeFieldSection),
  beyond: reference.map((line) => join([0, 0, 0xd1], line, [1, 0x61])),
}];

const sectionCodec: Codec<Field[], Bytes> = {
  name: "field section",
  value: section,
  encode: encodeFieldSection,
  decode: (bytes) => decodeFieldSection(bytes, Infinity),
  want: (fields) => ({ fields, oversize: false }),
};
const limitCodec: Codec<Field[], Bytes> = {
  name: "field section, at its limit and one byte above",
  value: section.filter((fields) => fields.length > 0),
  encode: encodeFieldSection,
  decode: (bytes) => {
    const { fields } = decodeFieldSection(bytes, Infinity);
    const size = sizeOf(fields);
    assert.equal(decodeFieldSection(bytes, size - 1).oversize, true);
    assert.equal(decodeFieldSection(bytes, size).oversize, false);
    return fields;
  },
};

export const codecs: Codec[] = [sectionCodec, limitCodec] as Codec[];

function integer(pattern: number, prefixBits: number, value: number): Bytes {
  const out = { bytes: new Uint8Array(10), at: 0 };
  writeInteger(out, { pattern, prefixBits }, value);
  return out.bytes.subarray(0, out.at);
}

/** What a peer may say while the dynamic table has capacity 0. */
export const encoderStream: fc.Arbitrary<Bytes> = fc.nat(4).map((size) =>
  new Uint8Array(size).fill(0x20)
);
export const decoderStream: fc.Arbitrary<Bytes> = fc.array(
  fc.oneof(fc.nat(80), fc.maxSafeNat())
    // RFC 9204 §4.4.2: Stream Cancellation.
    .map((streamId) => integer(0x40, 6, streamId)),
  { maxLength: 4 },
).map((all) => join(...all));

export const targets: Target[] = [
  { name: "encoder stream", make: () => new EncoderStreamParser(), valid: encoderStream },
  { name: "decoder stream", make: () => new DecoderStreamParser(), valid: decoderStream },
];
