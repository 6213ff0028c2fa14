// RFC 9112 §2.2: lines that end with CRLF, and runs of bytes between them.
import { latin1 } from "../wire/latin1.ts";
import { HttpError } from "./error.ts";

const EMPTY = new Uint8Array(0);
const LF = 0x0a;
const FIRST_HOLD_BYTES = 256;

/**
 * The bytes of one message as they come in. It holds back an unfinished line, and nothing else.
 * Errors that are no matter of length carry the status `invalid`.
 */
export class Input {
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
   * The next line as latin1 without its CRLF, or `null` when it is not whole yet. Throws an
   * `HttpError` with status `tooLong` once `maxBytes` bytes, CRLF among them, don't end the line.
   */
  line(maxBytes: number, tooLong: number): string | null {
    const found = this.#chunk.indexOf(LF, this.#at);
    const end = found < 0 ? this.#chunk.length : found + 1;
    const size = this.#heldBytes + end - this.#at;
    if (found < 0 ? size >= maxBytes : size > maxBytes) {
      throw new HttpError(tooLong, `A line or the whole head is longer than allowed`);
    }
    if (found < 0) {
      this.#hold(maxBytes);
      return null;
    }
    const rest = latin1(this.#chunk, this.#at, end);
    const line = this.#heldBytes === 0 ? rest : latin1(this.#held, 0, this.#heldBytes) + rest;
    this.#heldBytes = 0;
    this.#at = end;
    return this.#withoutCrlf(line);
  }

  /** The next bytes of this chunk, at most `max`: a view, empty when there are none. */
  bytes(max: number): Uint8Array {
    const end = Math.min(this.#chunk.length, this.#at + max);
    const view = this.#chunk.subarray(this.#at, end);
    this.#at = end;
    return view;
  }

  /** Throws unless the next line ends where the text ends, and has no CR but the last. */
  #withoutCrlf(line: string): string {
    const textLength = line.length - 2;
    // RFC 9112 §2.2: a bare LF MAY end a line; it makes two readers disagree, so it doesn't here.
    if (textLength < 0 || line.charCodeAt(textLength) !== 0x0d) {
      throw new HttpError(this.#invalid, "A line ends with LF instead of CRLF");
    }
    // RFC 9112 §2.2: a bare CR makes the element that holds it invalid.
    if (line.indexOf("\r") !== textLength) {
      throw new HttpError(this.#invalid, "A CR without LF in a line");
    }
    return line.slice(0, textLength);
  }

  #hold(maxBytes: number): void {
    const tail = this.#chunk.subarray(this.#at);
    const need = this.#heldBytes + tail.length;
    if (need > this.#held.length) {
      const size = Math.min(maxBytes, Math.max(need, 2 * this.#held.length, FIRST_HOLD_BYTES));
      const grown = new Uint8Array(size);
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(tail, this.#heldBytes);
    this.#heldBytes = need;
    this.#at = this.#chunk.length;
  }
}
