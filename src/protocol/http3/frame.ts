import { namer } from "../wire/names.ts";
import { MAX_LENGTH, readVarint, varintSize, varintSizeAt, writeVarint } from "../wire/varint.ts";
import { H3Code, H3Error } from "./codes.ts";

/** Which end of the connection we are. */
export type Role = "server" | "client";

/** RFC 9114 §7.2, §11.2.1: what a frame is. */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  CANCEL_PUSH: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  GOAWAY: 0x7,
  MAX_PUSH_ID: 0xd,
} as const;

export type FrameType = typeof FrameType[keyof typeof FrameType];

/** The longest frame header: two varints of 8 bytes. */
export const MAX_FRAME_HEADER_SIZE = 16;

const EMPTY: Uint8Array = new Uint8Array(0);

/** The RFC's name of a frame type, or its number in hex. */
export const frameTypeName: (value: number) => string = namer(FrameType);

/**
 * RFC 9114 §7.2.8: PRIORITY, PING, WINDOW_UPDATE and CONTINUATION of HTTP/2. They MUST NOT be sent,
 * and their receipt MUST be treated as H3_FRAME_UNEXPECTED.
 */
export function isReservedHttp2FrameType(type: number): boolean {
  return type === 0x2 || type === 0x6 || type === 0x8 || type === 0x9;
}

/** How many bytes the header of a frame takes. */
export function frameHeaderSize(type: number, length: number): number {
  return varintSize(type) + varintSize(length);
}

/** Writes a frame header at `offset`; returns the offset behind it. */
export function writeFrameHeader(
  out: Uint8Array,
  offset: number,
  type: number,
  length: number,
): number {
  return writeVarint(out, writeVarint(out, offset, type), length);
}

/** A whole frame in an array of its own. */
export function encodeFrame(type: number, payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(frameHeaderSize(type, payload.length) + payload.length);
  out.set(payload, writeFrameHeader(out, 0, type, payload.length));
  return out;
}

/** Reads frame headers, also those that are cut over several chunks. */
export class FrameHeaderReader {
  /** The header that was read last. */
  type = 0;
  length = 0;
  /** How many bytes of an unfinished header are held back. */
  held = 0;
  #scratch = EMPTY;

  /**
   * Reads the header at `at`, where there is at least one byte. Gives the offset behind it, or -1
   * when `chunk` ends within it: then its bytes are kept, and the next call goes on with a new chunk.
   *
   * @throws {H3Error} H3_FRAME_ERROR for a length above 2^53-1
   */
  read(chunk: Uint8Array, at: number): number {
    if (this.held > 0) return this.#resume(chunk, at);
    const lengthAt = at + varintSizeAt(chunk[at]);
    if (lengthAt < chunk.length) {
      const behind = lengthAt + varintSizeAt(chunk[lengthAt]);
      if (behind <= chunk.length) {
        this.#decode(chunk, at, lengthAt);
        return behind;
      }
    }
    if (this.#scratch.length === 0) this.#scratch = new Uint8Array(MAX_FRAME_HEADER_SIZE);
    while (at < chunk.length) this.#scratch[this.held++] = chunk[at++];
    return -1;
  }

  #resume(chunk: Uint8Array, at: number): number {
    const scratch = this.#scratch;
    for (;;) {
      const lengthAt = varintSizeAt(scratch[0]);
      if (this.held > lengthAt && this.held === lengthAt + varintSizeAt(scratch[lengthAt])) {
        this.#decode(scratch, 0, lengthAt);
        this.held = 0;
        return at;
      }
      if (at === chunk.length) return -1;
      scratch[this.held++] = chunk[at++];
    }
  }

  #decode(bytes: Uint8Array, typeAt: number, lengthAt: number): void {
    this.type = readVarint(bytes, typeAt);
    this.length = readVarint(bytes, lengthAt);
    // RFC 9114 §10.8: a length that no implementation can take.
    if (this.length > MAX_LENGTH) {
      throw new H3Error(
        H3Code.H3_FRAME_ERROR,
        "connection",
        `Frame ${frameTypeName(this.type)} has a length above 2^53-1`,
      );
    }
  }
}

/** Gathers a payload that is needed whole; the caller has checked its length. */
export class PayloadBuffer {
  /** How many bytes are held back. */
  held = 0;
  #bytes = EMPTY;

  /**
   * Takes from `chunk` at `at` what is missing of a payload of `length` bytes. Gives it when it is
   * whole, as a view of `chunk` if it is all there; else `null`, and `chunk` is used up.
   */
  take(chunk: Uint8Array, at: number, length: number): Uint8Array | null {
    const missing = length - this.held;
    const available = chunk.length - at;
    if (this.held === 0 && available >= length) return chunk.subarray(at, at + length);
    const size = Math.min(missing, available);
    this.#reserve(this.held + size, length);
    this.#bytes.set(chunk.subarray(at, at + size), this.held);
    this.held += size;
    if (this.held < length) return null;
    const payload = this.#bytes.subarray(0, length);
    this.#bytes = EMPTY;
    this.held = 0;
    return payload;
  }

  /** Memory follows what has come, not what was announced. */
  #reserve(size: number, most: number): void {
    if (size <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.min(most, Math.max(size, 2 * this.#bytes.length)));
    grown.set(this.#bytes.subarray(0, this.held));
    this.#bytes = grown;
  }
}
