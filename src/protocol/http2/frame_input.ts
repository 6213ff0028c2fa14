import { FRAME_HEADER_BYTES } from "./frame.ts";

const EMPTY: Uint8Array = new Uint8Array(0);

/** The bytes of a connection as they come in. It holds back a few that are needed together. */
export class FrameInput {
  chunk = EMPTY;
  /** Where in `chunk` the next byte is. */
  at = 0;
  /** How many bytes are held back. */
  held = 0;
  /** Where `need` found its bytes. */
  from = EMPTY;
  start = 0;
  readonly #scratch = new Uint8Array(FRAME_HEADER_BYTES);

  push(chunk: Uint8Array): void {
    if (this.at < this.chunk.length) throw new Error("push() before next() gave null");
    this.chunk = chunk;
    this.at = 0;
  }

  /** Forgets the chunk. */
  drop(): void {
    this.chunk = EMPTY;
    this.from = EMPTY;
    this.at = 0;
  }

  /**
   * Finds the next `size` bytes, 9 at most, together, and moves behind them; `false` holds back
   * what is there of them.
   */
  need(size: number): boolean {
    const at = this.at;
    if (this.held === 0 && this.chunk.length - at >= size) {
      this.from = this.chunk;
      this.start = at;
      this.at = at + size;
      return true;
    }
    while (this.held < size) {
      if (this.at === this.chunk.length) return false;
      this.#scratch[this.held++] = this.chunk[this.at++];
    }
    this.from = this.#scratch;
    this.start = 0;
    this.held = 0;
    return true;
  }

  /**
   * Moves over bytes that must be those of `text`, and holds their number; `null` when they are not
   * all there yet, `false` when they are others.
   */
  match(text: Uint8Array): boolean | null {
    while (this.held < text.length) {
      if (this.at === this.chunk.length) return null;
      if (this.chunk[this.at++] !== text[this.held++]) return false;
    }
    this.held = 0;
    return true;
  }

  /** Moves over at most `size` bytes; gives how many there were. */
  skip(size: number): number {
    const here = Math.min(size, this.chunk.length - this.at);
    this.at += here;
    return here;
  }

  /** A view of the chunk, which is the chunk itself where it is all of it. */
  view(start: number, end: number): Uint8Array {
    if (start === end) return EMPTY;
    return start === 0 && end === this.chunk.length ? this.chunk : this.chunk.subarray(start, end);
  }
}
