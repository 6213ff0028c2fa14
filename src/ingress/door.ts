import type { ByteStream } from "../net/byte_stream.ts";
import type { Sweeper } from "../net/sweeper.ts";
import type { PeerError } from "../protocol/wire/error.ts";
import type { Offer } from "./offer.ts";

/** What the doors of all versions of HTTP are told. */
export interface DoorOptions {
  /** Of one request's head; 431 (or 414) above it. */
  maxHeaderBytes: number;
  /** How long a head may take to come, and the next bytes of a content that is waited for. */
  headTimeoutMs: number;
  /** A connection without a request for so long is closed. */
  idleTimeoutMs: number;
  /** A client that takes nothing of its answer for so long is cut off. */
  writeTimeoutMs: number;
  sweeper: Sweeper;
  /** Takes each request; what it throws is a bug of ours. */
  onOffer: (offer: Offer) => Promise<void>;
  /** A request was answered at the door: 400, 408, 414, 417, 431, 501, 505. */
  onHeadRefused: (status: number, remote: string) => void;
  /** The peer broke a rule. */
  onPeerError: (error: PeerError, remote: string) => void;
  onBug: (where: string, error: unknown) => void;
}

/** A TCP connection that was accepted, with TLS or without. */
export interface Accepted {
  stream: ByteStream;
  /** The client, "ip:port". */
  remote: string;
  /** Whether it came by TLS. */
  secure: boolean;
  /** What ALPN agreed on (RFC 7301). */
  alpn: string | null;
  /** What the client asked for by SNI (RFC 6066 §3). */
  serverName: string | null;
  /** The subject of the client's certificate, if it has shown one. */
  clientCertificate: string | null;
}

/** How a connection ended. */
export interface ConnectionEnd {
  /** 0, or the code of the version's own: an HTTP status, an error code of HTTP/2. */
  code: number;
  reason: string;
  /** Whether the client ended it. */
  byPeer: boolean;
}
