import type { Field } from "../wire/field.ts";
import {
  type MessageRules,
  readRequest,
  readResponse,
  readTrailers,
  type RequestHead,
  requestSection,
  type ResponseHead,
  responseSection,
} from "../wire/message.ts";
import { readContentLength } from "../wire/message_fields.ts";
import { H3Error } from "./codes.ts";
import { malformed } from "./field_section.ts";

export type { RequestHead, ResponseHead } from "../wire/message.ts";

const RULES: MessageRules = { malformed, normalizesHost: false };

/**
 * RFC 9114 §4.3.1, RFC 8441 §4: checks the field section of a request and takes it apart.
 *
 * @throws {H3Error} H3_MESSAGE_ERROR of the stream when the request is malformed
 */
export function readRequestHead(section: readonly Field[]): RequestHead {
  return readRequest(section, RULES);
}

/**
 * RFC 9114 §4.3.2: checks the field section of a response and takes it apart.
 *
 * @throws {H3Error} H3_MESSAGE_ERROR of the stream when the response is malformed
 */
export function readResponseHead(section: readonly Field[]): ResponseHead {
  return readResponse(section, malformed);
}

/**
 * RFC 9114 §4.3: trailers have no pseudo-header fields; else they follow the rules of all fields.
 *
 * @throws {H3Error} H3_MESSAGE_ERROR of the stream
 */
export function checkTrailers(section: readonly Field[]): void {
  readTrailers(section, malformed);
}

/**
 * What Content-Length says; `null` without one.
 *
 * @throws {H3Error} H3_MESSAGE_ERROR of the stream when it is not one whole number
 */
export function contentLength(fields: readonly Field[]): number | null {
  return readContentLength(fields, malformed);
}

/**
 * The field section of a request. Connection-specific fields are left out, and so is Host where
 * there is an authority.
 *
 * @throws {TypeError} what would be malformed: a mistake of ours
 */
export function encodeRequest(head: RequestHead): Field[] {
  return orTypeError(() => requestSection(head, RULES));
}

/**
 * The field section of a response. Connection-specific fields are left out.
 *
 * @throws {TypeError} what would be malformed: a mistake of ours
 */
export function encodeResponse(status: number, fields: readonly Field[]): Field[] {
  return orTypeError(() => responseSection(status, fields, malformed));
}

function orTypeError<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof H3Error ? new TypeError(error.message) : error;
  }
}
