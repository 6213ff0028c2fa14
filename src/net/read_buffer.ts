/** Bytes kept free before each chunk, so that a framing writer needs no copy. */
export const HEADROOM = 16;

const SMALL = 2 * 1024;
const MIDDLE = 8 * 1024;
const LARGE = 64 * 1024;

/**
 * The size of a stream's next read: 2 KiB while it is quiet, up to 64 KiB while reads come back
 * full, and back down when they no longer do. An idle stream then holds little, a busy one makes
 * few reads.
 */
export class ReadSize {
  #size = SMALL;
  #small = 0;

  get size(): number {
    return this.#size;
  }

  /** Takes note of how many bytes the last read brought. */
  took(bytes: number): void {
    if (bytes >= this.#size) {
      this.#small = 0;
      if (this.#size < LARGE) this.#size = this.#size === SMALL ? MIDDLE : LARGE;
    } else if (bytes <= this.#size >> 2) {
      if (this.#size > SMALL && ++this.#small >= 2) {
        this.#small = 0;
        this.#size = this.#size === LARGE ? MIDDLE : SMALL;
      }
    } else {
      this.#small = 0;
    }
  }
}
