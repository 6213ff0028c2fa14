// RFC 9112 §6: what the fields say about where the body ends. Two readers that disagree here are
// what request smuggling and response splitting live on (§11.1, §11.2), so nothing is repaired.
import { type Field, isToken } from "../wire/field.ts";
import { MAX_LENGTH } from "../wire/varint.ts";
import { HttpError, HttpStatus } from "./error.ts";

export type HttpVersion = "1.0" | "1.1";

/** Where a body ends: after so many bytes, by its last chunk, or with the connection. */
export type Framing = number | "chunked" | "close";

/** The fields and the version of a head; `isRequest` says with which status an error is answered. */
export interface FramingFields {
  readonly isRequest: boolean;
  readonly version: HttpVersion;
  readonly fields: readonly Field[];
}

/**
 * What Content-Length or Transfer-Encoding say, or `null` if there is neither.
 * Throws an `HttpError` where they are in doubt.
 */
export function declaredFraming(head: FramingFields): number | "chunked" | null {
  const invalid = head.isRequest ? HttpStatus.BAD_REQUEST : HttpStatus.BAD_GATEWAY;
  let length: string | null = null;
  let codings: string | null = null;
  for (const [name, value] of head.fields) {
    if (name === "content-length") {
      // RFC 9110 §8.6: several Content-Length values, be they equal, may be refused.
      if (length !== null) throw new HttpError(invalid, "More than one Content-Length");
      length = value;
    } else if (name === "transfer-encoding") {
      codings = codings === null ? value : `${codings},${value}`;
    }
  }
  if (codings !== null) {
    // RFC 9112 §6.1: Transfer-Encoding in HTTP/1.0 means that the framing is faulty.
    if (head.version === "1.0") throw new HttpError(invalid, "Transfer-Encoding in HTTP/1.0");
    // RFC 9112 §6.3: both ought to be handled as an error.
    if (length !== null) {
      throw new HttpError(invalid, "Content-Length together with Transfer-Encoding");
    }
    checkCodings(codings, head.isRequest);
    return "chunked";
  }
  if (length === null) return null;
  const bytes = parseLength(length);
  if (bytes === null) {
    throw new HttpError(invalid, `Invalid Content-Length ${JSON.stringify(length.slice(0, 40))}`);
  }
  return bytes;
}

/**
 * Whether a request with this framing can't be: RFC 9110 §9.3.6, §9.3.8: CONNECT and TRACE have no
 * content, and what comes behind a CONNECT is no body.
 */
export function isContentRefused(method: string, framing: number | "chunked" | null): boolean {
  if (framing === null || framing === 0) return false;
  return method === "CONNECT" || method === "TRACE";
}

/** RFC 9110 §8.6: 1*DIGIT, no sign, no list, and a number that can be counted exactly. */
function parseLength(value: string): number | null {
  if (!/^[0-9]{1,16}$/.test(value)) return null;
  const length = Number(value);
  return length <= MAX_LENGTH ? length : null;
}

const OWS_ENDS = /^[ \t]+|[ \t]+$/g;

/** Throws unless the one transfer coding is "chunked". */
function checkCodings(value: string, isRequest: boolean): void {
  if (value.toLowerCase() === "chunked") return;
  const codings = value.toLowerCase().split(",").map((coding) => coding.replace(OWS_ENDS, ""));
  const message = `Unsupported Transfer-Encoding ${JSON.stringify(value.slice(0, 40))}`;
  if (!isRequest) throw new HttpError(HttpStatus.BAD_GATEWAY, message);
  const last = codings.length - 1;
  // RFC 9112 §6.3: chunked not final: the length is unknown, 400. §7.1: never chunked twice.
  const isFinal = codings.indexOf("chunked") === last;
  // RFC 9110 §10.1.4: a coding is a token, with parameters perhaps; empty ones hide the list.
  const areCodings = codings.every((coding) => isToken(coding.split(/[ \t]*;/, 1)[0]));
  if (!isFinal || !areCodings) throw new HttpError(HttpStatus.BAD_REQUEST, message);
  // RFC 9112 §6.1: a transfer coding that is not understood: 501.
  throw new HttpError(HttpStatus.NOT_IMPLEMENTED, message);
}
