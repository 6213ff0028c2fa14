// RFC 9112 §3, §6: a request for an HTTP/1.1 server, framed anew.
import type { Content } from "../ingress/offer.ts";
import { encodeRequestHead } from "../protocol/http1/encode.ts";
import type { Field } from "../protocol/wire/field.ts";

/** What is asked for. Fields are end-to-end ones, `host` and perhaps `te` among them. */
export interface H1Request {
  readonly method: string;
  /** A path with its query, or `*`. */
  readonly target: string;
  /** Names in lower case. What they say about framing and connection is replaced. */
  readonly fields: readonly Field[];
}

/** A request that HTTP/1.1 has no way to write: its sender's fault, and nothing was sent. */
export class UnwritableRequest extends Error {
  /** The name of the class. */
  override name = "UnwritableRequest";
}

/** A head as bytes, and how the content goes behind it. */
export interface FramedRequest {
  readonly method: string;
  readonly head: Uint8Array;
  /** What is still to be sent; `null` for nothing. */
  readonly content: Content | null;
  readonly chunked: boolean;
  /** Whether the content waits for a 100 (Continue). */
  readonly expectsContinue: boolean;
}

// RFC 9110 §9.2.2, without what no client would repeat by itself.
const IDEMPOTENT: ReadonlySet<string> = new Set([
  ...["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"],
]);

// RFC 9110 §8.6: methods that anticipate content say so when there is none.
const ANTICIPATES_CONTENT: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

/** Whether it may be sent again when nobody knows what became of it. RFC 9110 §9.2.2. */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

/**
 * Writes the head of a request. Content whose length is known goes by Content-Length, all other in
 * chunks; in chunks too where the request has a Trailer field. `close` says that nothing follows on
 * its connection.
 *
 * @throws {UnwritableRequest}
 */
export function frameRequest(
  request: H1Request,
  body: Content | null,
  close: boolean,
): FramedRequest {
  const { method, target } = request;
  const content = body?.length === 0 ? null : body;
  const fields: Field[] = [];
  const options: string[] = close ? ["close"] : [];
  let chunked = content !== null && content.length === null;
  let hasLength = content !== null || ANTICIPATES_CONTENT.has(method);
  let expectsContinue = false;
  for (const field of request.fields) {
    switch (field[0]) {
      case "content-length":
        // Of an empty content; the length of any other is its own.
        hasLength = true;
        continue;
      case "transfer-encoding":
      case "connection":
        continue;
      case "expect":
        // RFC 9110 §10.1.1: MUST NOT be sent in a request without content.
        if (content === null) continue;
        expectsContinue = true;
        break;
      case "te":
        // RFC 9110 §10.1.4: TE goes with the connection option of its name.
        options.push("te");
        break;
      case "trailer":
        // RFC 9112 §7.1.2: only chunked content has a trailer section.
        chunked = content !== null;
    }
    fields.push(field);
  }
  if (chunked) fields.push(["transfer-encoding", "chunked"]);
  else if (hasLength) fields.push(["content-length", String(content?.length ?? 0)]);
  if (options.length > 0) fields.push(["connection", options.join(", ")]);
  return { method, head: encode(method, target, fields), content, chunked, expectsContinue };
}

function encode(method: string, target: string, fields: readonly Field[]): Uint8Array {
  // RFC 9112 §3.2.3: behind a CONNECT is a tunnel, not an answer.
  if (method === "CONNECT") throw new UnwritableRequest("CONNECT is no request for a resource");
  try {
    return encodeRequestHead({ method, target, fields });
  } catch (error) {
    if (error instanceof TypeError) throw new UnwritableRequest(error.message, { cause: error });
    throw error;
  }
}
