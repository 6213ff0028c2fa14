import type { ByteStream } from "../net/byte_stream.ts";
import type { Field } from "../protocol/wire/field.ts";

/** The HTTP version that a client came by. */
export type HttpVersion = "1.1" | "2" | "3";

/** A request as it came, whatever the HTTP version. */
export interface OfferRequest {
  /** The version that it came by. */
  readonly http: HttpVersion;
  /** CONNECT for a WebSocket over HTTP/2 and HTTP/3. */
  readonly method: string;
  /** The `:protocol` of an extended CONNECT (RFC 8441, RFC 9220), as it was sent. */
  readonly protocol: string | null;
  /** `https`, as the client says. */
  readonly scheme: string;
  /** The host that it is for, with its port if it has one (RFC 9110 §7.2). */
  readonly authority: string;
  /** Path and query; empty for a plain CONNECT. */
  readonly path: string;
  /** Its header fields in order, without the pseudo-header fields. */
  readonly fields: readonly Field[];
  /** The client, "ip:port". */
  readonly remote: string;
}

/** A whole body, or its parts as they come; a throw in between breaks the answer visibly. */
export type Body = Uint8Array | AsyncIterable<Uint8Array>;

/**
 * A request that waits for its answer. It is answered once, by `accept` or by `respond`; a second
 * answer throws.
 */
export interface Offer {
  readonly request: OfferRequest;
  /** Calls back once if the client is gone before it was answered whole. */
  onGone(callback: () => void): void;
  /** 200 (101 in HTTP/1.1); what follows are the bytes of the tunnel. */
  accept(fields: readonly Field[]): Promise<Tunnel>;
  /** Any other answer. Resolves when it is handed over, rejects when the client is gone. */
  respond(status: number, fields: readonly Field[], body?: Body): Promise<void>;
  /** Gives the request up, answered or not, where its client does not take the answer. */
  abort(): void;
}

export interface Tunnel extends ByteStream {
  /** Reads no more from the client, and tells it so. */
  stopReading(): void;
}
