// RFC 9113 §8.2, §8.3, §8.5, RFC 8441 §4: field sections as messages.
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
import { readContentLength, withoutConnection } from "../wire/message_fields.ts";
import { H2Code, H2Error, streamError } from "./codes.ts";

export type { RequestHead, ResponseHead } from "../wire/message.ts";

const RULES: MessageRules = { malformed, normalizesHost: true };

/** RFC 9113 §8.1.1: a malformed message is a stream error PROTOCOL_ERROR. */
export function malformed(message: string): H2Error {
  return streamError(H2Code.PROTOCOL_ERROR, message);
}

/**
 * RFC 9113 §8.3.1, RFC 8441 §4: checks the field section of a request and takes it apart.
 *
 * @throws {H2Error} PROTOCOL_ERROR of the stream when the request is malformed
 */
export function readRequestHead(section: readonly Field[]): RequestHead {
  return readRequest(section, RULES);
}

/**
 * RFC 9113 §8.3.2: checks the field section of a response and takes it apart.
 *
 * @throws {H2Error} PROTOCOL_ERROR of the stream when the response is malformed
 */
export function readResponseHead(section: readonly Field[]): ResponseHead {
  return readResponse(section, malformed);
}

/**
 * RFC 9113 §8.1: trailers have no pseudo-header fields; else they follow the rules of all fields.
 *
 * @throws {H2Error} PROTOCOL_ERROR of the stream
 */
export function checkTrailers(section: readonly Field[]): void {
  readTrailers(section, malformed);
}

/**
 * What Content-Length says; `null` without one.
 *
 * @throws {H2Error} PROTOCOL_ERROR of the stream when it is not one whole number
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

/**
 * The field section of trailers. Connection-specific fields are left out.
 *
 * @throws {TypeError} what would be malformed: a mistake of ours
 */
export function encodeTrailers(fields: readonly Field[]): Field[] {
  const section = withoutConnection(fields).filter(([name]) => name !== "te");
  return orTypeError(() => readTrailers(section, malformed));
}

function orTypeError<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof H2Error ? new TypeError(error.message) : error;
  }
}
