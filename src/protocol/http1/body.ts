// RFC 9112 §6.3, §7.1: where a body ends, and the chunked transfer coding.
import type { Field } from "../wire/field.ts";
import type { Parser } from "../wire/parser.ts";
import { MAX_LENGTH } from "../wire/varint.ts";
import { chunkSize } from "./chunk.ts";
import { HttpError, HttpStatus } from "./error.ts";
import { FieldLines } from "./field_lines.ts";
import { declaredFraming, type Framing } from "./framing.ts";
import type { RequestHead, ResponseHead } from "./head.ts";
import { Input } from "./input.ts";
import { trailerFields } from "./trailers.ts";

/** The most bytes of a chunk's line, and of the whole trailer section, unless told. */
export const DEFAULT_BODY_LIMIT = 8192;
const DEFAULT_MAX_TRAILERS = 64;
/** The most bytes of chunk lines that are not paid for by data: 16 a chunk and twice its size are. */
const MAX_OVERHEAD_BYTES = 16384;

const State = { DATA: 0, CHUNK_LINE: 1, CHUNK_END: 2, TRAILERS: 3, DONE: 4 } as const;
type State = typeof State[keyof typeof State];

/** The limits of what is not content in a body. */
export interface BodyLimits {
  /** The most bytes of a chunk's line, and of the whole trailer section. Default 8192. */
  readonly limit?: number;
  /** The most lines of the trailer section. Default 64. */
  readonly maxTrailers?: number;
}

/** How a body is read. `invalid` is the status of every error. */
export interface BodyOptions extends BodyLimits {
  readonly framing: Framing;
  readonly invalid: number;
}

/**
 * Takes the framing off a body: events are runs of its content, views of the chunk that was
 * pushed, never empty. After `done`, `trailers` has what came behind the content, and `rest` the
 * bytes behind the body. Throws `HttpError`, and the same again ever after.
 */
export class BodyParser implements Parser<Uint8Array> {
  readonly limit: number;
  readonly #maxTrailers: number;
  readonly #invalid: number;
  readonly #input: Input;
  readonly #framing: Framing;
  readonly #lines: FieldLines;
  #state: State;
  #remaining: number;
  #overhead = 0;
  #trailerBytes = 0;
  #trailers: Field[] = [];
  #error: HttpError | null = null;

  constructor(options: BodyOptions) {
    this.limit = options.limit ?? DEFAULT_BODY_LIMIT;
    this.#maxTrailers = options.maxTrailers ?? DEFAULT_MAX_TRAILERS;
    this.#invalid = options.invalid;
    this.#input = new Input(options.invalid);
    this.#lines = new FieldLines(options.invalid);
    this.#framing = options.framing;
    this.#remaining = typeof options.framing === "number" ? options.framing : Infinity;
    this.#state = options.framing === 0 ? State.DONE : State.DATA;
    if (options.framing === "chunked") this.#state = State.CHUNK_LINE;
  }

  /** Whether the whole body has come. */
  get done(): boolean {
    return this.#state === State.DONE;
  }

  /**
   * The trailer fields that came, once `done`: checked, and without those that no trailer section
   * may have (RFC 9110 §6.5.1).
   */
  get trailers(): readonly Field[] {
    return this.#trailers;
  }

  get buffered(): number {
    return this.done ? 0 : this.#trailerBytes + this.#input.heldBytes;
  }

  push(chunk: Uint8Array): void {
    this.#input.push(chunk);
  }

