import type { QuicStream } from "../net/quic_stream.ts";
import { checkTrailers, contentLength, type ResponseHead } from "../protocol/http3/fields.ts";
import type { RequestStreamParser } from "../protocol/http3/request_stream.ts";
import { decodeFieldSection } from "../protocol/qpack/decoder.ts";

/** Of one field section: an answer's head, or its trailers. */
export const MAX_HEADER_BYTES = 64 * 1024;

/** An answer whose head was read. */
export interface Answered {
  stream: QuicStream;
  parser: RequestStreamParser;
  response: ResponseHead;
  /** Of the request. */
  method: string;
}

/**
 * Its body, piece by piece; each is valid until the next. Throws when it broke off (RFC 9114
 * §4.1.2), or has another length than it said.
 */
export async function* bodyParts(
  { stream, parser, response, method }: Answered,
): AsyncGenerator<Uint8Array, void> {
  const length = contentLength(response.fields);
  // RFC 9110 §8.6: to HEAD, and in a 304, it tells of a body that does not come.
  const comes = method !== "HEAD" && response.status !== 304;
  if (length !== null && comes) parser.expectContent(length);
  for (;;) {
    for (let event = parser.next(); event !== null; event = parser.next()) {
      if (event.type === "data") yield event.bytes;
      if (event.type !== "trailers") continue;
      checkTrailers(decodeFieldSection(event.block, MAX_HEADER_BYTES).fields);
    }
    const chunk = await stream.read();
    if (chunk === null) return parser.end();
    parser.push(chunk);
  }
}
