import type { Sweeper } from "../net/sweeper.ts";
import type { PeerError } from "../protocol/wire/error.ts";
import type { Offer } from "./offer.ts";

/** What the doors of all versions of HTTP are told. */
export interface DoorOptions {
  /** Of one request's head; 431 (or 414) above it. */
  maxHeaderBytes: number;
  /** How long a head may take to come. */
  headTimeoutMs: number;
  /** How long the next bytes of content may take that is waited for. Default as for a head. */
  contentTimeoutMs?: number;
  /** A connection without a request for so long is closed. */
  idleTimeoutMs: number;
  /** A client that takes nothing of its answer for so long is cut off. */
  writeTimeoutMs: number;
  /**
   * HTTP/1.1: whether a client that ends its side while it waits for its answer is gone, as it is
   * more often than not. Default: it may still read.
   */
  goneAtFin?: boolean;
  sweeper: Sweeper;
  /** Takes each request; what it throws is a bug of ours. */
  onOffer: (offer: Offer) => Promise<void>;
  /** A request was answered at the door: 400, 408, 414, 417, 431, 501, 505. */
  onHeadRefused: (status: number, remote: string, message: string) => void;
  /** The peer broke a rule where no request could be answered. */
  onPeerError: (error: PeerError, remote: string) => void;
  onBug: (where: string, error: unknown) => void;
}

export type { Accepted } from "../net/accepted.ts";

/** How a connection ended. */
export interface ConnectionEnd {
  /** 0, or the code of the version's own: an HTTP status, an error code of HTTP/2. */
  code: number;
  reason: string;
  /** Whether the client ended it. */
  byPeer: boolean;
}
