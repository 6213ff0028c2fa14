// What the tests of this room share: hex, frames, and ways to feed a parser.

import assert from "node:assert/strict";
import { PeerError } from "../../../src/protocol/wire/error.ts";
import type { HeaderContext } from "../../../src/protocol/websocket/rules.ts";
import type { Parser } from "../../../src/protocol/wire/parser.ts";

/** Bytes of a hex text; blanks are for the eye. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, "");
  assert.match(digits, /^([0-9a-f]{2})*$/i);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** What came out, and the code of what was thrown, by `next` or, `atEnd`, by `end`. */
export type Outcome<Event> = { events: Event[]; fault: number | null; atEnd: boolean };

/**
 * Feeds the chunks. `keep` copies an event; it is called as late as events are valid, which is
 * before the next push, and each chunk is overwritten when it is no longer the parser's to read.
 */
export function feed<Event, Kept>(
  parser: Parser<Event>,
  chunks: Uint8Array[],
  keep: (event: Event) => Kept,
): Outcome<Kept> {
  const events: Kept[] = [];
  for (const chunk of chunks) {
    const mine = chunk.slice();
    const fault = code(() => {
      const views: Event[] = [];
      try {
        parser.push(mine);
        for (let event = parser.next(); event !== null; event = parser.next()) {
          views.push(event);
          assert.ok(parser.buffered <= parser.limit, "buffered passes limit");
        }
        assert.ok(parser.buffered <= parser.limit, "buffered passes limit");
      } finally {
        events.push(...views.map(keep));
      }
    });
    mine.fill(0xee);
    if (fault !== null) {
      // A fault is thrown ever after, whatever comes.
      parser.push(hex("8100"));
      assert.equal(code(() => parser.next()), fault);
      assert.equal(code(() => parser.end()), fault);
      return { events, fault, atEnd: false };
    }
  }
  return { events, fault: code(() => parser.end()), atEnd: true };
}

/** The code of the `PeerError` that `run` throws, or `null`. */
export function code(run: () => unknown): number | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof PeerError) return error.code;
    throw error;
  }
}

export function byteByByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
}

export function inTwo(bytes: Uint8Array, at: number): Uint8Array[] {
  return [bytes.subarray(0, at), bytes.subarray(at)];
}

/** Cuts at places that come from a seed, the same each time. */
export function cutAtRandom(bytes: Uint8Array, seed: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let state = seed * 2654435761 >>> 0;
  for (let at = 0; at < bytes.length;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const size = 1 + (state >>> 16) % (1 << ((state >>> 8) % 9));
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

/** Whole, byte by byte, and at random cuts. */
export function waysToCut(bytes: Uint8Array): Uint8Array[][] {
  const ways = [[bytes], byteByByte(bytes)];
  for (let seed = 1; seed <= 8; seed++) ways.push(cutAtRandom(bytes, seed));
  return ways;
}

/** RFC 6455 §5 once more, from the bits and not from our header, the length form left out. */
export function isGood(byte0: number, byte1: number, context: HeaderContext): boolean {
  const bit = (n: number) => ((n < 8 ? byte0 >> (7 - n) : byte1 >> (15 - n)) & 1) === 1;
  const opcode = byte0 % 16;
  if (bit(8) !== context.masked) return false;
  if (bit(1) && context.allowedRsv === 0) return false;
  if ((bit(2) || bit(3)) && context.allowedRsv < 7) return false;
  if (bit(1) && context.allowedRsv === 4 && opcode !== 1 && opcode !== 2) return false;
  if (![0, 1, 2, 8, 9, 10].includes(opcode)) return false;
  if (bit(4)) return bit(0) && byte1 % 128 <= 125;
  return (opcode === 0) === context.inMessage;
}