  /** The next run of content, or `null`. */
  next(): Uint8Array | null {
    if (this.#error !== null) throw this.#error;
    try {
      return this.#advance();
    } catch (error) {
      if (error instanceof HttpError) this.#error = error;
      throw error;
    }
  }

  /** Takes the bytes behind the body out of the chunk: a view, empty before `done`. */
  rest(): Uint8Array {
    return this.#input.bytes(this.done ? Infinity : 0);
  }

  /** RFC 9112 §8: only a body that ends with the connection is whole when the connection ends. */
  end(): void {
    if (this.#error !== null) throw this.#error;
    if (this.#framing === "close") this.#state = State.DONE;
    if (this.done) return;
    this.#error = new HttpError(this.#invalid, "The connection ended before the end of the body");
    throw this.#error;
  }

  #advance(): Uint8Array | null {
    while (this.#state !== State.DONE) {
      if (this.#state === State.DATA) {
        const bytes = this.#input.bytes(this.#remaining);
        if (bytes.length === 0) return null;
        this.#remaining -= bytes.length;
        if (this.#remaining === 0) this.#dataEnded();
        return bytes;
      }
      if (!this.#readLine()) {
        this.#lines.settle();
        return null;
      }
    }
    return null;
  }

  #dataEnded(): void {
    this.#state = this.#framing === "chunked" ? State.CHUNK_END : State.DONE;
  }

  /** Takes one line of the chunked coding; `false` if it is not whole. */
  #readLine(): boolean {
    // RFC 9112 §7.1: CRLF, exactly, behind the data: a longest line of 2 bytes.
    const max = this.#state === State.CHUNK_END ? 2 : this.limit - this.#trailerBytes;
    if (!this.#input.line(max, this.#invalid)) return false;
    if (this.#state === State.CHUNK_END) this.#state = State.CHUNK_LINE;
    else if (this.#state === State.TRAILERS) this.#trailer();
    else this.#chunkLine();
    return true;
  }

  #chunkLine(): void {
    const size = chunkSize(this.#input);
    if (size < 0) throw new HttpError(this.#invalid, "Invalid chunk size or extension");
    // RFC 9112 §7.1: recipients MUST anticipate large numerals, and no loss of precision.
    if (size > MAX_LENGTH) throw new HttpError(this.#invalid, "Chunk size too large");
    // RFC 9112 §7.1.1: limit the total length of chunk extensions.
    const bytes = this.#input.end - this.#input.start + 2;
    this.#overhead = Math.max(0, this.#overhead + bytes - 16 - 2 * size);
    if (this.#overhead > MAX_OVERHEAD_BYTES) {
      throw new HttpError(this.#invalid, "Too many bytes of chunk extensions");
    }
    this.#remaining = size;
    this.#state = size === 0 ? State.TRAILERS : State.DATA;
  }

  /** RFC 9112 §7.1.2: a trailer field, or the empty line that ends the body. */
  #trailer(): void {
    const { source, start, end } = this.#input;
    if (start === end) {
      this.#trailers = trailerFields(this.#lines.take());
      this.#state = State.DONE;
      return;
    }
    this.#trailerBytes += end - start + 2;
    if (this.#lines.count === this.#maxTrailers) {
      throw new HttpError(this.#invalid, `More than ${this.#maxTrailers} trailer fields`);
    }
    this.#lines.add(source, start, end);
  }
}

/** The body of a request. Throws `HttpError` 400. */
export class RequestBodyParser extends BodyParser {
  constructor(head: RequestHead, limits: BodyLimits = {}) {
    super({ framing: requestFraming(head), invalid: HttpStatus.BAD_REQUEST, ...limits });
  }
}

/** The body of a response; `method` is that of its request. Throws `HttpError` 502. */
export class ResponseBodyParser extends BodyParser {
  constructor(head: ResponseHead, method: string, limits: BodyLimits = {}) {
    super({ framing: responseFraming(head, method), invalid: HttpStatus.BAD_GATEWAY, ...limits });
  }
}

/** RFC 9112 §6.3: where the body of a response to `method` ends. */
export function responseFraming(head: ResponseHead, method: string): Framing {
  const { status, version, fields } = head;
  const declared = declaredFraming({ isRequest: false, version, fields });
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return 0;
  // RFC 9112 §6.3: any 2xx to CONNECT is a tunnel right behind the head.
  if (method === "CONNECT" && status < 300) return 0;
  return declared ?? "close";
}

/** RFC 9112 §6.3: a request without Content-Length and Transfer-Encoding has no body. */
export function requestFraming(head: RequestHead): number | "chunked" {
  const { version, fields } = head;
  return declaredFraming({ isRequest: true, version, fields }) ?? 0;
}
