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
