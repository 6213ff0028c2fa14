// What the tests of hpack and qpack share: hex, and the code of what is thrown.
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { PeerError } from "../../../src/protocol/wire/error.ts";

/** Bytes of a hex text; blanks are for the eye. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, "");
  assert.match(digits, /^([0-9a-f]{2})*$/i);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The code of the `PeerError` that `run` throws, which is of the connection; else `null`. */
export function codeOf(run: () => unknown): number | null {
  try {
    run();
    return null;
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    assert.equal(error.scope, "connection");
    return error.code;
  }
}

/** Texts of all latin1 characters, most of them such as fields have. */
export function latin1Text(maxLength: number): fc.Arbitrary<string> {
  const unit = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyzABXZ0123456789-_./=:; "),
    },
    { weight: 1, arbitrary: fc.nat(255).map((code) => String.fromCharCode(code)) },
  );
  return fc.string({ unit, maxLength });
}
