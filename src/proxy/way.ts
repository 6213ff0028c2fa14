import type { ByteStream } from "../net/byte_stream.ts";
import { Meter, type MeterOptions } from "../protocol/websocket/meter.ts";

/** One direction of a session. */
export class Way {
  readonly from: ByteStream;
  readonly to: ByteStream;
  readonly meter: Meter;
  /** Chunks that came in. */
  reads = 0;
  /** What ended it; `null` for FIN. */
  error: unknown = null;
  /** Whether it was the far side that broke. */
  writeFailed = false;
  /** Whether our FIN is still to be sent. */
  open = true;
  #busy = false;
  #writes = 0;
  #seenWrites = 0;
  #stuckSinceMs = Infinity;

  constructor(from: ByteStream, to: ByteStream, options: MeterOptions) {
    this.from = from;
    this.to = to;
    this.meter = new Meter(options);
  }

  /** Passes on a run of `chunk`; what was before it in the chunk has gone already. */
  async write(bytes: Uint8Array, chunk: Uint8Array): Promise<void> {
    const free = bytes.buffer === chunk.buffer
      ? this.from.headroom + bytes.byteOffset - chunk.byteOffset
      : 0;
    this.#busy = true;
    try {
      await this.to.write(bytes, free);
    } catch (error) {
      this.writeFailed = true;
      throw error;
    } finally {
      this.#busy = false;
      this.#writes++;
    }
  }

  /**
   * Puts a frame of the proxy's own in, behind all that was passed on. `false` where none may
   * stand: inside a frame, or behind a Close or our FIN.
   */
  put(frame: Uint8Array): boolean {
    if (!this.open || !this.meter.atBoundary || this.meter.closed) return false;
    this.to.write(frame).catch(() => {});
    return true;
  }

  /** Reads past what still comes: a stream's credit comes back only when it was read to its end. */
  async drain(): Promise<void> {
    if (this.error === null) return;
    try {
      while (await this.from.read() !== null);
    } catch {
      // What broke it was told already.
    }
  }

  closeWrite(): void {
    if (!this.open) return;
    this.open = false;
    this.to.closeWrite().catch(() => {});
  }

  /** For how long the write under way has made no progress, as far as the sweeps could see. */
  stuckFor(nowMs: number): number {
    if (!this.#busy || this.#writes !== this.#seenWrites) {
      this.#seenWrites = this.#writes;
      this.#stuckSinceMs = this.#busy ? nowMs : Infinity;
    } else if (this.#stuckSinceMs === Infinity) {
      this.#stuckSinceMs = nowMs;
    }
    return this.#busy ? nowMs - this.#stuckSinceMs : 0;
  }

  counts(): { bytes: number; messages: number; frames: number } {
    const { bytes, messages, frames } = this.meter;
    return { bytes, messages, frames };
  }
}
