import type { Parser } from "../wire/parser.ts";
import {
  CloseCode,
  MAX_CONTROL_PAYLOAD,
  parseClosePayload,
  tooBig,
  WebSocketError,
} from "./close.ts";
import {
  emptyHeader,
  type FrameHeader,
  headerSize,
  MAX_HEADER_SIZE,
  readHeader,
} from "./header.ts";
import { applyMask } from "./mask.ts";
import { isControl, Opcode } from "./opcode.ts";
import { checkHeader } from "./rules.ts";
import { Tally } from "./tally.ts";
import type { Traffic } from "./traffic.ts";

/** What the meter tells. `bytes` go on as they are; they hold until the next `push`. */
export type MeterEvent =
  | { type: "pass"; bytes: Uint8Array }
  | { type: "pong"; bytes: Uint8Array; payload: Uint8Array }
  | { type: "close"; bytes: Uint8Array; code: number; reason: string };

export interface MeterOptions {
  /** Whether frames of this direction MUST be masked: `true` from client to server. */
  masked: boolean;
  /** The longest payload of one data frame; `Infinity` for none. */
  maxFrameBytes: number;
  /** The longest message: payload over all its fragments, as it is on the wire. */
  maxMessageBytes: number;
  /** The reserved bits that were negotiated (`allowedRsvOf`); default none. */
  allowedRsv?: number;
  /** Tell each Pong as an event of its own; default they pass like all else. */
  watchPong?: boolean;
  /** Counted up as bytes pass. */
  traffic: Traffic;
}

/** A control frame is held back until it is whole, any other frame until its header is. */
const LIMIT = MAX_HEADER_SIZE + MAX_CONTROL_PAYLOAD;

const EMPTY: Uint8Array = new Uint8Array(0);

/** Every meter reads headers into this one: no header outlives a call. */
const header: FrameHeader = emptyHeader();

/**
 * Walks the frame headers of one direction of a WebSocket while its bytes pass unchanged.
 *
 * Payload is skipped by arithmetic and never copied. Every header is checked before any byte of
 * its frame goes on, so that a broken or oversize frame is never forwarded, not even in part:
 * `next` gives the good bytes before it, then throws a `WebSocketError`, and throws it ever after.
 */
export class Meter implements Parser<MeterEvent> {
  readonly limit = LIMIT;

  readonly #tally: Tally;
  readonly #traffic: Traffic;
  readonly #masked: boolean;
  readonly #allowedRsv: number;
  readonly #maxFrameBytes: number;
  readonly #maxMessageBytes: number;
  readonly #watchPong: boolean;

  #chunk = EMPTY;
  #at = 0;
  /** An unfinished header or control frame: `#held` bytes of `#scratch` from `#base` on. */
  #scratch = EMPTY;
  #base = 0;
  #held = 0;
  #closed = false;
  #fault: WebSocketError | null = null;

