import { Buffer } from "node:buffer";
import { CommandError } from "./command.ts";

/** What is to be sent, one piece after the other. */
export interface Input {
  /** The next piece, `null` at the end; the same until it is taken. */
  peek(): Promise<string | Uint8Array | null>;
  /** Lets the next one come. */
  take(): void;
}

/** The items of an iterable, for whoever may leave one to its successor. */
export function inputOf(items: AsyncIterable<string | Uint8Array>): Input {
  const iterator = items[Symbol.asyncIterator]();
  let next: Promise<string | Uint8Array | null> | null = null;
  return {
    peek() {
      if (next === null) {
        next = iterator.next().then(({ done, value }) => done ? null : value);
        // Whoever peeks again is told.
        next.catch(() => {});
      }
      return next;
    },
    take() {
      next = null;
    },
  };
}

/** Items that are read ahead of who takes them, as far as may be, so that their end is seen. */
export interface Ahead<T> {
  readonly items: AsyncIterable<T>;
  /** Resolves at their end, though some may wait to be taken. */
  readonly ended: Promise<void>;
}

/** Reads ahead, by `most` items. */
export function readAhead<T>(items: AsyncIterable<T>, most: number): Ahead<T> {
  const room = new CountQueuingStrategy({ highWaterMark: most });
  const { readable, writable } = new TransformStream<T, T>(undefined, undefined, room);
  const ended = ReadableStream.from(items).pipeTo(writable);
  // Whoever takes the items is told.
  return { items: readable, ended: ended.catch(() => {}) };
}

const CHUNK_BYTES = 64 * 1024;

/** The bytes of a file of the process as they come. */
export async function* chunksOf(
  file: { read(into: Uint8Array): Promise<number | null> },
): AsyncGenerator<Uint8Array> {
  for (;;) {
    const buffer = new Uint8Array(CHUNK_BYTES);
    const count = await file.read(buffer);
    if (count === null) return;
    if (count > 0) yield buffer.subarray(0, count);
  }
}

const NEWLINE = 0x0a;
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/**
 * The lines of some bytes, without their ends; the last may have none.
 * Throws `CommandError` for one that is too long or no UTF-8.
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number = MAX_LINE_BYTES,
): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let length = 0;
  let number = 0;
  const keep = (part: Uint8Array) => {
    length += part.length;
    if (length > maxBytes) throw lineError(number + 1, `longer than ${maxBytes} bytes`);
    parts.push(part);
  };
  const whole = () => {
    const line = decode(Buffer.concat(parts), ++number);
    parts = [];
    length = 0;
    return line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, start)) {
      keep(chunk.subarray(start, at));
      yield whole();
      start = at + 1;
    }
    // A few bytes must not hold the whole chunk.
    if (start < chunk.length) keep(chunk.slice(start));
  }
  if (parts.length > 0) yield whole();
}

function decode(bytes: Uint8Array, number: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw lineError(number, "no UTF-8");
  }
}

function lineError(number: number, problem: string): CommandError {
  return new CommandError(`stdin: line ${number} is ${problem}; --binary sends bytes as they are`);
}
