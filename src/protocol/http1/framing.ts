// RFC 9112 §6: what the fields say about where the body ends. Two readers that disagree here are
// what request smuggling and response splitting live on (§11.1, §11.2), so nothing is repaired.
import { type Field, getFields } from "../wire/field.ts";
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
  const lengths = getFields(head.fields, "content-length");
  const codings = getFields(head.fields, "transfer-encoding");
  const invalid = head.isRequest ? HttpStatus.BAD_REQUEST : HttpStatus.BAD_GATEWAY;
  if (codings.length > 0) {
    // RFC 9112 §6.1: Transfer-Encoding in HTTP/1.0 means that the framing is faulty.
    if (head.version === "1.0") throw new HttpError(invalid, "Transfer-Encoding in HTTP/1.0");
    // RFC 9112 §6.3: both ought to be handled as an error.
    if (lengths.length > 0) {
      throw new HttpError(invalid, "Content-Length together with Transfer-Encoding");
    }
    checkCodings(codings.join(","), head.isRequest);
    return "chunked";
  }
  if (lengths.length === 0) return null;
  // RFC 9110 §8.6: several Content-Length values, be they equal, may be refused.
  if (lengths.length > 1) throw new HttpError(invalid, "More than one Content-Length");
  const length = parseLength(lengths[0]);
  if (length === null) {
    throw new HttpError(invalid, `Invalid Content-Length ${JSON.stringify(lengths[0])}`);
  }
  return length;
}

/** RFC 9110 §8.6: 1*DIGIT, no sign, no list, and a number that can be counted exactly. */
function parseLength(value: string): number | null {
  if (!/^[0-9]{1,16}$/.test(value)) return null;
  const length = Number(value);
  return length <= MAX_LENGTH ? length : null;
}

/** Throws unless the one transfer coding is "chunked". */
function checkCodings(value: string, isRequest: boolean): void {
  const codings = value.split(",").map((coding) => coding.replace(/^[ \t]+|[ \t]+$/g, ""));
  const chunked = codings.filter((coding) => coding.toLowerCase() === "chunked").length;
  if (chunked === 1 && codings.length === 1) return;
  const message = `Unsupported Transfer-Encoding ${JSON.stringify(value)}`;
  if (!isRequest) throw new HttpError(HttpStatus.BAD_GATEWAY, message);
  const last = codings[codings.length - 1].toLowerCase();
  // RFC 9112 §6.3: chunked not final: the length is unknown, 400. §7.1: never chunked twice.
  if (last !== "chunked" || chunked > 1) {
    throw new HttpError(HttpStatus.BAD_REQUEST, message);
  }
  // RFC 9112 §6.1: a transfer coding that is not understood: 501.
  throw new HttpError(HttpStatus.NOT_IMPLEMENTED, message);
}
