import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import { WriteWatch } from "../net/slowness.ts";
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
  /** Of what was read. */
  readonly writes: WriteWatch;

  constructor({ from, to, meter, writeTimeoutMs: timeoutMs, onSlow }: WayOptions) {
    this.from = from;
    this.to = to;
    this.meter = meter;
    this.writes = new WriteWatch({ stream: to, timeoutMs, onSlow });
  }

  /** The bytes before a run of `chunk` that may be overwritten: what stood there has gone already. */
  headroomOf(bytes: Uint8Array, chunk: Uint8Array): number {
    return bytes.buffer === chunk.buffer
      ? this.from.headroom + bytes.byteOffset - chunk.byteOffset
      : 0;
  }

  fail(error: unknown): void {
    this.error = error;
    this.writeFailed = this.writes.writing;
    if (this.writeFailed) this.writes.ended();
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

  /** Tells of a write that makes no progress. */
  sweep(nowMs: number): void {
    this.writes.sweep(nowMs);
  }

  counts(): { bytes: number; messages: number; frames: number } {
    const { bytes, messages, frames } = this.meter;
    return { bytes, messages, frames };
  }
}
