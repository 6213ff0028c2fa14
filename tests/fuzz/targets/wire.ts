import * as fc from "fast-check";
import { latin1, latin1Bytes } from "../../../src/protocol/wire/latin1.ts";
import {
  MAX_LENGTH,
  readVarint,
  varintSize,
  varintSizeAt,
  writeVarint,
} from "../../../src/protocol/wire/varint.ts";
import type { Codec } from "../driver.ts";

const value = fc.oneof(
  fc.nat(0x3f),
  fc.nat(0x3fff),
  fc.nat(0x3fffffff),
  fc.maxSafeNat(),
  fc.constantFrom(0x3f, 0x40, 0x3fff, 0x4000, 0x3fffffff, 0x40000000, MAX_LENGTH),
);

function encode(value: number): Uint8Array {
  const out = new Uint8Array(8);
  const end = writeVarint(out, 0, value);
  if (end !== varintSize(value)) throw new Error(`${value} takes ${end} bytes`);
  return out.subarray(0, end);
}

const varint: Codec<number, Uint8Array> = {
  name: "varint",
  value,
  encode,
  decode: (bytes) => varintSizeAt(bytes[0]) === bytes.length ? readVarint(bytes, 0) : "cut",
};

const text: Codec<Uint8Array, string> = {
  name: "latin1",
  value: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ max: 127, maxLength: 40 })),
  encode: (bytes) => latin1(bytes, 0, bytes.length),
  decode: latin1Bytes,
};

export const codecs: Codec[] = [varint, text] as Codec[];
