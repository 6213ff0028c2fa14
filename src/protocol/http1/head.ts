// RFC 9112 §3, §4: the heads of requests and responses.
import { isAuthority } from "../wire/authority.ts";
import { type Field, isToken } from "../wire/field.ts";
import { HttpError, HttpStatus } from "./error.ts";
import { declaredFraming, type HttpVersion, isContentRefused } from "./framing.ts";
import { type HeadLimits, HeadParser } from "./head_parser.ts";
import { isRequestTarget } from "./target.ts";

export type { HeadLimits } from "./head_parser.ts";

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

/** The limits of what comes before a body. */
export interface ResponseLimits extends HeadLimits {
  /** The most interim heads. Default 32. */
  readonly maxInterim?: number;
}

const DEFAULT_MAX_INTERIM = 32;

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
    this.#skippedEmptyLine = false;
    // RFC 9112 §3: method SP request-target SP HTTP-version, and no other white space.
    const first = line.indexOf(" ");
    const last = line.indexOf(" ", first + 1);
    const method = line.slice(0, first);
    if (last < 0 || line.indexOf(" ", last + 1) >= 0 || !isToken(method)) {
      throw badRequest("Invalid request line");
    }
    this.#version = requestVersion(line.slice(last + 1));
    const target = line.slice(first + 1, last);
    if (!isRequestTarget(method, target)) throw badRequest("Invalid request target");
    this.#method = method;
    this.#target = target;
    return true;
  }

  protected override finish(fields: Field[]): RequestHead {
    const version = this.#version;
    checkHost(fields, version);
    const framing = declaredFraming({ isRequest: true, version, fields });
    const method = this.#method;
    if (isContentRefused(method, framing)) throw badRequest(`${method} with a body`);
    writeLength(fields, framing);
    return { method, target: this.#target, version, fields };
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
  readonly #maxInterim: number;
  #status = 0;
  #reason = "";
  #version: HttpVersion = "1.1";
  #interim = 0;

  constructor(limits: ResponseLimits = {}) {
    super(HttpStatus.BAD_GATEWAY, limits);
    this.#maxInterim = limits.maxInterim ?? DEFAULT_MAX_INTERIM;
  }

  override restart(): void {
    super.restart();
    this.#interim = 0;
  }

  protected override startLine(line: string): boolean {
    // RFC 9112 §4: HTTP-version SP 3DIGIT SP [ reason-phrase ]; many leave out the last SP.
    const match = /^HTTP\/1\.([01]) ([0-9]{3})(?: (.*))?$/.exec(line);
    if (match === null) throw badGateway("Invalid status line");
    const status = Number(match[2]);
    // RFC 9110 §15: a status is 100 to 599.
    if (status < 100 || status > 599) throw badGateway(`Invalid status ${match[2]}`);
    this.#version = match[1] === "1" ? "1.1" : "1.0";
    // RFC 9110 §7.8: Upgrade is not of HTTP/1.0. §15.2: 1xx MUST NOT be sent to an HTTP/1.0 client.
    if (status === 101 && this.#version === "1.0") throw badGateway("101 in HTTP/1.0");
    this.#status = status;
    this.#reason = match[3] ?? "";
    return true;
  }

  protected override finish(fields: Field[]): ResponseHead {
    const version = this.#version;
    writeLength(fields, declaredFraming({ isRequest: false, version, fields }));
    return { status: this.#status, reason: this.#reason, version, fields };
  }

  protected override tooLong(): number {
    return HttpStatus.BAD_GATEWAY;
  }

  protected override isInterim(head: ResponseHead): boolean {
    // RFC 9110 §15.2.2: 101 is the last response of its protocol.
    if (head.status >= 200 || head.status === 101) return false;
    if (++this.#interim > this.#maxInterim) {
      throw badGateway(`More than ${this.#maxInterim} interim responses`);
    }
    return true;
  }

  /** A response was awaited: even a connection that ends without a byte was cut. */
  protected override cutIsError(): boolean {
    return true;
  }
}

function requestVersion(text: string): HttpVersion {
  if (text === "HTTP/1.1") return "1.1";
  if (text === "HTTP/1.0") return "1.0";
  if (!/^HTTP\/[0-9]\.[0-9]$/.test(text)) throw badRequest("Invalid HTTP version");
  // RFC 9110 §15.6.6: a major version that is not served.
  throw new HttpError(HttpStatus.HTTP_VERSION_NOT_SUPPORTED, `${text} is not supported`);
}

/** RFC 9112 §3.2: 400 for no Host in HTTP/1.1, more than one, or an invalid one. */
function checkHost(fields: readonly Field[], version: HttpVersion): void {
  let host: string | null = null;
  for (const [name, value] of fields) {
    if (name === "host") {
      if (host !== null) throw badRequest("More than one Host field");
      host = value;
    } else if (name === "content_length" || name === "transfer_encoding") {
      // RFC 3875 §4.1.18: to a CGI program "-" and "_" in names are the same.
      throw badRequest(`Field ${name}, which some read as framing`);
    }
  }
  if (host === null && version === "1.1") throw badRequest("No Host field");
  if (host !== null && !isAuthority(host)) throw badRequest("Invalid Host field");
}

/** RFC 9110 §8.6: "010" is ten, but there are readers that take it for octal. */
function writeLength(fields: Field[], framing: number | "chunked" | null): void {
  if (typeof framing !== "number") return;
  const at = fields.findIndex(([name]) => name === "content-length");
  const length = String(framing);
  if (fields[at][1] !== length) fields[at] = ["content-length", length];
}

function badRequest(message: string): HttpError {
  return new HttpError(HttpStatus.BAD_REQUEST, message);
}

function badGateway(message: string): HttpError {
  return new HttpError(HttpStatus.BAD_GATEWAY, message);
}
