// How the tests of frames write bytes down, and what they have in common.
import assert from "node:assert/strict";
import { TunnelError } from "../../../src/protocol/tunnel/code.ts";

/** Bytes from hex; blanks and what stands in parentheses are for the reader. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\([^)]*\)/g, "").replace(/\s+/g, "");
  assert.match(digits, /^([0-9a-f]{2})*$/);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Text as hex. */
export function textHex(text: string): string {
  return toHex(new TextEncoder().encode(text));
}

/** What `action` throws, which must be a fault of the peer that ends the link. */
export function faultOf(action: () => unknown): TunnelError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof TunnelError, String(error));
    assert.equal(error.scope, "connection");
    return error;
  }
  throw new Error("nothing was thrown");
}
