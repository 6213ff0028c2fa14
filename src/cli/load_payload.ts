import type { Message } from "../endpoint/socket.ts";

/** What is sent: as many sizes as the range has, at most this many, each of them made once. */
const MAX_SIZES = 64;

const WORDS = [
  ...["id", "user", "room", "price", "time", "name", "text", "true", "false", "null", "event"],
  ...["0.25", "17", "1024", "alpha", "bravo", "charlie", "delta"],
];

/** What messages carry. */
export interface PayloadOptions {
  minBytes: number;
  maxBytes: number;
  text: boolean;
}

/**
 * The messages that are sent in turn: text of words, which deflate makes a fifth to a third of, or bytes
 * that it can do nothing with. Of a range of sizes all come equally often, in an order that is mixed
 * and always the same.
 */
export function makePayloads({ minBytes, maxBytes, text }: PayloadOptions): Message[] {
  const random = randomFrom(1);
  const whole = text ? wordsOf(maxBytes, random) : bytesOf(maxBytes, random);
  const sizes = Math.min(MAX_SIZES, maxBytes - minBytes + 1);
  const step = sizes === 1 ? 0 : (maxBytes - minBytes) / (sizes - 1);
  const all = Array.from({ length: sizes }, (_, i) => Math.round(minBytes + i * step));
  return mixed(all, random).map((size) =>
    typeof whole === "string" ? whole.slice(0, size) : whole.subarray(0, size)
  );
}

/** Payload bytes of a message: all text that is sent is ASCII. */
export function sizeOf(message: Message): number {
  return message.length;
}

/** Numbers from 0 to 1 that are always the same (a linear congruential generator). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function wordsOf(length: number, random: () => number): string {
  const words: string[] = [];
  for (let at = 0; at < length;) {
    const word = WORDS[Math.floor(random() * WORDS.length)];
    words.push(word);
    at += word.length + 1;
  }
  return words.join(" ").padEnd(length).slice(0, length);
}

function bytesOf(length: number, random: () => number): Uint8Array {
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

function mixed(values: number[], random: () => number): number[] {
  for (let i = values.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [values[i], values[other]] = [values[other], values[i]];
  }
  return values;
}
