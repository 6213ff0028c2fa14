import type { Parser } from "../wire/parser.ts";
import { readVarint, varintSizeAt } from "../wire/varint.ts";
import { H3Code, H3Error } from "./codes.ts";
import {
  FrameHeaderReader,
  FrameType,
  MAX_FRAME_HEADER_SIZE,
  PayloadBuffer,
  type Role,
} from "./frame.ts";
import { MessageSequence } from "./message_sequence.ts";

/**
 * What a request stream tells. `block` is a whole encoded field section. `oversize` stands for a
 * HEADERS frame whose payload of `length` bytes is not taken, but skipped.
 */
export type RequestStreamEvent =
  | { type: "headers"; block: Uint8Array }
  | { type: "oversize"; length: number }
  | { type: "data"; bytes: Uint8Array }
  | { type: "trailers"; block: Uint8Array };

export interface RequestStreamOptions {
  /** Which end we are: a server reads a request, a client responses. */
  role: Role;
  /** The longest encoded field section that is taken. */
  maxHeaderBytes: number;
}

/** What becomes of the payload at hand. */
const Payload = { SKIP: 0, DATA: 1, FIELDS: 2 } as const;
type Payload = typeof Payload[keyof typeof Payload];

const EMPTY: Uint8Array = new Uint8Array(0);

/**
 * RFC 9114 §4.1: reads the frames of one request stream, in either role.
 *
 * DATA comes as views of the pushed chunk. Frames of unknown type are skipped, whatever their
 * length. A fault is thrown by `next`, `readTunnel` or `end`, and by all of them ever after.
 */
export class RequestStreamParser implements Parser<RequestStreamEvent> {
  readonly limit: number;
  /** Where in its chunk the payload begins that `readTunnel` gave last. */
  tunnelStart = 0;

  readonly #maxHeaderBytes: number;
  readonly #sequence: MessageSequence;
  readonly #header = new FrameHeaderReader();
  readonly #fields = new PayloadBuffer();
  #chunk = EMPTY;
  #at = 0;
  #payload: Payload = Payload.SKIP;
  /** Payload bytes to come; of FIELDS, all of them until they are there. */
  #left = 0;
  #fault: H3Error | null = null;

  constructor(options: RequestStreamOptions) {
    this.#sequence = new MessageSequence(options.role);
    this.#maxHeaderBytes = options.maxHeaderBytes;
    this.limit = Math.max(options.maxHeaderBytes, MAX_FRAME_HEADER_SIZE);
  }

  get buffered(): number {
    return this.#header.held + this.#fields.held;
  }

  /** Client: says that the last `headers` were not of an interim response (1xx). */
  finalHeaders(): void {
    this.#sequence.finalHeaders();
  }

