// How the tests of this room feed a parser, and how they write down what it told.

import assert from "node:assert/strict";
import fc from "fast-check";
import { h3CodeName, H3Error } from "../../../src/protocol/http3/codes.ts";
import { PeerError } from "../../../src/protocol/wire/error.ts";
import type { Parser } from "../../../src/protocol/wire/parser.ts";

/** Bytes from hex; blanks and what stands in parentheses are for the reader. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\([^)]*\)/g, "").replace(/\s+/g, "");
  assert.match(digits, /^([0-9a-f]{2})*$/);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A PeerError as text; anything else is a bug and goes on. */
export function errorText(error: unknown): string {
  if (!(error instanceof PeerError)) throw error;
  if (error instanceof H3Error) assert.notEqual(error.message, "");
  return `${h3CodeName(error.code)} ${error.scope}`;
}

export interface Feeding<Event> {
  parser: Parser<Event>;
  /** An event in one line; lines that begin with "data " are joined. */
  show: (event: Event) => string;
}

/** Feeds all chunks, then ends; gives a line for each event and for what was thrown, or "end". */
export function feed<Event>({ parser, show }: Feeding<Event>, chunks: Uint8Array[]): string[] {
  const lines: string[] = [];
  const add = (line: string) => {
    const last = lines.length - 1;
    if (line.startsWith("data ") && lines[last]?.startsWith("data ")) lines[last] += line.slice(5);
    else lines.push(line);
  };
  try {
    for (const chunk of chunks) {
      // A copy that is overwritten afterwards: views hold until the next push only.
      const own = chunk.slice();
      parser.push(own);
      for (let event = parser.next(); event !== null; event = parser.next()) add(show(event));
      assert.ok(parser.buffered <= parser.limit, `${parser.buffered} > ${parser.limit}`);
      own.fill(0xee);
    }
    parser.end();
    add("end");
  } catch (error) {
    add(errorText(error));
    // A fault is thrown again ever after, and what comes then is dropped.
    assert.throws(() => parser.end(), error as Error);
    assert.throws(() => parser.next(), error as Error);
    parser.push(new Uint8Array(3));
  }
  return lines;
}

export function cutAt(bytes: Uint8Array, cuts: number[]): Uint8Array[] {
  const at = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])];
  at.sort((a, b) => a - b);
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

/** Whole, byte by byte and at random cuts: what is told MUST be the same. */
export function feedAllWays<Event>(make: () => Feeding<Event>, bytes: Uint8Array): string[] {
  const whole = feed(make(), [bytes]);
  const bytewise = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  assert.deepEqual(feed(make(), bytewise), whole, "byte by byte");
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 8 }), (cuts) => {
      assert.deepEqual(feed(make(), cutAt(bytes, cuts)), whole);
    }),
    { numRuns: 30 },
  );
  return whole;
}
