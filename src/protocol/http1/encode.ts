// RFC 9112 §3, §4, §5: heads as bytes. What can't be written is a bug of ours: TypeError.
import { type Field, getFields, isFieldValue, isToken } from "../wire/field.ts";
import { latin1Bytes } from "../wire/latin1.ts";
import { HttpError } from "./error.ts";
import { declaredFraming } from "./framing.ts";
import { reasonPhrase } from "./status.ts";
import { isAuthority, isRequestTarget } from "./target.ts";

/** What goes into a request head; names in lower case, values latin1. */
export interface RequestHeadInit {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly Field[];
}

/** What goes into a response head. `reason` comes from the status if it is left out. */
export interface ResponseHeadInit {
  readonly status: number;
  readonly reason?: string;
  readonly fields: readonly Field[];
}

/** Parts of names that are not written with one capital. */
const PART: Readonly<Record<string, string>> = {
  websocket: "WebSocket",
  www: "WWW",
  etag: "ETag",
  te: "TE",
  ip: "IP",
  dnt: "DNT",
  xss: "XSS",
};

/**
 * Encodes an HTTP/1.1 request head with its empty line. Throws TypeError for a method, target or
 * field that would not come back from `RequestHeadParser` as it is.
 */
export function encodeRequestHead(head: RequestHeadInit): Uint8Array {
  const { method, target, fields } = head;
  if (!isToken(method)) throw new TypeError(`Invalid method ${JSON.stringify(method)}`);
  if (!isRequestTarget(method, target)) {
    throw new TypeError(`Invalid request target ${JSON.stringify(target)}`);
  }
  // RFC 9112 §3.2: exactly one Host field, and a valid one.
  const hosts = getFields(fields, "host");
  if (hosts.length !== 1 || !isAuthority(hosts[0])) {
    throw new TypeError(`A request needs one valid Host field, not ${JSON.stringify(hosts)}`);
  }
  checkFraming(fields, true);
  return latin1Bytes(`${method} ${target} HTTP/1.1\r\n${fieldLines(fields)}\r\n`);
}

/**
 * Encodes an HTTP/1.1 response head with its empty line. Content-Length and Transfer-Encoding are
 * left out of 1xx and 204. Throws TypeError for what `ResponseHeadParser` would not take.
 */
export function encodeResponseHead(head: ResponseHeadInit): Uint8Array {
  const { status, reason = reasonPhrase(status) } = head;
  if (!Number.isInteger(status) || status < 100 || status > 599) {
    throw new TypeError(`Invalid status ${status}`);
  }
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(reason)) throw new TypeError("Invalid reason phrase");
  checkFraming(head.fields, false);
  // RFC 9110 §8.6, RFC 9112 §6.1: neither of them in 1xx and 204.
  const bodiless = status < 200 || status === 204;
  const fields = bodiless ? head.fields.filter(([name]) => !isFraming(name)) : head.fields;
  return latin1Bytes(`HTTP/1.1 ${status} ${reason}\r\n${fieldLines(fields)}\r\n`);
}

/**
 * A lower-case field name as HTTP/1.1 has always written it: `Sec-WebSocket-Key`. Names are
 * case-insensitive (RFC 9110 §5.1), but some servers don't know.
 */
export function canonicalName(name: string): string {
  return COMMON.get(name) ?? toCanonical(name);
}

function toCanonical(name: string): string {
  return name.split("-").map((part) =>
    Object.hasOwn(PART, part) ? PART[part] : part.slice(0, 1).toUpperCase() + part.slice(1)
  ).join("-");
}

/** Those that nearly every upgrade has; no more are kept, for a client could make up any number. */
const COMMON: ReadonlyMap<string, string> = new Map(
  [
    "host",
    "connection",
    "upgrade",
    "origin",
    "cookie",
    "user-agent",
    "authorization",
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "pragma",
    "via",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "sec-websocket-version",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
  ].map((name) => [name, toCanonical(name)]),
);

function fieldLines(fields: readonly Field[]): string {
  let text = "";
  for (const [name, value] of fields) {
    // RFC 9110 §5.5: CR, LF and NUL are dangerous: they are never written.
    if (!isToken(name) || name !== name.toLowerCase()) {
      throw new TypeError(`Invalid field name ${JSON.stringify(name)}`);
    }
    if (!isFieldValue(value)) throw new TypeError(`Invalid value of field ${name}`);
    text += `${canonicalName(name)}: ${value}\r\n`;
  }
  return text;
}

function isFraming(name: string): boolean {
  return name === "content-length" || name === "transfer-encoding";
}

/** RFC 9112 §11.2: we never write what two readers would read in two ways. */
function checkFraming(fields: readonly Field[], isRequest: boolean): void {
  try {
    declaredFraming({ isRequest, version: "1.1", fields });
  } catch (error) {
    if (error instanceof HttpError) throw new TypeError(error.message);
    throw error;
  }
}