  constructor(options: MeterOptions) {
    const { masked, traffic, allowedRsv = 0, watchPong = false } = options;
    // A length above 2^53-1 comes as 2^53 and is above every limit.
    this.#maxFrameBytes = Math.min(options.maxFrameBytes, Number.MAX_SAFE_INTEGER);
    this.#maxMessageBytes = Math.min(options.maxMessageBytes, Number.MAX_SAFE_INTEGER);
    this.#traffic = traffic;
    this.#masked = masked;
    this.#allowedRsv = allowedRsv;
    this.#watchPong = watchPong;
    const maxBytes = Math.min(this.#maxFrameBytes, this.#maxMessageBytes);
    this.#tally = new Tally({ masked, allowedRsv, maxBytes, traffic });
  }

  get buffered(): number {
    return this.#held;
  }

  /** Bytes of this session that were told, headers and payloads. */
  get bytes(): number {
    return this.#tally.bytes;
  }

  /** Messages of this session that have passed to their last byte. */
  get messages(): number {
    return this.#tally.messages;
  }

  /** Frames of this session whose header has passed, control frames too. */
  get frames(): number {
    return this.#tally.frames;
  }

  /** Whether all that was told so far ends where a frame ends: here a frame may be put in. */
  get atBoundary(): boolean {
    return this.#tally.left === 0;
  }

  /** Whether a message has begun of which some is still to come. */
  get inMessage(): boolean {
    return this.#tally.inMessage;
  }

  /** Whether a Close frame was told. */
  get closed(): boolean {
    return this.#closed;
  }

  push(chunk: Uint8Array): void {
    // RFC 6455 §5.5.1: nothing may follow a Close frame. §7.1.7: nothing is read after a fault.
    if (this.#closed || this.#fault !== null) return;
    if (this.#at < this.#chunk.length) throw new Error("push() before next() gave null");
    this.#chunk = chunk;
    this.#at = 0;
  }

  next(): MeterEvent | null {
    if (this.#fault !== null) throw this.#fault;
    try {
      const event = this.#held > 0 ? this.#resume() : this.#walk();
      if (event === null) this.#forget();
      return event;
    } catch (error) {
      if (error instanceof WebSocketError) this.#fail(error);
      throw error;
    }
  }

  end(): void {
    if (this.#fault !== null) throw this.#fault;
    if (this.#closed || (this.#held === 0 && this.#tally.left === 0)) return;
    // RFC 6455 §7.1.7: a connection that ends inside a frame has failed.
    this.#fail(new WebSocketError(CloseCode.PROTOCOL_ERROR, "Connection ended inside a frame"));
    throw this.#fault;
  }

  /** Tells the longest run from here on. What cannot be in it is left for the next call. */
  #walk(): MeterEvent | null {
    const tally = this.#tally;
    const chunk = this.#chunk;
    const start = this.#at;
    const end = chunk.length;
    let at = start;
    while (at < end) {
      if (tally.left > 0) at += tally.skip(end - at);
      at = tally.sprint(chunk, at);
      if (at === end) break;
      const size = this.#judgeFrom(start, at);
      if (size === 0 || this.#standsAlone(header.opcode)) {
        if (at > start) break; // The good bytes first: the next call comes back here.
        return size === 0 ? this.#hold(chunk.subarray(at)) : this.#tell(this.#take(at + size));
      }
      tally.enter(header);
      at += size;
    }
    if (at === start) return null;
    tally.count(at - start);
    return { type: "pass", bytes: this.#take(at) };
  }

  /** The bytes of the chunk up to `to`. */
  #take(to: number): Uint8Array {
    const from = this.#at;
    const chunk = this.#chunk;
    this.#at = to;
    return from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to);
  }

  /** As `#judge`, but what is wrong behind good bytes is not thrown yet: it is not whole. */
  #judgeFrom(start: number, at: number): number {
    if (at === start) return this.#judge(this.#chunk, at, this.#chunk.length);
    try {
      return this.#judge(this.#chunk, at, this.#chunk.length);
    } catch {
      return 0;
    }
  }

  /** Goes on with what was held back, until it is whole. */
  #resume(): MeterEvent | null {
    const chunk = this.#chunk;
    let size = 0;
    while ((size = this.#judge(this.#scratch, this.#base, this.#base + this.#held)) === 0) {
      if (this.#at === chunk.length) return null;
      const piece = chunk.subarray(this.#at, this.#at + this.#wanted());
      this.#scratch.set(piece, this.#base + this.#held);
      this.#held += piece.length;
      this.#at += piece.length;
    }
    this.#held = 0;
    const bytes = this.#scratch.subarray(this.#base, this.#base + size);
    if (this.#standsAlone(header.opcode)) return this.#tell(bytes);
    this.#tally.enter(header);
    this.#tally.count(size);
    return { type: "pass", bytes };
  }

  /** How many more bytes make the held ones a longer part of a frame: its header, then all. */
  #wanted(): number {
    if (this.#held < 2) return 2 - this.#held;
    const size = headerSize(this.#scratch[this.#base + 1]);
    if (this.#held < size) return size - this.#held;
    return header.size + header.length - this.#held;
  }

  #hold(bytes: Uint8Array): null {
    if (this.#scratch.length === 0) this.#scratch = new Uint8Array(2 * LIMIT);
    // An event of this very chunk may still be a view of the one half.
    this.#base = LIMIT - this.#base;
    this.#scratch.set(bytes, this.#base);
    this.#held = bytes.length;
    this.#at = this.#chunk.length;
    return null;
  }

  /**
   * Reads and checks the header at `at`. Changes nothing but `header`, so it may be called again.
   * Gives how many bytes may go on at once: a whole control frame, or the header of any other;
   * 0 when they are not all there.
   */
  #judge(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 2 || end - at < headerSize(bytes[at + 1])) return 0;
    readHeader(bytes, at, header);
    checkHeader(header, {
      masked: this.#masked,
      inMessage: this.#tally.inMessage,
      allowedRsv: this.#allowedRsv,
    });
    if (isControl(header.opcode)) {
      const size = header.size + header.length;
      return size <= end - at ? size : 0;
    }
    if (header.length > this.#maxFrameBytes) {
      throw tooBig("frame", this.#maxFrameBytes);
    }
    if (this.#tally.messageBytes + header.length > this.#maxMessageBytes) {
      throw tooBig("message", this.#maxMessageBytes);
    }
    return header.size;
  }

  #standsAlone(opcode: number): boolean {
    return opcode === Opcode.CLOSE || (opcode === Opcode.PONG && this.#watchPong);
  }

  /** Tells a whole Close or Pong. */
  #tell(bytes: Uint8Array): MeterEvent {
    const { size, masked, opcode } = header;
    // Not slice(): that of a Node Buffer is no copy.
    const payload = new Uint8Array(bytes.subarray(size));
    if (masked) applyMask(payload, bytes.subarray(size - 4, size));
    const info = opcode === Opcode.CLOSE ? parseClosePayload(payload) : null;
    this.#tally.enter(header);
    this.#tally.count(bytes.length);
    if (info === null) return { type: "pong", bytes, payload };
    this.#closed = true;
    this.#drop();
    return { type: "close", bytes, code: info.code, reason: info.reason };
  }

  #fail(fault: WebSocketError): void {
    this.#fault = fault;
    if (fault.oversize === "frame") this.#traffic.oversizeFrames++;
    if (fault.oversize === "message") this.#traffic.oversizeMessages++;
    this.#drop();
  }

  /** Lets go of the chunk, so that an idle session does not keep a buffer alive. */
  #forget(): void {
    this.#chunk = EMPTY;
    this.#at = 0;
  }

  #drop(): void {
    this.#forget();
    this.#scratch = EMPTY;
    this.#held = 0;
  }
}
