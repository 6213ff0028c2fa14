import type { ByteStream } from "../net/byte_stream.ts";
import type { Field } from "../protocol/wire/field.ts";

/** The HTTP version that a client came by. */
export type HttpVersion = "1.1" | "2" | "3";

/** A request as it came, whatever the HTTP version. */
export interface OfferRequest {
  /** The version that it came by. */
  readonly http: HttpVersion;
  /** The version that its head came by, where `http` does not say it all. */
  readonly received?: "1.0" | "1.1";
  /** CONNECT for a WebSocket over HTTP/2 and HTTP/3. */
  readonly method: string;
  /**
   * What is to be spoken in the tunnel, as it was sent: the `:protocol` of an extended CONNECT
   * (RFC 8441, RFC 9220), or the Upgrade field of HTTP/1.1. `null` for an ordinary request, and
   * for a CONNECT without :protocol.
   */
  readonly protocol: string | null;
  /** `https` or `http`. */
  readonly scheme: string;
  /** The host that it is for, with its port if it has one (RFC 9110 §7.2). */
  readonly authority: string;
  /** Path and query; empty for a plain CONNECT. */
  readonly path: string;
  /** HTTP/1.1: what stood in the request line, be it a path, an absolute URI or an authority. */
  readonly target?: string;
  /** Its header fields in order, without the pseudo-header fields. */
  readonly fields: readonly Field[];
  /** The client, "ip:port". */
  readonly remote: string;
  /** Where the client came to, "ip:port", as far as that is known. */
  readonly local?: string;
  /** The subject of the certificate that the client has shown, where one was asked for (RFC 4514). */
  readonly clientCertificate?: string | null;
}

/** Content that is streamed: that of a request, or of an answer. */
export interface Content {
  /** In bytes, where that is known beforehand. */
  readonly length: number | null;
  /**
   * The next bytes, never empty; valid until the next `read`. `null` at the end. Rejects when it
   * breaks off: then it is not whole.
   */
  read(): Promise<Uint8Array | null>;
  /** The trailer fields behind it; empty before its end. */
  readonly trailers: readonly Field[];
  /** Reads no more of it; may be called at any time. */
  cancel(): void;
}

/** A whole body, or one that is streamed; where that breaks off, so does the answer, visibly. */
export type Body = Uint8Array | Content;

/**
 * A request that waits for its answer. It is answered once, by `accept` or by `respond`; a second
 * answer throws.
 */
export interface Offer {
  readonly request: OfferRequest;
  /** The request's content; `null` where it has none. */
  readonly content: Content | null;
  /** Calls back once if the client is gone before it was answered whole. */
  onGone(callback: () => void): void;
  /** An interim answer, 100 to 199 but 101; any number of them before the answer. */
  inform(status: number, fields: readonly Field[]): Promise<void>;
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
  /** Called once if the client gives the tunnel up behind its own end, where the door can tell. */
  onReset?: ((error: Error) => void) | null;
}
