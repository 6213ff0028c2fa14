// RFC 9112 §2.1, §3, §4: start line, fields, empty line.
import { type Field, getFields, isToken } from "../wire/field.ts";
import type { Parser } from "../wire/parser.ts";
import { HttpError, HttpStatus } from "./error.ts";
import { parseFieldLine } from "./field_line.ts";
import { declaredFraming, type HttpVersion } from "./framing.ts";
import { Input } from "./input.ts";
import { isAuthority, isRequestTarget } from "./target.ts";

export interface RequestHead {
  readonly method: string;
  /** As it came: a path with its query, an absolute URI, `host:port` for CONNECT, or `*`. */
  readonly target: string;
  readonly version: HttpVersion;
  readonly fields: Field[];
}

export interface ResponseHead {
  /** 100 to 599. */
  readonly status: number;
  readonly reason: string;
  readonly version: HttpVersion;
  readonly fields: Field[];
}

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
abstract class HeadParser<Head> implements Parser<Head> {
  readonly limit: number;
  readonly #maxFields: number;
  readonly #invalid: number;
  readonly #input: Input;
  #budget: number;
  #headBytes = 0;
  #fields: Field[] | null = null;
  #done = false;
  #error: HttpError | null = null;

  constructor(invalid: number, limits: HeadLimits) {
    this.limit = limits.limit ?? DEFAULT_LIMIT;
    this.#maxFields = limits.maxFields ?? DEFAULT_MAX_FIELDS;
    this.#invalid = invalid;
    this.#input = new Input(invalid);
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

  /** Whether a head has begun and is not whole. */
  protected get begun(): boolean {
    return this.buffered > 0;
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
      if (error instanceof HttpError) this.#fail(error);
      throw error;
    }
  }

  /** Takes the bytes behind the last head out of the chunk: a view, empty before `done`. */
  rest(): Uint8Array {
    return this.#input.bytes(this.#done ? Infinity : 0);
  }

  end(): void {
    if (this.#error !== null) throw this.#error;
    if (!this.#done && this.cutIsError()) {
      this.#fail(new HttpError(this.#invalid, "The connection ended before the end of the head"));
      throw this.#error;
    }
  }

  protected cutIsError(): boolean {
    return this.begun;
  }

  #fail(error: HttpError): void {
    this.#error = error;
    this.#fields = null;
  }

  #advance(): Head | null {
    for (;;) {
      const line = this.#input.line(this.#budget, this.tooLong(this.#fields === null));
      if (line === null) return null;
      this.#budget -= line.length + 2;
      this.#headBytes += line.length + 2;
      if (this.#fields === null) {
        if (this.startLine(line)) this.#fields = [];
      } else if (line.length > 0) {
        this.#addField(this.#fields, line);
      } else {
        return this.#finishHead(this.#fields);
      }
    }
  }

  #addField(fields: Field[], line: string): void {
    if (fields.length === this.#maxFields) {
      throw new HttpError(this.tooLong(false), `More than ${this.#maxFields} field lines`);
    }
    fields.push(parseFieldLine(line, this.#invalid));
  }

  #finishHead(fields: Field[]): Head {
    const head = this.finish(fields);
    this.#fields = null;
    this.#headBytes = 0;
    this.#done = !this.isInterim(head);
    return head;
  }
}

/**
 * Parses one request head, RFC 9112 §3. It gives one event; then `done` is true and `rest` has the
 * bytes behind the head. Throws `HttpError` with the status to answer: 400, 414, 431, 501 or 505.
 */
export class RequestHeadParser extends HeadParser<RequestHead> {
  #method = "";
  #target = "";
  #version: HttpVersion = "1.1";
  #skippedEmptyLine = false;

  constructor(limits: HeadLimits = {}) {
    super(HttpStatus.BAD_REQUEST, limits);
  }

