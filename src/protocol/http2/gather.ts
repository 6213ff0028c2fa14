const EMPTY = new Uint8Array(0);

/** Gathers what is needed whole and came in pieces; the caller has checked how much it may be. */
export class Gather {
  /** How many bytes are held back. */
  held = 0;
  readonly #limit: number;
  #bytes = EMPTY;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds the bytes of `chunk` from `start` to `end`. */
  add(chunk: Uint8Array, start: number, end: number): void {
    const size = this.held + end - start;
    this.#reserve(size);
    this.#bytes.set(chunk.subarray(start, end), this.held);
    this.held = size;
  }

  /** What was gathered; it begins anew. */
  take(): Uint8Array {
    const whole = this.#bytes.subarray(0, this.held);
    this.#bytes = EMPTY;
    this.held = 0;
    return whole;
  }

  /** Memory follows what has come, not what was announced. */
  #reserve(size: number): void {
    if (size <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.min(this.#limit, Math.max(size, 2 * this.#bytes.length)));
    grown.set(this.#bytes.subarray(0, this.held));
    this.#bytes = grown;
  }
}
