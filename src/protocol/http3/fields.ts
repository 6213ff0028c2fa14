// RFC 9114 §4.2, §4.3, RFC 8441 §4: field sections as messages.
import { type Messages, messagesOf } from "../wire/messages.ts";
import { H3Code, H3Error } from "./codes.ts";

export type { RequestHead, ResponseHead } from "../wire/message.ts";

/** RFC 9114 §4.1.2: a malformed message is a stream error H3_MESSAGE_ERROR. */
export function malformed(message: string): H3Error {
  return new H3Error(H3Code.H3_MESSAGE_ERROR, "stream", message);
}

export const {
  checkTrailers,
  contentLength,
  encodeRequest,
  encodeResponse,
  readRequestHead,
  readResponseHead,
}: Messages = messagesOf({ malformed, normalizesHost: false });
