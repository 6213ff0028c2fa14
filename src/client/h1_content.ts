import type { Content } from "../ingress/offer.ts";
import { NetError } from "../net/error.ts";
import { ResponseBodyParser } from "../protocol/http1/body.ts";
import type { ResponseHead } from "../protocol/http1/head.ts";
import type { Field } from "../protocol/wire/field.ts";

/** What an answer's content is read from. */
export interface ContentSource {
  /** The next bytes of the connection; `null` at FIN. */
  read(): Promise<Uint8Array | null>;
  /** All of it has come; `clean` if nothing came behind it. */
  ended(clean: boolean): void;
  /** It broke, or is not wanted: ends the connection. Returns what really broke it. */
  failed(error: unknown): unknown;
}

/** The content of an HTTP/1.1 answer, as it comes. */
export class AnswerContent implements Content {
  readonly length: number | null;
  readonly #source: ContentSource;
  readonly #parser: ResponseBodyParser;
  /** What broke it. */
  #error: { readonly reason: unknown } | null = null;
  #reading = false;
  #over = false;
  /** What was read of it, in bytes. */
  bytes = 0;

  constructor(source: ContentSource, head: ResponseHead, framed: FramedContent) {
    const { framing, method, rest } = framed;
    this.length = typeof framing === "number" ? framing : null;
    this.#source = source;
    this.#parser = new ResponseBodyParser(head, method);
    this.#parser.push(rest);
  }

  get trailers(): readonly Field[] {
    return this.#parser.trailers;
  }

  async read(): Promise<Uint8Array | null> {
    try {
      for (;;) {
        if (this.#error !== null) throw this.#error.reason;
        const bytes = this.#parser.next();
        if (bytes !== null) {
          this.bytes += bytes.length;
          return bytes;
        }
        if (this.#parser.done) return this.#ended();
        await this.#more();
      }
    } catch (error) {
      throw this.#fail(error);
    }
  }

  async #more(): Promise<void> {
    this.#reading = true;
    const chunk = await this.#source.read();
    this.#reading = false;
    // RFC 9112 §8: a FIN ends only a content that has no end of its own.
    if (chunk === null) this.#parser.end();
    else this.#parser.push(chunk);
  }

  #ended(): null {
    if (this.#over) return null;
    this.#over = true;
    this.#source.ended(this.#parser.rest().length === 0);
    return null;
  }

  #fail(error: unknown): unknown {
    this.#over = true;
    this.#error ??= { reason: this.#source.failed(error) };
    return this.#error.reason;
  }

  /** What is there already is read past, so that the connection may serve again. */
  cancel(): void {
    if (this.#over) return;
    if (!this.#reading && this.#skip()) this.#ended();
    else this.#fail(new NetError("aborted", "the rest of the content is not wanted"));
  }

  #skip(): boolean {
    try {
      while (this.#parser.next() !== null);
      return this.#parser.done;
    } catch {
      return false;
    }
  }
}

/** So much content is not streamed if all of it came with the head. */
export const MAX_WHOLE_BYTES = 16384;

const NO_TRAILERS: readonly Field[] = [];

/** Content that is here already, and has left its connection. */
export class WholeContent implements Content {
  readonly length: number;
  readonly trailers: readonly Field[] = NO_TRAILERS;
  /** All of it. */
  readonly whole: Uint8Array;
  #read = false;

  constructor(whole: Uint8Array) {
    this.whole = whole;
    this.length = whole.length;
  }

  /** How many bytes it has. */
  get bytes(): number {
    return this.length;
  }

  read(): Promise<Uint8Array | null> {
    const bytes = this.#read ? null : this.whole;
    this.#read = true;
    return Promise.resolve(bytes);
  }

  cancel(): void {
    this.#read = true;
  }
}

/** How the content comes, and what of it came with the head. */
export interface FramedContent {
  readonly framing: number | "chunked" | "close";
  /** That of the request. */
  readonly method: string;
  readonly rest: Uint8Array;
}
