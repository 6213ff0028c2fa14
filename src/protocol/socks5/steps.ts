import type { Parser } from "../wire/parser.ts";
import { Socks5Error, unanswered } from "./codes.ts";

const EMPTY: Uint8Array = new Uint8Array(0);

/** How one message is read. Both functions throw what is wrong in it. */
export interface Step<Event> {
  /** How many bytes the message has, as far as its first `length` tell: `length` when it is whole. */
  size(bytes: Uint8Array, length: number): number;
  /** Takes the whole message apart: a view that does not hold. */
  read(message: Uint8Array): Event;
}

/** What both sides share: one message after the other, held until it is whole; then a tunnel. */
export abstract class Steps<Event> implements Parser<Event> {
  readonly limit: number;
  readonly #held: Uint8Array;
  #length = 0;
  #chunk = EMPTY;
  #at = 0;
  #error: Socks5Error | null = null;

  constructor(limit: number) {
    this.limit = limit;
    this.#held = new Uint8Array(limit);
  }

  /** How the next message is read; `null` behind the last. */
  protected abstract step(): Step<Event> | null;
  /** What is told of an end that cuts something off; `null` where none does. */
  protected abstract cut(): string | null;

  /** Whether the last message has come; `rest` has what is behind it. */
  get done(): boolean {
    return this.step() === null;
  }

  get buffered(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next event, or `null`. Throws a `Socks5Error`, and the same again ever after. */
  next(): Event | null {
    if (this.#error !== null) throw this.#error;
    try {
      return this.#advance();
    } catch (error) {
      if (error instanceof Socks5Error) this.#error = error;
      throw error;
    }
  }

  /** Takes the bytes behind the last message out of the chunk: a view, empty before `done`. */
  rest(): Uint8Array {
    if (!this.done) return EMPTY;
    const rest = this.#chunk.subarray(this.#at);
    this.#at = this.#chunk.length;
    return rest;
  }

  end(): void {
    if (this.#error !== null) throw this.#error;
    const message = this.done ? null : this.cut();
    if (message === null) return;
    this.#error = unanswered(message);
    throw this.#error;
  }

  #advance(): Event | null {
    const step = this.step();
    const message = step === null ? null : this.#message(step);
    return step === null || message === null ? null : step.read(message);
  }

  #message(step: Step<Event>): Uint8Array | null {
    for (;;) {
      const missing = step.size(this.#held, this.#length) - this.#length;
      if (missing === 0) break;
      if (this.#at === this.#chunk.length) return null;
      const part = this.#chunk.subarray(this.#at, this.#at + missing);
      this.#held.set(part, this.#length);
      this.#length += part.length;
      this.#at += part.length;
    }
    const message = this.#held.subarray(0, this.#length);
    this.#length = 0;
    return message;
  }
}
