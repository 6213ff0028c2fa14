// RFC 9113 §8.2, §8.3, §8.5, RFC 8441 §4: field sections as messages.
import { type Messages, messagesOf } from "../wire/messages.ts";
import { H2Code, type H2Error, streamError } from "./codes.ts";

export type { RequestHead, ResponseHead } from "../wire/message.ts";

/** RFC 9113 §8.1.1: a malformed message is a stream error PROTOCOL_ERROR. */
export function malformed(message: string): H2Error {
  return streamError(H2Code.PROTOCOL_ERROR, message);
}

export const {
  checkTrailers,
  contentLength,
  encodeRequest,
  encodeResponse,
  encodeTrailers,
  readRequestHead,
  readResponseHead,
}: Messages = messagesOf({ malformed, normalizesHost: true });
