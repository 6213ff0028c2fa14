import type { ByteStream } from "./byte_stream.ts";

/**
 * Tells when the peer of a stream takes nothing at all of a write for so long. One that takes a
 * little is seen where the system tells of it (`ByteStream.unsent`), else only once the write is done.
 */
export class Slowness {
  readonly #stream: ByteStream;
  readonly #timeoutMs: number;
  readonly #late: () => void;
  /** What the peer had not taken when it was last looked at. */
  #unsent: number | null | undefined = undefined;
  /** When that was, after the beginning of the write. */
  #seenMs = 0;
  #looking = false;

  /** `late` may be called again as long as nothing comes of it. */
  constructor(stream: ByteStream, timeoutMs: number, late: () => void) {
    this.#stream = stream;
    this.#timeoutMs = timeoutMs;
    this.#late = late;
  }

  /** At each sweep: for how long the write under way was not done; 0 where there is none. */
  sweep(stuckMs: number): void {
    const half = this.#timeoutMs / 2;
    if (stuckMs < half) this.#unsent = undefined;
    else if (this.#looking) return;
    else if (this.#unsent === undefined) void this.#look(stuckMs);
    else if (stuckMs - this.#seenMs >= half) void this.#compare(stuckMs);
  }

  async #look(stuckMs: number): Promise<void> {
    this.#looking = true;
    try {
      this.#unsent = await this.#stream.unsent?.() ?? null;
    } catch {
      this.#unsent = null;
    } finally {
      this.#seenMs = stuckMs;
      this.#looking = false;
    }
  }

  async #compare(stuckMs: number): Promise<void> {
    const before = this.#unsent;
    await this.#look(stuckMs);
    if (this.#unsent === null || this.#unsent === before) this.#late();
  }
}

export interface WriteWatchOptions {
  readonly stream: ByteStream;
  /** How long a write may make no progress. */
  readonly timeoutMs: number;
  /** It made none for so long; may be called again. */
  readonly onSlow: () => void;
}

/**
 * Tells of writes to a stream that make no progress, as far as the sweeps can see: they are counted,
 * for a clock that each of them read would cost more than the rest of a small message.
 */
export class WriteWatch {
  readonly #options: WriteWatchOptions;
  #under = 0;
  #done = 0;
  #seenDone = 0;
  #stuckSinceMs = Infinity;
  /** Made when there is something to be seen. */
  #slowness: Slowness | null = null;

  constructor(options: WriteWatchOptions) {
    this.#options = options;
  }

  /** Whether a write is under way. */
  get writing(): boolean {
    return this.#under > 0;
  }

  began(): void {
    this.#under++;
  }

  /** It is done, or failed. */
  ended(): void {
    this.#under--;
    this.#done++;
  }

  /** At each sweep, with its time. */
  sweep(nowMs: number): void {
    if (!this.writing || this.#done !== this.#seenDone) {
      this.#seenDone = this.#done;
      this.#stuckSinceMs = this.writing ? nowMs : Infinity;
      this.#slowness = null;
    } else if (this.#stuckSinceMs === Infinity) {
      this.#stuckSinceMs = nowMs;
    } else {
      const { stream, timeoutMs, onSlow } = this.#options;
      this.#slowness ??= new Slowness(stream, timeoutMs, onSlow);
      this.#slowness.sweep(nowMs - this.#stuckSinceMs);
    }
  }
}
