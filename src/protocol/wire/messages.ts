// RFC 9113 §8, RFC 9114 §4: the field sections of HTTP/2 and HTTP/3 as messages, and back.
import { PeerError } from "./error.ts";
import type { Field } from "./field.ts";
import {
  type MessageRules,
  readRequest,
  readResponse,
  readTrailers,
  type RequestHead,
  requestSection,
  type ResponseHead,
  responseSection,
} from "./message.ts";
import { readContentLength, withoutConnection } from "./message_fields.ts";

/** What one version of HTTP makes of field sections. */
export interface Messages {
  /**
   * RFC 9113 §8.3.1, RFC 9114 §4.3.1, RFC 8441 §4: checks the section of a request and takes it apart.
   *
   * @throws {PeerError} of the stream when the request is malformed
   */
  readRequestHead(section: readonly Field[]): RequestHead;
  /**
   * RFC 9113 §8.3.2, RFC 9114 §4.3.2: checks the section of a response and takes it apart.
   *
   * @throws {PeerError} of the stream when the response is malformed
   */
  readResponseHead(section: readonly Field[]): ResponseHead;
  /**
   * RFC 9113 §8.1, RFC 9114 §4.3: trailers have no pseudo-header fields; else they follow the rules
   * of all fields.
   *
   * @throws {PeerError} of the stream
   */
  checkTrailers(section: readonly Field[]): void;
  /**
   * What Content-Length says; `null` without one.
   *
   * @throws {PeerError} of the stream when it is not one whole number
   */
  contentLength(fields: readonly Field[]): number | null;
  /**
   * The section of a request. Connection-specific fields are left out, and so is Host where there is
   * an authority.
   *
   * @throws {TypeError} what would be malformed: a mistake of ours
   */
  encodeRequest(head: RequestHead): Field[];
  /**
   * The section of a response. Connection-specific fields are left out.
   *
   * @throws {TypeError} what would be malformed: a mistake of ours
   */
  encodeResponse(status: number, fields: readonly Field[]): Field[];
  /**
   * The section of trailers. Connection-specific fields are left out.
   *
   * @throws {TypeError} what would be malformed: a mistake of ours
   */
  encodeTrailers(fields: readonly Field[]): Field[];
}

/** The messages of one version. */
export function messagesOf(rules: MessageRules): Messages {
  const { malformed } = rules;
  return {
    readRequestHead: (section) => readRequest(section, rules),
    readResponseHead: (section) => readResponse(section, malformed),
    checkTrailers: (section) => void readTrailers(section, malformed),
    contentLength: (fields) => readContentLength(fields, malformed),
    encodeRequest: (head) => orTypeError(() => requestSection(head, rules)),
    encodeResponse: (status, fields) =>
      orTypeError(() => responseSection(status, fields, malformed)),
    encodeTrailers(fields) {
      const section = withoutConnection(fields).filter(([name]) => name !== "te");
      return orTypeError(() => readTrailers(section, malformed));
    },
  };
}

function orTypeError<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof PeerError ? new TypeError(error.message) : error;
  }
}
