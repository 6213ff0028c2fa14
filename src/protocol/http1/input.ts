// RFC 9112 §2.2: lines that end with CRLF, and runs of bytes between them.
import { latin1 } from "../wire/latin1.ts";
import { HttpError } from "./error.ts";
import { CONTROL } from "./octets.ts";

const EMPTY = new Uint8Array(0);
const CR = 0x0d;
const LF = 0x0a;
const FIRST_HOLD_BYTES = 256;

/**
 * The bytes of one message as they come in. It holds back an unfinished line, and nothing else.
 * Errors that are no matter of length carry the status `invalid`.
 */
export class Input {
  /** Where the bytes of the last line are: the chunk, or what was held back of it. */
  source: Uint8Array = EMPTY;
  /** Its first byte there. */
  start = 0;
  /** The byte behind its last, where its CRLF is. */
  end = 0;

  readonly #invalid: number;
  #chunk: Uint8Array = EMPTY;
  #at = 0;
  #held: Uint8Array = EMPTY;
  #heldBytes = 0;

  constructor(invalid: number) {
    this.#invalid = invalid;
  }

  /** How many bytes of an unfinished line are held back. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /**
   * Goes to the next line, which `source`, `start` and `end` tell until the next call; `false` when
   * it is not whole yet. It has no control character but HTAB. Throws an `HttpError` with status
   * `tooLong` once `maxBytes` bytes, CRLF among them, don't end the line.
   */
  line(maxBytes: number, tooLong: number): boolean {
    const chunk = this.#chunk;
    const start = this.#at;
    const stop = Math.min(chunk.length, start + maxBytes - this.#heldBytes);
    let at = start;
    let controls = 0;
    while (at < stop && chunk[at] !== LF) controls += CONTROL[chunk[at++]];
    if (at === stop) {
      if (this.#heldBytes + at - start >= maxBytes) {
        throw new HttpError(tooLong, `A line or the whole head is longer than allowed`);
      }
      this.#hold(stop, maxBytes);
      return false;
    }
    if (this.#heldBytes > 0) return this.#endHeld(at, maxBytes);
    this.#at = at + 1;
    this.#ended(chunk, start, at);
    // RFC 9112 §2.2: a bare LF MAY end a line; it makes two readers disagree, so it doesn't here.
    if (at === start || chunk[at - 1] !== CR) this.#refuse("A line ends with LF instead of CRLF");
    if (controls > 1) this.#refuse("A CR without LF, or another control character, in a line");
    return true;
  }

  /** The text of the last line. */
  text(): string {
    return latin1(this.source, this.start, this.end);
  }

  /** The next bytes of this chunk, at most `max`: a view, empty when there are none. */
  bytes(max: number): Uint8Array {
    const end = Math.min(this.#chunk.length, this.#at + max);
    const view = this.#chunk.subarray(this.#at, end);
    this.#at = end;
    return view;
  }

  /** A line that was held back ends in the chunk at `lf`: it is looked at as a whole. */
  #endHeld(lf: number, maxBytes: number): true {
    this.#hold(lf + 1, maxBytes);
    const held = this.#held;
    const last = this.#heldBytes - 1;
    // The line is read from there for as long as its reader likes: the next gets a buffer of its own.
    this.#held = EMPTY;
    this.#heldBytes = 0;
    this.#ended(held, 0, last);
    if (held[last - 1] !== CR) this.#refuse("A line ends with LF instead of CRLF");
    // RFC 9112 §2.2: a bare CR makes the element that holds it invalid.
    for (let i = 0; i < last - 1; i++) {
      if (CONTROL[held[i]] !== 0) this.#refuse("A control character in a line");
    }
    return true;
  }

  #ended(source: Uint8Array, start: number, lf: number): void {
    this.source = source;
    this.start = start;
    this.end = lf - 1;
  }

  #refuse(message: string): never {
    throw new HttpError(this.#invalid, message);
  }

  #hold(end: number, maxBytes: number): void {
    if (end === this.#at) return;
    const tail = this.#chunk.subarray(this.#at, end);
    const need = this.#heldBytes + tail.length;
    if (need > this.#held.length) {
      const size = Math.min(maxBytes, Math.max(need, 2 * this.#held.length, FIRST_HOLD_BYTES));
      const grown = new Uint8Array(size);
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(tail, this.#heldBytes);
    this.#heldBytes = need;
    this.#at = end;
  }
}
