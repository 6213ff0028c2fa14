import { PayloadBuffer } from "../http3/frame.ts";
import type { Parser } from "../wire/parser.ts";
import { readVarint, varintSizeAt } from "../wire/varint.ts";
import { TunnelError } from "./code.ts";
import { decodeFrame } from "./decode.ts";
import { type Frame, invalid, MAX_FRAME_BYTES } from "./frame.ts";

const LENGTH_BYTES = 8;
const EMPTY = new Uint8Array(0);

/**
 * Reads frames that have their length before them, as on a stream of QUIC; those of later versions
 * are left out. Each is given as a whole. A fault is thrown by `next` and `end` ever after.
 */
export class FrameDecoder implements Parser<Frame> {
  readonly limit = MAX_FRAME_BYTES + LENGTH_BYTES;

  readonly #length = new Uint8Array(LENGTH_BYTES);
  #lengthHeld = 0;
  /** Of the frame that is read; -1 before its length is known. */
  #frameBytes = -1;
  readonly #frame = new PayloadBuffer();
  #chunk: Uint8Array = EMPTY;
  #at = 0;
  #fault: TunnelError | null = null;

  get buffered(): number {
    return this.#lengthHeld + this.#frame.held;
  }

  push(chunk: Uint8Array): void {
    if (this.#fault !== null) return;
    if (this.#at < this.#chunk.length) throw new Error("push() before next() gave null");
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** @throws {TunnelError} INVALID_MESSAGE, of the connection */
  next(): Frame | null {
    if (this.#fault !== null) throw this.#fault;
    try {
      for (;;) {
        const whole = this.#nextWhole();
        if (whole === null) return this.#drop();
        const frame = decodeFrame(whole);
        if (frame !== null) return frame;
      }
    } catch (error) {
      if (error instanceof TunnelError) this.#fault = error;
      this.#drop();
      throw error;
    }
  }

  /** @throws {TunnelError} INVALID_MESSAGE when a frame is cut off */
  end(): void {
    if (this.#fault === null && this.#lengthHeld === 0 && this.#frameBytes < 0) return;
    this.#fault ??= invalid("The stream ended inside a frame");
    throw this.#fault;
  }

  /**
   * What comes behind the frame that `next` gave last, for streams that go on with other bytes: a
   * view of the chunk, which is then used up.
   */
  rest(): Uint8Array {
    const rest = this.#chunk.subarray(this.#at);
    this.#drop();
    return rest;
  }

  #drop(): null {
    this.#chunk = EMPTY;
    this.#at = 0;
    return null;
  }

  /** The next frame, not read yet; `null` where it is not all there. */
  #nextWhole(): Uint8Array | null {
    if (this.#frameBytes < 0 && !this.#readLength()) return null;
    const size = this.#frameBytes;
    const missing = size - this.#frame.held;
    const whole = this.#frame.take(this.#chunk, this.#at, size);
    this.#at = Math.min(this.#chunk.length, this.#at + missing);
    if (whole !== null) this.#frameBytes = -1;
    return whole;
  }

  #readLength(): boolean {
    const length = this.#length;
    while (this.#lengthHeld === 0 || this.#lengthHeld < varintSizeAt(length[0])) {
      if (this.#at === this.#chunk.length) return false;
      length[this.#lengthHeld++] = this.#chunk[this.#at++];
    }
    const bytes = readVarint(length, 0);
    // Before anything is allocated for it.
    if (bytes > MAX_FRAME_BYTES) throw invalid(`Frame of ${bytes} bytes is too long`);
    this.#lengthHeld = 0;
    this.#frameBytes = bytes;
    return true;
  }
}
