import type { QuicStream } from "../net/quic_stream.ts";
import type { RequestHead } from "../protocol/http3/fields.ts";
import type { RequestStreamParser } from "../protocol/http3/request_stream.ts";
import type { OfferRequest } from "./offer.ts";

/**
 * The field section of a request's head; `null` where the client ends before it. `lost` is called
 * where the client is gone.
 */
export async function readHeadBlock(
  stream: QuicStream,
  parser: RequestStreamParser,
  lost: () => void,
): Promise<Uint8Array | "oversize" | null> {
  for (;;) {
    let chunk: Uint8Array | null;
    try {
      chunk = await stream.read();
    } catch {
      lost();
      return null;
    }
    if (chunk === null) {
      parser.end();
      return null;
    }
    parser.push(chunk);
    const event = parser.next();
    if (event === null) continue;
    if (event.type === "oversize") return "oversize";
    if (event.type !== "headers") continue;
    return event.block;
  }
}

/** The request of a head that was read. */
export function toOfferRequest(head: RequestHead, remote: string): OfferRequest {
  return {
    http: "3",
    method: head.method,
    protocol: head.protocol,
    scheme: head.scheme ?? "https",
    authority: head.authority ?? "",
    path: head.path ?? "",
    fields: head.fields,
    remote,
  };
}
