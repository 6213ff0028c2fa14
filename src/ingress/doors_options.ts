import type { Refusal } from "../net/accepted.ts";
import type { QuicTransport } from "../net/quic.ts";
import type { Sweeper } from "../net/sweeper.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import type { ConnectionEnd } from "./door.ts";
import type { OtherQuic, PrerequestReason } from "./h3_connection.ts";
import type { ListenAddress } from "./listen.ts";
import type { HttpVersion, Offer } from "./offer.ts";

/** What the doors tell of their connections. No method throws or waits. */
export interface DoorsObserver {
  /** Something was turned away at the door; a status of 0 where not even a request was read. */
  rejected(refused: {
    reason: "header_size" | "bad_headers" | "draining" | "max_connections";
    status: number;
    path: string;
    client: string;
    message: string;
  }): void;
  /** A client broke a rule of its version. */
  failed(stage: "h3_framing" | "http_framing", message: string, client: string): void;
  /** A TCP connection did not come to be. */
  handshakeFailed(refusal: Refusal): void;
  /** A client has connected. */
  connectionOpened(http: HttpVersion): void;
  /** A connection has ended: once for each `connectionOpened`. */
  connectionClosed(http: HttpVersion, info: ConnectionEnd & { durationMs: number }): void;
  /** A connection ended before any request was read from it. */
  prerequestClose(reason: PrerequestReason): void;
  /** Something was thrown that is not the peer's fault but ours. */
  bug(where: string, error: unknown): void;
}

export interface DoorsOptions extends QuicTransport {
  /** HTTP/3 by UDP; HTTP/2 and HTTP/1.1 over TLS by TCP at the same port number; `null` for none. */
  listen: ListenAddress | null;
  /** Whether HTTP/3 is served at `listen`. Default: it is. */
  quic?: boolean;
  /** What else is spoken over QUIC there. */
  otherQuic?: OtherQuic;
  /** Whether HTTP/2 and HTTP/1.1 are served at `listen`. */
  tcp: boolean;
  /** What ALPN may choose over TLS by TCP, best first. Default HTTP/2, then HTTP/1.1. */
  alpnProtocols?: readonly string[];
  /** HTTP/1.1 and HTTP/2 by prior knowledge in clear text; `null` for none. */
  plainListen: ListenAddress | null;
  /** Whether `Upgrade: h2c` is taken in clear text (RFC 7540 §3.2). Default: it is ignored. */
  h2cUpgrade?: boolean;
  certPem: string;
  keyPem: string;
  /** More certificates, chosen by SNI, for TCP. */
  certificates: readonly CertificatePair[];
  /** PEM of those who sign the certificates that clients over TCP must have; `null` for none. */
  clientCaPem: string | null;
  /** Whether TCP connections begin with a PROXY header. */
  proxyProtocol: boolean;
  /** By which versions the client is told that extended CONNECT may be used. */
  tunnels: { readonly h2: boolean; readonly h3: boolean };
  /** The port that Alt-Svc names; `null` for no Alt-Svc. 0 for that of `listen`. */
  altSvcPort: number | null;
  /** Connections at once over all doors; refused above it. */
  maxConnections: number;
  maxHeaderBytes: number;
  h2WindowBytes: { readonly stream: number; readonly connection: number };
  /** How long TLS, a PROXY header or a request's head may take. */
  handshakeTimeoutMs: number;
  /** How long the next bytes of content may take that is waited for. */
  readTimeoutMs: number;
  writeTimeoutMs: number;
  /** HTTP/1.1: whether a client that ends its side while it waits is gone. Default: it is not. */
  goneAtFin?: boolean;
  sweeper: Sweeper;
  observer: DoorsObserver;
  /** Takes each request; what it throws is a bug of ours. */
  onOffer: (offer: Offer) => Promise<void>;
}
