import type { ListenAddress } from "../ingress/listen.ts";
import type { OfferRequest } from "../ingress/offer.ts";
import type { QuicTransport } from "../net/quic.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import type { Answer, PathRule } from "./answers.ts";
import type { Authorize } from "./authorize.ts";
import type { BackendTarget } from "./backend.ts";
import type { CmuxOptions } from "./cmux.ts";
import type { Observer } from "./observer.ts";
import type { Route } from "./route.ts";
import type { RouteDefaults } from "./routes.ts";

export { type ListenAddress, ListenError } from "../ingress/listen.ts";
export type { CertificatePair } from "../net/tls_certificates.ts";

/** All that `startProxy` is told; `proxyOptions` fills in the defaults. */
export interface ProxyOptions extends RouteDefaults, QuicTransport {
  /**
   * HTTP/3 by UDP; HTTP/2 and HTTP/1.1 over TLS by TCP at the same port number. `null` for clear
   * text alone.
   */
  listen: ListenAddress | null;
  /** Whether HTTP/2 and HTTP/1.1 are served at `listen`. */
  tcp: boolean;
  /** HTTP/1.1 and HTTP/2 by prior knowledge in clear text; `null` for none. */
  plainListen: ListenAddress | null;
  /** Whether `Upgrade: h2c` is taken there (RFC 7540 §3.2). */
  h2cUpgrade: boolean;
  /** The certificate chain in PEM, the server's own first. */
  certPem: string;
  /** Its private key in PEM. */
  keyPem: string;
  /** More certificates, chosen by SNI, for TCP. QUIC has one alone. */
  certificates: readonly CertificatePair[];
  /** PEM of those who sign the certificates that clients over TCP must have; `null` for none. */
  clientCaPem: string | null;
  /** Whether TCP connections begin with a PROXY header. */
  proxyProtocol: boolean;
  /** Where sessions go, if there are no `routes`. */
  backend: BackendTarget;
  /** Which paths are tunnels, if there are no `routes`. */
  path: PathRule;
  /** The protocols that may be upgraded to, in lower case, if there are no `routes`; `*` for any. */
  upgrades: readonly string[];
  /** Rules by host, path and header. */
  routes: readonly Route[] | null;
  /** Ports of workspaces and containers are found by host names and fields; `null` for not. */
  cmux: CmuxOptions | null;
  /** Whether ordinary requests go to backends too. */
  plain: boolean;
  /** The versions by which tunnels are taken. */
  tunnels: { readonly h1: boolean; readonly h2: boolean; readonly h3: boolean };
  /** Whose X-Forwarded-* and Forwarded are believed, by IP address; `null` for nobody's. */
  trustedProxies: ((ip: string) => boolean) | null;
  /** The port that Alt-Svc names; `null` for no Alt-Svc. 0 for that of `listen`. */
  altSvcPort: number | null;
  /** Sessions at once, with those that are being dialled; 503 above it. */
  maxSessions: number;
  /** Sessions of one client at once; 0 for no limit. */
  maxSessionsPerClient: number;
  /** Ordinary requests of one client at once; 0 for no limit. */
  maxRequestsPerClient: number;
  /** Connections at once over all doors; refused above it. */
  maxConnections: number;
  /** Of one request's fields; 431 above it. */
  maxHeaderBytes: number;
  /** Of HTTP/2: how much a client may send that was not passed on, by stream and by connection. */
  h2WindowBytes: { readonly stream: number; readonly connection: number };
  /** Whether HTTP/2 is spoken; if not, in clear text it gets 505. Default: it is. */
  http2?: boolean;
  /** Asked about each request and tunnel before a backend is; health checks and `page` are not. */
  authorize?: Authorize;
  /** How long that may take; 504 after it. Default 10 s. */
  authorizeTimeoutMs?: number;
  /** Is told what happens. */
  observer: Observer;
  /** Answers ordinary requests before the router does; `null` leaves them to it. */
  page?: (request: OfferRequest) => Answer | null;
}

/** A proxy that listens. */
export interface Proxy {
  /** The address that it listens at. */
  readonly hostname: string;
  /** The port that it listens at, by UDP, and by TCP if it does; 0 for clear text alone. */
  readonly port: number;
  /** The port in clear text; `null` for none. */
  readonly plainPort: number | null;
  /** Sessions that are open now. */
  readonly sessions: number;
  /** Connections that are open now. */
  readonly connections: number;
  /**
   * New connections get these certificates; throws `NetError` if one of them is unusable, and keeps
   * all of the old.
   */
  reload(certPem: string, keyPem: string, others?: readonly CertificatePair[]): void;
  /**
   * New connections over TLS by TCP must have a certificate of these; throws `NetError` if they are
   * unusable, and keeps the old.
   */
  reloadClientCa(clientCaPem: string): void;
  /**
   * From now on these routes. Sockets of routes that say the same as before stay; those of others
   * get Close 1012. Throws `SyntaxError` for a regular expression that can't be used, and keeps the
   * old.
   */
  replaceRoutes(routes: readonly Route[]): void;
  /**
   * Takes nothing new, closes every session within `forMs`, then frees the port. With `Infinity` each
   * gets its Close within 30 s, and its answer is waited for.
   */
  drain(forMs: number): Promise<void>;
  /** Ends everything at once. */
  stop(): Promise<void>;
}
