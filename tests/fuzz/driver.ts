/**
 * The one fuzz driver. Every parser has one shape (src/protocol/wire/parser.ts), so four laws hold
 * for all of them:
 *
 * 1. only events or a PeerError come out, whatever the bytes;
 * 2. whole = byte by byte = random cuts;
 * 3. `buffered` never passes `limit`;
 * 4. decode(encode(x)) = x.
 *
 * H3WS_FUZZ_RUNS sets the runs of each law for each target, H3WS_FUZZ_SEED repeats a failure: its
 * seed is in the message.
 */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { PeerError } from "../../src/protocol/wire/error.ts";
import type { Parser } from "../../src/protocol/wire/parser.ts";

export type Bytes = Uint8Array;

/** Bytes of which it doesn't matter how they are cut: neighbours of the same name are joined. */
export interface Run {
  readonly run: string;
  readonly bytes: Bytes;
}

/** A parser under test. */
export interface Target<Event = unknown, P extends Parser<Event> = Parser<Event>> {
  readonly name: string;
  make(): P;
  /** Input that the parser takes without an error. */
  readonly valid: fc.Arbitrary<Bytes>;
  /** Input at and above its limits, or else at the edge of what it takes. */
  readonly beyond?: fc.Arbitrary<Bytes>;
  /** The error that `end` throws behind valid input, for streams that must never end. */
  readonly endCode?: number;
  /** Takes the cuts out of an event: a `Run` or any plain value. The event itself if left out. */
  normalise?(event: Event): Run | unknown;
  /** What else must not depend on cuts: counters, flags. */
  state?(parser: P): unknown;
  /** What must hold for input and outcome besides. */
  check?(input: Bytes, outcome: Outcome): void;
  /** Whether an error takes the events before it along, so that those depend on cuts. */
  readonly losesEvents?: boolean;
}

/** A function under test that reads bytes which are all there. */
export interface Decoder {
  readonly name: string;
  decode(bytes: Bytes): unknown;
  readonly valid: fc.Arbitrary<Bytes>;
  readonly beyond?: fc.Arbitrary<Bytes>;
}

/** An encoder and its decoder. */
export interface Codec<Value = unknown, Wire = unknown> {
  readonly name: string;
  readonly value: fc.Arbitrary<Value>;
  encode(value: Value): Wire;
  decode(wire: Wire): unknown;
  /** What `decode` gives for `value`, if that is not `value` itself. */
  want?(value: Value): unknown;
}

/** What came out of a parser. Bytes are hex, so that outcomes can be compared and read. */
export interface Outcome {
  readonly events: unknown[];
  readonly error: { name: string; code: number; scope: string; by: "next" | "end" } | null;
  readonly state?: unknown;
}

/** Feeds the chunks, holding the parser to laws 1 and 3 all the way. */
export function feed<Event, P extends Parser<Event>>(
  target: Target<Event, P>,
  chunks: readonly Bytes[],
): Outcome {
  const parser = target.make();
  const events: unknown[] = [];
  const keep = (event: Event) =>
    append(events, target.normalise === undefined ? event : target.normalise(event));
  const error = feedInto(parser, chunks, keep);
  const lost = error !== null && target.losesEvents === true;
  const outcome = { events: lost ? [] : settle(events), error };
  return target.state === undefined ? outcome : { ...outcome, state: plain(target.state(parser)) };
}

function feedInto<Event>(
  parser: Parser<Event>,
  chunks: readonly Bytes[],
  keep: (event: Event) => void,
): Outcome["error"] {
  for (const chunk of chunks) {
    const own = inRoom(chunk);
    parser.push(own);
    checkBuffered(parser);
    const given: Event[] = [];
    const error = drain(parser, given, 64 + 8 * chunk.length);
    // Views hold until the next push, not longer: whoever kept one shall see it.
    given.forEach(keep);
    own.fill(0xa5);
    if (error !== null) return { ...error, by: "next" };
  }
  const error = catchPeerError(() => parser.end());
  checkBuffered(parser);
  return error && { ...error, by: "end" };
}

/** Law 2: the outcome, be the input fed whole, byte by byte or cut at these places. */
export function feedEveryWay<Event, P extends Parser<Event>>(
  target: Target<Event, P>,
  input: Bytes,
  cuts: readonly number[] = [3, 7, 20, 21],
): Outcome {
  const whole = feed(target, [input]);
  assert.deepEqual(feed(target, bytewise(input)), whole, "byte by byte is not as whole");
  assert.deepEqual(feed(target, cutAt(input, cuts)), whole, "cut at random is not as whole");
  target.check?.(input, whole);
  return whole;
}

