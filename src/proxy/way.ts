import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import { Slowness } from "../net/slowness.ts";
import type { Meter } from "../protocol/websocket/meter.ts";
import type { Passthrough } from "./passthrough.ts";

export interface WayOptions {
  readonly from: ByteStream;
  readonly to: ByteStream;
  readonly meter: Meter | Passthrough;
  /** How long a write may make no progress. */
  readonly writeTimeoutMs: number;
  /** It made none for so long. */
  readonly onSlow: () => void;
}

/** One direction of a session. */
export class Way {
  readonly from: ByteStream;
  readonly to: ByteStream;
  readonly meter: Meter | Passthrough;
  /** Chunks that came in. */
  reads = 0;
  /** What ended it; `null` for FIN. */
  error: unknown = null;
  /** Whether it was the far side that broke. */
  writeFailed = false;
  /** Whether our FIN is still to be sent. */
  open = true;
  /** Whether a write of what was read is under way. */
  writing = false;
  #writes = 0;
  #seenWrites = 0;
  #stuckSinceMs = Infinity;

  /** Made when there is something to be seen. */
  #slowness: Slowness | null = null;
  readonly #options: WayOptions;

  constructor(options: WayOptions) {
    this.#options = options;
    this.from = options.from;
    this.to = options.to;
    this.meter = options.meter;
  }

  /** The bytes before a run of `chunk` that may be overwritten: what stood there has gone already. */
  headroomOf(bytes: Uint8Array, chunk: Uint8Array): number {
    return bytes.buffer === chunk.buffer
      ? this.from.headroom + bytes.byteOffset - chunk.byteOffset
      : 0;
  }

  wrote(): void {
    this.writing = false;
    this.#writes++;
  }

  fail(error: unknown): void {
    this.error = error;
    this.writeFailed = this.writing;
    this.writing = false;
  }

  /** Whether more may come from its side: it was not that one that ended. */
  get mayHaveMore(): boolean {
    return this.error !== null && (this.writeFailed || !(this.error instanceof NetError));
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

  /** Tells of a write that makes no progress, as far as the sweeps can see. */
  sweep(nowMs: number): void {
    if (!this.writing || this.#writes !== this.#seenWrites) {
      this.#seenWrites = this.#writes;
      this.#stuckSinceMs = this.writing ? nowMs : Infinity;
      this.#slowness = null;
    } else if (this.#stuckSinceMs === Infinity) {
      this.#stuckSinceMs = nowMs;
    } else {
      const { writeTimeoutMs, onSlow } = this.#options;
      this.#slowness ??= new Slowness(this.to, writeTimeoutMs, onSlow);
      this.#slowness.sweep(nowMs - this.#stuckSinceMs);
    }
  }

  counts(): { bytes: number; messages: number; frames: number } {
    const { bytes, messages, frames } = this.meter;
    return { bytes, messages, frames };
  }
}