  /**
   * Says that CONNECT was accepted: from now on only DATA may come. What was pushed already is
   * still told by `next`; then `readTunnel` may be used.
   *
   * @throws {H3Error} when trailers came already, or have begun to
   */
  tunnel(): void {
    try {
      if (this.#payload === Payload.FIELDS) this.#sequence.fieldsCame();
      this.#sequence.tunnel();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Says what Content-Length announced, so that more or less DATA is a fault. */
  expectContent(length: number): void {
    this.#sequence.expectContent(length);
  }

  push(chunk: Uint8Array): void {
    if (this.#fault !== null) return;
    if (this.#at < this.#chunk.length) throw new Error("push() before next() gave null");
    this.#chunk = chunk;
    this.#at = 0;
  }

  next(): RequestStreamEvent | null {
    if (this.#fault !== null) throw this.#fault;
    try {
      const event = this.#step();
      if (event === null) this.#drop();
      return event;
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /**
   * Takes the next bytes of a tunnel and brings the payloads of all DATA frames in them together,
   * in place: gives how many bytes they are, from `tunnelStart` on. The rest of `chunk` is
   * overwritten. Only after `tunnel`, and when `next` gave `null`.
   *
   * @throws {H3Error} as `next`; what came before the fault in `chunk` is lost with the connection
   */
  readTunnel(chunk: Uint8Array): number {
    if (this.#fault !== null) throw this.#fault;
    if (!this.#sequence.inTunnel || this.#at < this.#chunk.length) {
      throw new Error("readTunnel() before tunnel() or before next() gave null");
    }
    const end = chunk.length;
    let start = 0;
    let length = 0;
    let at = 0;
    while (at < end) {
      if (this.#left === 0) {
        at = this.#enterTunnelFrame(chunk, at);
        continue;
      }
      const size = Math.min(this.#left, end - at);
      if (this.#payload === Payload.DATA) {
        if (length === 0) {
          start = at;
        } else if (size <= length) {
          chunk.copyWithin(start + length, at, at + size);
        } else {
          // The longer run stays where it is.
          chunk.copyWithin(at - length, start, start + length);
          start = at - length;
        }
        length += size;
      }
      this.#left -= size;
      at += size;
    }
    this.tunnelStart = start;
    return length;
  }

  end(): void {
    if (this.#fault !== null) throw this.#fault;
    try {
      // RFC 9114 §7.1: a stream that ends inside a frame is a connection error H3_FRAME_ERROR.
      if (this.#header.held > 0 || this.#left > 0) {
        throw new H3Error(H3Code.H3_FRAME_ERROR, "connection", "Stream ended inside a frame");
      }
      this.#sequence.checkEnd();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #step(): RequestStreamEvent | null {
    for (;;) {
      if (this.#payload === Payload.FIELDS) return this.#takeFields();
      const available = this.#chunk.length - this.#at;
      if (available === 0) return null;
      if (this.#left > 0) {
        const bytes = this.#take(Math.min(this.#left, available));
        if (this.#payload === Payload.DATA) return { type: "data", bytes };
        continue;
      }
      const behind = this.#header.read(this.#chunk, this.#at);
      if (behind < 0) return null;
      this.#at = behind;
      this.#enter(this.#header.type, this.#header.length);
      if (this.#header.type === FrameType.HEADERS && this.#payload === Payload.SKIP) {
        this.#sequence.fieldsCame();
        return { type: "oversize", length: this.#left };
      }
    }
  }

  #take(size: number): Uint8Array {
    const chunk = this.#chunk;
    const at = this.#at;
    this.#at += size;
    this.#left -= size;
    return at === 0 && size === chunk.length ? chunk : chunk.subarray(at, this.#at);
  }

  #takeFields(): RequestStreamEvent | null {
    const missing = this.#left - this.#fields.held;
    const block = this.#fields.take(this.#chunk, this.#at, this.#left);
    if (block === null) return null;
    this.#at += missing;
    this.#payload = Payload.SKIP;
    this.#left = 0;
    return { type: this.#sequence.fieldsCame(), block };
  }

  /** Judges a frame by its header, and says what becomes of its payload. */
  #enter(type: number, length: number): void {
    this.#sequence.check(type, length);
    this.#left = length;
    if (type === FrameType.DATA) this.#payload = Payload.DATA;
    else if (type === FrameType.HEADERS && length <= this.#maxHeaderBytes) {
      this.#payload = Payload.FIELDS;
    } else this.#payload = Payload.SKIP;
  }

  /** Enters the frame at `at`; gives the offset of its payload, or the chunk's end. */
  #enterTunnelFrame(chunk: Uint8Array, at: number): number {
    // Nearly every header: DATA in one byte, and a length of up to four that is all there.
    if (chunk[at] === FrameType.DATA && this.#header.held === 0 && at + 5 <= chunk.length) {
      const size = varintSizeAt(chunk[at + 1]);
      if (size <= 4) {
        this.#payload = Payload.DATA;
        this.#left = readVarint(chunk, at + 1) | 0; // As a small integer, or it is allocated.
        return at + 1 + size;
      }
    }
    try {
      const behind = this.#header.read(chunk, at);
      if (behind < 0) return chunk.length;
      this.#enter(this.#header.type, this.#header.length);
      return behind;
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #fail(error: unknown): unknown {
    if (error instanceof H3Error) this.#fault = error;
    this.#drop();
    return error;
  }

  #drop(): void {
    this.#chunk = EMPTY;
    this.#at = 0;
  }
}
