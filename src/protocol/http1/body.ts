// RFC 9112 §6.3, §7.1: where a body ends, and the chunked transfer coding.
import type { Parser } from "../wire/parser.ts";
import { MAX_LENGTH } from "../wire/varint.ts";
import { HttpError, HttpStatus } from "./error.ts";
import { parseFieldLine } from "./field_line.ts";
import { declaredFraming, type Framing } from "./framing.ts";
import type { RequestHead, ResponseHead } from "./head.ts";
import { Input } from "./input.ts";

const DEFAULT_LIMIT = 8192;
/** The most bytes of chunk lines that are not paid for by data: 16 a chunk and twice its size are. */
const MAX_OVERHEAD_BYTES = 16384;
// RFC 9112 §7.1.1: an extension begins with ";", white space before it is BWS.
const CHUNK_LINE = /^([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/;

const State = { DATA: 0, CHUNK_LINE: 1, CHUNK_END: 2, TRAILERS: 3, DONE: 4 } as const;
type State = typeof State[keyof typeof State];

/** How a body is read. `invalid` is the status of every error. */
export interface BodyOptions {
  readonly framing: Framing;
  readonly invalid: number;
  /** The most bytes of a chunk's line, and of the whole trailer section. Default 8192. */
  readonly limit?: number;
}

/**
 * Takes the framing off a body: events are runs of its content, views of the chunk that was
 * pushed, never empty. Trailers are checked and thrown away. After `done`, `rest` has the bytes
 * behind the body. Throws `HttpError`, and the same again ever after.
 */
export class BodyParser implements Parser<Uint8Array> {
  readonly limit: number;
  readonly #invalid: number;
  readonly #input: Input;
  readonly #framing: Framing;
  #state: State;
  #remaining: number;
  #overhead = 0;
  #trailerBytes = 0;
  #error: HttpError | null = null;

  constructor(options: BodyOptions) {
    this.limit = options.limit ?? DEFAULT_LIMIT;
    this.#invalid = options.invalid;
    this.#input = new Input(options.invalid);
    this.#framing = options.framing;
    this.#remaining = typeof options.framing === "number" ? options.framing : Infinity;
    this.#state = options.framing === 0 ? State.DONE : State.DATA;
    if (options.framing === "chunked") this.#state = State.CHUNK_LINE;
  }

  /** Whether the whole body has come. */
  get done(): boolean {
    return this.#state === State.DONE;
  }

  get buffered(): number {
    return this.#input.heldBytes;
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
      if (!this.#readLine()) return null;
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
    const line = this.#input.line(max, this.#invalid);
    if (line === null) return false;
    if (this.#state === State.CHUNK_END) this.#state = State.CHUNK_LINE;
    else if (this.#state === State.TRAILERS) this.#trailer(line);
    else this.#chunkLine(line);
    return true;
  }

  /** RFC 9112 §7.1: chunk-size [ chunk-ext ]; extensions that are not known MUST be ignored. */
  #chunkLine(line: string): void {
    const match = CHUNK_LINE.exec(line);
    if (match === null) throw new HttpError(this.#invalid, "Invalid chunk size");
    const size = parseInt(match[1], 16);
    // RFC 9112 §7.1: recipients MUST anticipate large numerals, and no loss of precision.
    if (size > MAX_LENGTH) throw new HttpError(this.#invalid, "Chunk size too large");
    // RFC 9112 §7.1.1: limit the total length of chunk extensions.
    this.#overhead = Math.max(0, this.#overhead + line.length + 2 - 16 - 2 * size);
    if (this.#overhead > MAX_OVERHEAD_BYTES) {
      throw new HttpError(this.#invalid, "Too many bytes of chunk extensions");
    }
    this.#remaining = size;
    this.#state = size === 0 ? State.TRAILERS : State.DATA;
  }

  /** RFC 9112 §7.1.2: trailer fields may be thrown away. */
  #trailer(line: string): void {
    this.#trailerBytes += line.length + 2;
    if (line.length > 0) parseFieldLine(line, this.#invalid);
    else this.#state = State.DONE;
  }
}

/**
 * The body of a response, to relay a refusal. `method` is that of the request.
 */
export class ResponseBodyParser extends BodyParser {
  constructor(head: ResponseHead, method: string, options: { limit?: number } = {}) {
    super({ framing: responseFraming(head, method), invalid: HttpStatus.BAD_GATEWAY, ...options });
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
export function requestFraming(head: RequestHead): Framing {
  const { version, fields } = head;
  return declaredFraming({ isRequest: true, version, fields }) ?? 0;
}