/** Two targets that must give the same for the same input. */
export function agree(one: Target, other: Target, chunks: readonly Bytes[]): void {
  const want = feed(one, chunks);
  const got = feed(other, chunks);
  const lost = want.error !== null && (one.losesEvents || other.losesEvents);
  assert.deepEqual(lost ? got.error : got, lost ? want.error : want);
}

type Thrown = { name: string; code: number; scope: string };

function drain<Event>(
  parser: Parser<Event>,
  given: Event[],
  most: number,
): Thrown | null {
  for (let count = 0; count <= most; count++) {
    let event: Event | null = null;
    const error = catchPeerError(() => event = parser.next());
    checkBuffered(parser);
    if (error !== null) {
      // A broken stream stays broken: it throws again or is silent, but it never gives an event.
      const again = catchPeerError(() => assert.equal(parser.next(), null, "event after an error"));
      if (again !== null) assert.deepEqual(again, error, "another error after an error");
      return error;
    }
    if (event === null) return null;
    given.push(event);
  }
  throw new Error(`more than ${most} events from one chunk`);
}

/** Law 1: anything thrown that is no PeerError is a bug, and goes on up. */
function catchPeerError(action: () => void): Thrown | null {
  try {
    action();
    return null;
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    assert.ok(Number.isInteger(error.code), `${error.name} without a code`);
    return { name: error.name, code: error.code, scope: error.scope };
  }
}

/** Law 3. */
function checkBuffered(parser: Parser<unknown>): void {
  const { buffered, limit } = parser;
  assert.ok(
    Number.isSafeInteger(buffered) && buffered >= 0 && buffered <= limit,
    `buffered ${buffered}, limit ${limit}`,
  );
}

/** A copy in the middle of a larger buffer, as a socket's reader would give it. */
function inRoom(bytes: Bytes): Bytes {
  const room = new Uint8Array(bytes.length + 24).fill(0x5a);
  room.set(bytes, 9);
  return room.subarray(9, 9 + bytes.length);
}

interface OpenRun {
  run: string;
  parts: string;
}

function append(events: unknown[], event: unknown): void {
  if (!isRun(event)) {
    events.push(plain(event));
    return;
  }
  const last = events[events.length - 1] as OpenRun | undefined;
  if (last?.parts !== undefined && last.run === event.run) last.parts += hex(event.bytes);
  else events.push({ run: event.run, parts: hex(event.bytes) });
}

function isRun(event: unknown): event is Run {
  return typeof event === "object" && event !== null && "run" in event && "bytes" in event;
}

function settle(events: unknown[]): unknown[] {
  return events.map((event) => {
    const { run, parts } = event as OpenRun;
    return parts === undefined ? event : { [run]: parts };
  });
}

/** A copy of a value in which bytes are hex. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}

export function hex(bytes: Bytes): string {
  let text = "";
  for (const byte of bytes) text += (byte < 16 ? "0" : "") + byte.toString(16);
  return text;
}

function bytewise(bytes: Bytes): Bytes[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

/** Cuts at these places, each taken modulo the length. */
export function cutAt(bytes: Bytes, cuts: readonly number[]): Bytes[] {
  const places = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
  const chunks: Bytes[] = [];
  let start = 0;
  for (const place of [...places, bytes.length]) {
    if (place > start) chunks.push(bytes.slice(start, place));
    start = place;
  }
  return chunks;
}

/**
 * Gives the bytes behind a message as a last event, for parsers that hand them over by `rest`.
 */
export function withRest<Event>(
  parser: Parser<Event> & { rest(): Bytes },
): Parser<Event | Run> {
  return {
    push: (chunk) => parser.push(chunk),
    next() {
      const event = parser.next();
      if (event !== null) return event;
      const bytes = parser.rest();
      return bytes.length > 0 ? { run: "rest", bytes } : null;
    },
    end: () => parser.end(),
    get limit() {
      return parser.limit;
    },
    get buffered() {
      return parser.buffered;
    },
  };
}

/** Law 1 for a function: it returns or throws a PeerError. */
export function decodesOrThrowsPeerError(decoder: Decoder, input: Bytes): void {
  catchPeerError(() => decoder.decode(inRoom(input)));
}

/** Law 4. */
export function roundTrips<Value, Wire>(codec: Codec<Value, Wire>, value: Value): void {
  const want = codec.want === undefined ? value : codec.want(value);
  assert.deepEqual(plain(codec.decode(codec.encode(value))), plain(want));
}

/** Runs a property. On failure fast-check prints the seed, the path and the smallest input. */
export function holds<Input>(input: fc.Arbitrary<Input>, law: (input: Input) => void): void {
  const seed = Deno.env.get("H3WS_FUZZ_SEED");
  fc.assert(fc.property(input, law), {
    numRuns: Number(Deno.env.get("H3WS_FUZZ_RUNS") ?? 300),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  });
}
