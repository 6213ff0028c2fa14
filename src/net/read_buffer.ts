/** Bytes kept free before each chunk, so that a framing writer needs no copy. */
export const HEADROOM = 16;

const SMALL = 2 * 1024;
const LARGE = 64 * 1024;
const STEP = 4;

/** The smallest read of a tunnel's connections: thousands may be idle, and none has a head to read. */
export const TUNNEL_READ_SIZE = 512;

/** A one-way stream carries a type and few small frames. */
export const UNI_READ_SIZE = 256;

/**
 * The size of a stream's next read: small while it is quiet, larger while reads come back full,
 * and back down when they no longer do. An idle stream then holds little, a busy one makes few
 * reads.
 */
export class ReadSize {
  readonly #smallest: number;
  readonly #largest: number;
  #size: number;
  #quiet = 0;

  constructor(smallest: number = SMALL, largest: number = LARGE) {
    this.#smallest = smallest;
    this.#largest = largest;
    this.#size = smallest;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether more comes than a small read takes. */
  get busy(): boolean {
    return this.#size > SMALL;
  }

  /** Takes note of how many bytes the last read brought. */
  took(bytes: number): void {
    if (bytes >= this.#size) {
      this.#quiet = 0;
      this.#size = Math.min(this.#largest, this.#size * STEP);
    } else if (bytes > this.#size / STEP) {
      this.#quiet = 0;
    } else if (this.#size > this.#smallest && ++this.#quiet === 2) {
      this.#quiet = 0;
      this.#size = Math.max(this.#smallest, this.#size / STEP);
    }
  }
}