  protected override startLine(line: string): boolean {
    // RFC 9112 §2.2: ignore at least one empty line before the request line. One it is.
    if (line === "" && !this.#skippedEmptyLine) {
      this.#skippedEmptyLine = true;
      return false;
    }
    // RFC 9112 §3: method SP request-target SP HTTP-version, and no other white space.
    const parts = line.split(" ");
    if (parts.length !== 3 || !isToken(parts[0])) throw badRequest("Invalid request line");
    const [method, target, version] = parts;
    if (!/^HTTP\/[0-9]\.[0-9]$/.test(version)) throw badRequest("Invalid HTTP version");
    // RFC 9110 §15.6.6: a major version that is not served.
    if (version !== "HTTP/1.1" && version !== "HTTP/1.0") {
      throw new HttpError(HttpStatus.HTTP_VERSION_NOT_SUPPORTED, `${version} is not supported`);
    }
    if (!isRequestTarget(method, target)) throw badRequest("Invalid request target");
    this.#method = method;
    this.#target = target;
    this.#version = version === "HTTP/1.1" ? "1.1" : "1.0";
    return true;
  }

  protected override finish(fields: Field[]): RequestHead {
    const version = this.#version;
    const hosts = getFields(fields, "host");
    // RFC 9112 §3.2: 400 for no Host in HTTP/1.1, more than one, or an invalid one.
    if (hosts.length === 0 && version === "1.1") throw badRequest("No Host field");
    if (hosts.length > 1) throw badRequest("More than one Host field");
    if (hosts.length === 1 && !isAuthority(hosts[0])) throw badRequest("Invalid Host field");
    declaredFraming({ isRequest: true, version, fields });
    return { method: this.#method, target: this.#target, version, fields };
  }

  protected override tooLong(inStartLine: boolean): number {
    // RFC 9112 §3: a request target that is too long: 414.
    return inStartLine ? HttpStatus.URI_TOO_LONG : HttpStatus.REQUEST_HEADER_FIELDS_TOO_LARGE;
  }

  protected override isInterim(): boolean {
    return false;
  }
}

/**
 * Parses response heads, RFC 9112 §4. An interim response (1xx but 101) is an event like the last:
 * go on with the same parser. After the last, `done` is true and `rest` has the bytes behind the
 * head. Throws `HttpError` 502.
 */
export class ResponseHeadParser extends HeadParser<ResponseHead> {
  #status = 0;
  #reason = "";
  #version: HttpVersion = "1.1";

  constructor(limits: HeadLimits = {}) {
    super(HttpStatus.BAD_GATEWAY, limits);
  }

  protected override startLine(line: string): boolean {
    // RFC 9112 §4: HTTP-version SP 3DIGIT SP [ reason-phrase ]; many leave out the last SP.
    const match = /^HTTP\/1\.([01]) ([0-9]{3})(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(line);
    if (match === null) throw new HttpError(HttpStatus.BAD_GATEWAY, "Invalid status line");
    const status = Number(match[2]);
    // RFC 9110 §15: a status is 100 to 599.
    if (status < 100 || status > 599) {
      throw new HttpError(HttpStatus.BAD_GATEWAY, `Invalid status ${match[2]}`);
    }
    this.#status = status;
    this.#reason = match[3] ?? "";
    this.#version = match[1] === "1" ? "1.1" : "1.0";
    return true;
  }

  protected override finish(fields: Field[]): ResponseHead {
    const version = this.#version;
    declaredFraming({ isRequest: false, version, fields });
    return { status: this.#status, reason: this.#reason, version, fields };
  }

  protected override tooLong(): number {
    return HttpStatus.BAD_GATEWAY;
  }

  protected override isInterim(head: ResponseHead): boolean {
    // RFC 9110 §15.2.2: 101 is the last response of its protocol.
    return head.status < 200 && head.status !== 101;
  }

  /** A response was awaited: even a connection that ends without a byte was cut. */
  protected override cutIsError(): boolean {
    return true;
  }
}

function badRequest(message: string): HttpError {
  return new HttpError(HttpStatus.BAD_REQUEST, message);
}
