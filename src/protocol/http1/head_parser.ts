// RFC 9112 §2.1: start line, fields, empty line.
import type { Field } from "../wire/field.ts";
import type { Parser } from "../wire/parser.ts";
import { HttpError } from "./error.ts";
import { FieldLines } from "./field_lines.ts";
import { Input } from "./input.ts";

/** The limits of a head. */
export interface HeadLimits {
  /** The most bytes of the whole head, interim heads before it included. Default 16384. */
  readonly limit?: number;
  /** The most field lines of one head. Default 256. */
  readonly maxFields?: number;
}

const DEFAULT_LIMIT = 16384;
const DEFAULT_MAX_FIELDS = 256;

/** What the parsers of both heads share: one line after the other, each checked as it comes. */
export abstract class HeadParser<Head> implements Parser<Head> {
  readonly limit: number;
  readonly #maxFields: number;
  readonly #invalid: number;
  readonly #input: Input;
  readonly #lines: FieldLines;
  #budget: number;
  #headBytes = 0;
  /** Whether the start line has come. */
  #started = false;
  #done = false;
  #error: HttpError | null = null;

  constructor(invalid: number, limits: HeadLimits) {
    this.limit = limits.limit ?? DEFAULT_LIMIT;
    this.#maxFields = limits.maxFields ?? DEFAULT_MAX_FIELDS;
    this.#invalid = invalid;
    this.#input = new Input(invalid);
    this.#lines = new FieldLines(invalid);
    this.#budget = this.limit;
  }

  /** Takes the start line apart; `false` if this line is to be ignored. */
  protected abstract startLine(line: string): boolean;
  /** Checks the fields together and makes the head. */
  protected abstract finish(fields: Field[]): Head;
  /** The status for a head that is too long, before and after its start line. */
  protected abstract tooLong(inStartLine: boolean): number;
  /** Whether other heads come before the one that counts, and this is one of them. */
  protected abstract isInterim(head: Head): boolean;

  /** Whether the last head has come; `rest` has what is behind it. */
  get done(): boolean {
    return this.#done;
  }

  /** The bytes of the unfinished head, be they parsed or not. */
  get buffered(): number {
    return this.#headBytes + this.#input.heldBytes;
  }

  push(chunk: Uint8Array): void {
    this.#input.push(chunk);
  }

  /** The next head, or `null`. Throws an `HttpError`, and the same again ever after. */
  next(): Head | null {
    if (this.#error !== null) throw this.#error;
    if (this.#done) return null;
    try {
      return this.#advance();
    } catch (error) {
      if (error instanceof HttpError) this.#error = error;
      throw error;
    }
  }

  /** Takes the bytes behind the last head out of the chunk: a view, empty before `done`. */
  rest(): Uint8Array {
    return this.#input.bytes(this.#done ? Infinity : 0);
  }

  /** After `done`: begins with the next head, in the bytes behind this one or in those to come. */
  restart(): void {
    if (!this.#done) throw new Error("restart() before the head was done");
    this.#budget = this.limit;
    this.#done = false;
  }

  end(): void {
    if (this.#error !== null) throw this.#error;
    if (!this.#done && this.cutIsError()) {
      const message = "The connection ended before the end of the head";
      this.#error = new HttpError(this.#invalid, message);
      throw this.#error;
    }
  }

  /** Whether an end here leaves something undone: a head that has begun. */
  protected cutIsError(): boolean {
    return this.buffered > 0;
  }

  #advance(): Head | null {
    const input = this.#input;
    while (input.line(this.#budget, this.tooLong(!this.#started))) {
      const { source, start, end } = input;
      const bytes = end - start + 2;
      this.#budget -= bytes;
      this.#headBytes += bytes;
      if (!this.#started) {
        this.#started = this.startLine(input.text());
        // RFC 9112 §2.2: with an empty line before it nothing has begun.
        if (!this.#started) this.#headBytes = 0;
      } else if (start === end) {
        return this.#finishHead();
      } else if (this.#lines.count === this.#maxFields) {
        throw new HttpError(this.tooLong(false), `More than ${this.#maxFields} field lines`);
      } else {
        this.#lines.add(source, start, end);
      }
    }
    this.#lines.settle();
    return null;
  }

  #finishHead(): Head {
    const head = this.finish(this.#lines.take());
    this.#started = false;
    this.#headBytes = 0;
    this.#done = !this.isInterim(head);
    return head;
  }
}
