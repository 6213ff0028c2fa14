// One end of a pair that talks to itself, and its owner, who does things at random.
import assert from "node:assert/strict";
import { Http2Connection } from "../../../src/protocol/http2/connection.ts";
import type { H2Event } from "../../../src/protocol/http2/events.ts";
import type { LocalSettings } from "../../../src/protocol/http2/options.ts";

/** Small numbers, from which all that is left to chance is made. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  /** From 0 to `max`. */
  upTo(max: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % (max + 1);
  }
}

/** One way of one stream. The bytes are known by where they are. */
export interface Flow {
  /** How many there are to send. */
  readonly length: number;
  readonly trailers: boolean;
  sent: number;
  done: boolean;
  received: number;
  ended: boolean;
  /** What was received and is not consumed yet. */
  unconsumed: number;
}

function byteAt(streamId: number, at: number): number {
  return (at * 7 + streamId + (at >> 8)) & 0xff;
}

function bytesOf(streamId: number, start: number, end: number): Uint8Array {
  return Uint8Array.from({ length: end - start }, (_, i) => byteAt(streamId, start + i));
}

/** One end and its owner. */
export class End {
  readonly connection: Http2Connection;
  /** By stream: what we send, and what we receive. */
  readonly out = new Map<number, Flow>();
  readonly in = new Map<number, Flow>();
  readonly #chance: Chance;
  readonly resets = new Set<number>();
  /** What the peer has not been given yet. */
  wire: Uint8Array[] = [];

  constructor(role: "server" | "client", settings: Partial<LocalSettings>, chance: Chance) {
    // Whoever takes a byte at a time is not calm.
    const much = { burst: 1e9, perSecond: 0 };
    const limits = { resets: much, pings: much, settings: much, overhead: much };
    this.connection = new Http2Connection({ role, settings, limits });
    this.#chance = chance;
  }

  /** Sends something of a stream. */
  send(streamId: number): void {
    const flow = this.out.get(streamId)!;
    if (flow.done) return;
    const chance = this.#chance;
    const end = Math.min(flow.length, flow.sent + 1 + chance.upTo(chance.upTo(40_000)));
    const isLast = end === flow.length && !flow.trailers;
    const room = this.connection.sendable(streamId);
    const bytes = bytesOf(streamId, flow.sent, end);
    const taken = this.connection.sendData(streamId, bytes, isLast);
    assert.equal(taken, Math.min(room, bytes.length));
    flow.sent += taken;
    if (flow.sent < flow.length || taken < bytes.length) return;
    if (flow.trailers) this.connection.sendTrailers(streamId, [["x-sum", `${flow.length}`]]);
    flow.done = true;
  }

  /** Consumes something of a stream. */
  consume(streamId: number, all: boolean): void {
    const flow = this.in.get(streamId)!;
    const bytes = all ? flow.unconsumed : this.#chance.upTo(flow.unconsumed);
    flow.unconsumed -= bytes;
    this.connection.consumed(streamId, bytes);
  }

  take(event: H2Event): void {
    if (event.type === "streamError") throw event.error;
    if (event.type === "reset") this.resets.add(event.streamId);
    const flow = "streamId" in event ? this.in.get(event.streamId) : undefined;
    if (flow === undefined) return;
    if (event.type === "data") {
      const want = bytesOf(event.streamId, flow.received, flow.received + event.bytes.length);
      assert.deepEqual(event.bytes.slice(), want);
      flow.received += event.bytes.length;
      flow.unconsumed += event.bytes.length;
    }
    if (event.type === "trailers") {
      assert.deepEqual(event.fields, [["x-sum", `${flow.received}`]]);
      flow.ended = true;
    }
    if ("endStream" in event && event.endStream) flow.ended = true;
  }

  /** What waits goes onto the wire. */
  flush(): void {
    if (this.connection.outputBytes > 0) this.wire.push(this.connection.output().slice());
  }

  /** Takes a piece of what the peer put on the wire; `false` when there was none. */
  receive(from: End, handle: (event: H2Event) => void): boolean {
    const bytes = from.wire.shift();
    if (bytes === undefined) return false;
    const isCut = this.#chance.upTo(3) === 0;
    const cut = isCut ? 1 + this.#chance.upTo(bytes.length - 1) : bytes.length;
    if (cut < bytes.length) from.wire.unshift(bytes.subarray(cut));
    const own = bytes.slice(0, cut);
    this.connection.push(own);
    for (let event = this.connection.next(); event !== null; event = this.connection.next()) {
      handle(event);
      this.take(event);
    }
    own.fill(0xee);
    assert.ok(this.connection.buffered <= this.connection.limit);
    return true;
  }
}

/** A flow that has not begun. */
export function flowOf(length: number, trailers: boolean): Flow {
  return { length, trailers, sent: 0, done: false, received: 0, ended: false, unconsumed: 0 };
}
