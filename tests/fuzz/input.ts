// Hostile input: valid messages, broken in the places where they have structure, and plain noise.
import * as fc from "fast-check";
import type { Bytes } from "./driver.ts";

/** Bytes at which a parser decides something. */
const TELLING = [0x00, 0x01, 0x0a, 0x0d, 0x20, 0x2c, 0x30, 0x3a, 0x3b, 0x3f, 0x40, 0x7e, 0x7f];
const TELLING_HIGH = [0x80, 0x81, 0x88, 0xbf, 0xc0, 0xc1, 0xed, 0xf0, 0xfe, 0xff];

const byte = fc.oneof(fc.constantFrom(...TELLING, ...TELLING_HIGH), fc.nat(255));
// Headers stand at the front: half of the edits go there.
const place = fc.oneof(fc.nat(15), fc.nat(4095));

interface Edit {
  readonly kind: "flip" | "set" | "insert" | "delete" | "duplicate" | "truncate" | "repeat";
  readonly at: number;
  readonly size: number;
  readonly bytes: readonly number[];
}

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom("flip", "set", "insert", "delete", "duplicate", "truncate", "repeat"),
  at: place,
  size: fc.integer({ min: 1, max: 40 }),
  bytes: fc.array(byte, { minLength: 1, maxLength: 8 }),
});

function apply(input: Bytes, { kind, at, size, bytes }: Edit): Bytes {
  const start = input.length === 0 ? 0 : at % input.length;
  const before = input.subarray(0, start);
  const middle = input.subarray(start, start + size);
  const after = input.subarray(start + size);
  const here = input.subarray(start);
  switch (kind) {
    case "flip":
      return join(before, [input[start] ^ (1 << (size & 7))], input.subarray(start + 1));
    case "set":
      return join(before, bytes, input.subarray(start + bytes.length));
    case "insert":
      return join(before, bytes, here);
    case "delete":
      return join(before, after);
    case "duplicate":
      return join(before, middle, middle, after);
    case "repeat":
      return join(before, Array<number>(size * 8).fill(bytes[0]), here);
    case "truncate":
      return before.slice();
  }
}

/** All parts in one array. */
export function join(...parts: readonly ArrayLike<number>[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Input for a parser: mostly broken, sometimes valid, sometimes noise. */
export function hostile(
  { valid, beyond = valid }: { valid: fc.Arbitrary<Bytes>; beyond?: fc.Arbitrary<Bytes> },
): fc.Arbitrary<Bytes> {
  const several = fc.array(valid, { minLength: 1, maxLength: 3 }).map((all) => join(...all));
  const broken = fc.tuple(
    fc.oneof(valid, several, beyond),
    fc.array(edit, { minLength: 1, maxLength: 4 }),
  ).map(([input, edits]) => edits.reduce(apply, input));
  return fc.oneof(
    { weight: 6, arbitrary: broken },
    { weight: 2, arbitrary: beyond },
    { weight: 1, arbitrary: several },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  );
}

/** Places to cut at; the driver takes them modulo the length. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.nat(4095), { maxLength: 8 });

/** Latin1 text as bytes. */
export function latin1(text: string): Bytes {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** Bytes as latin1 text. */
export function latin1Text(bytes: Bytes): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
