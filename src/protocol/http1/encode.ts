// RFC 9112 §3, §4: heads as bytes. What can't be written is a bug of ours: TypeError.
import { isAuthority } from "../wire/authority.ts";
import { type Field, isToken } from "../wire/field.ts";
import { encodeLines } from "./encode_fields.ts";
import { HttpError } from "./error.ts";
import { declaredFraming, isContentRefused } from "./framing.ts";
import { reasonPhrase } from "./status.ts";
import { isRequestTarget } from "./target.ts";

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
  checkHost(fields);
  if (isContentRefused(method, checkFraming(fields, true))) {
    throw new TypeError(`${method} with a body`);
  }
  return encodeLines(`${method} ${target} HTTP/1.1`, fields);
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
  return encodeLines(`HTTP/1.1 ${status} ${reason}`, fields);
}

/** RFC 9112 §3.2: exactly one Host field, and a valid one. */
function checkHost(fields: readonly Field[]): void {
  let host: string | null = null;
  for (const [name, value] of fields) {
    if (name !== "host") continue;
    if (host !== null) throw new TypeError("A request has one Host field, not two");
    host = value;
  }
  if (host === null || !isAuthority(host)) {
    throw new TypeError(`A request needs one valid Host field, not ${JSON.stringify(host)}`);
  }
}

function isFraming(name: string): boolean {
  return name === "content-length" || name === "transfer-encoding";
}

/** RFC 9112 §11.2: we never write what two readers would read in two ways. */
function checkFraming(fields: readonly Field[], isRequest: boolean): number | "chunked" | null {
  try {
    return declaredFraming({ isRequest, version: "1.1", fields });
  } catch (error) {
    if (error instanceof HttpError) throw new TypeError(error.message);
    throw error;
  }
}
