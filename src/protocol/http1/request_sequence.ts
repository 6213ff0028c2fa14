// RFC 9112 §9.3: the requests of one connection, one after the other.
import type { Field } from "../wire/field.ts";
import type { Parser } from "../wire/parser.ts";
import { type BodyLimits, BodyParser, DEFAULT_BODY_LIMIT, requestFraming } from "./body.ts";
import { isPersistent } from "./connection.ts";
import { HttpError, HttpStatus } from "./error.ts";
import { expectsContinue } from "./expect.ts";
import { type HeadLimits, type RequestHead, RequestHeadParser } from "./head.ts";
import { upgradeOf } from "./upgrade.ts";

/** A head, and what it means for the connection. */
export interface RequestEvent {
  readonly type: "request";
  readonly head: RequestHead;
  /** How the content comes: 0 for none. */
  readonly framing: number | "chunked";
  /** Whether a 100 (Continue) is awaited before the content comes. RFC 9110 §10.1.1. */
  readonly expectsContinue: boolean;
  /** The protocols that are offered, `null` for an ordinary request. RFC 9110 §7.8. */
  readonly upgrade: readonly string[] | null;
  /**
   * Whether a next request may follow. If not, the answer has `Connection: close`, unless it makes
   * the connection a tunnel; to HTTP/1.0 it has `Connection: keep-alive` if so (RFC 9112 §9.3).
   */
  readonly persistent: boolean;
}

/**
 * What the client of a connection sends. Each request ends with `end`, then nothing more is told
 * before `restart` (or never, where the connection becomes a tunnel: then `rest` has its bytes).
 */
export type SequenceEvent =
  | RequestEvent
  | { readonly type: "data"; readonly bytes: Uint8Array }
  | { readonly type: "end"; readonly trailers: readonly Field[] };

/** The limits of all requests. */
export interface SequenceLimits {
  readonly head?: HeadLimits;
  readonly body?: BodyLimits;
}

const NO_TRAILERS: readonly Field[] = [];

/**
 * Reads the requests of one connection, and never one that it was not asked for: what is behind a
 * request stays where it is until `restart` or `rest`. Throws `HttpError` with the status to answer,
 * and the same again ever after: the connection is lost.
 */
export class RequestSequence implements Parser<SequenceEvent> {
  readonly limit: number;
  readonly #limits: SequenceLimits;
  readonly #heads: RequestHeadParser;
  #request: RequestEvent | null = null;
  #body: BodyParser | null = null;
  /** Whether `end` was told. */
  #ended = false;
  #error: HttpError | null = null;

  constructor(limits: SequenceLimits = {}) {
    this.#limits = limits;
    this.#heads = new RequestHeadParser(limits.head);
    this.limit = Math.max(this.#heads.limit, limits.body?.limit ?? DEFAULT_BODY_LIMIT);
  }

  /** Whether a head has begun that is not whole: the time for it runs. */
  get inHead(): boolean {
    return this.#request === null && this.#heads.buffered > 0;
  }

  get buffered(): number {
    return this.#heads.buffered + (this.#body?.buffered ?? 0);
  }

  /** Hands over the next bytes. Not after `end`: those of the next request wait for `restart`. */
  push(chunk: Uint8Array): void {
    if (this.#error !== null) return;
    if (this.#ended) throw new Error("push() before restart()");
    (this.#body ?? this.#heads).push(chunk);
  }

  next(): SequenceEvent | null {
    if (this.#error !== null) throw this.#error;
    try {
      return this.#advance();
    } catch (error) {
      if (error instanceof HttpError) this.#error = error;
      throw error;
    }
  }

  /** After `end`, once it is answered: goes on with the next request. */
  restart(): void {
    if (!this.#ended || this.#request?.persistent !== true) {
      throw new Error("restart() where no request may follow");
    }
    this.#heads.restart();
    if (this.#body !== null) this.#heads.push(this.#body.rest());
    this.#body = null;
    this.#request = null;
    this.#ended = false;
  }

  /** After `end`: takes the bytes behind the request out of the chunk, those of a tunnel. */
  rest(): Uint8Array {
    return this.#body === null ? this.#heads.rest() : this.#body.rest();
  }

  /** Says that no more bytes come; throws if a request is cut off. */
  end(): void {
    if (this.#error !== null) throw this.#error;
    try {
      if (this.#request === null) this.#heads.end();
      else this.#body?.end();
    } catch (error) {
      if (error instanceof HttpError) this.#error = error;
      throw error;
    }
  }

  #advance(): SequenceEvent | null {
    if (this.#request === null) return this.#nextHead();
    if (this.#ended) return null;
    if (this.#body !== null) {
      const bytes = this.#body.next();
      if (bytes !== null) return { type: "data", bytes };
      if (!this.#body.done) return null;
    }
    this.#ended = true;
    return { type: "end", trailers: this.#body?.trailers ?? NO_TRAILERS };
  }

  #nextHead(): RequestEvent | null {
    const head = this.#heads.next();
    if (head === null) return null;
    const framing = requestFraming(head);
    const upgrade = upgradeOf(head);
    this.#request = {
      type: "request",
      head,
      framing,
      expectsContinue: expectsContinue(head) && framing !== 0,
      upgrade,
      // RFC 9931 §8: behind a CONNECT that is refused nothing is a request any more, for its client
      // may have sent bytes of the tunnel before it knew; nor is it behind an Upgrade.
      persistent: upgrade === null && head.method !== "CONNECT" && isPersistent(head),
    };
    if (framing !== 0) {
      const invalid = HttpStatus.BAD_REQUEST;
      this.#body = new BodyParser({ framing, invalid, ...this.#limits.body });
      this.#body.push(this.#heads.rest());
    }
    return this.#request;
  }
}
