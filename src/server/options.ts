import type { ListenAddress } from "../ingress/listen.ts";
import { parseAddress } from "../net/address.ts";
import { checkNumbers, offAtZero } from "../net/numbers.ts";
import type { QuicTransport } from "../net/quic.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import { acceptDeflate, type DeflateWishes } from "../protocol/websocket/permessage_deflate.ts";
import type { FetchHandler } from "./fetch.ts";
import type { ServerAddress } from "./server.ts";
import type { ServerLog, ServerObserver } from "./observer.ts";

/**
 * What a server takes and how long it waits; the defaults are those of `h3ws proxy`. `maxStreams` is
 * 128, `idleTimeoutMs` 60 s and `keepaliveMs` 20 s. `Infinity` is no limit, but for `maxStreams` and
 * `maxHeaderBytes`; as a time 0 is none as well.
 */
export interface ServerLimits extends QuicTransport {
  /** Payload of one frame; above it Close 1009. Default 1 MiB. */
  maxFrameBytes: number;
  /** Payload of one message over all its frames; above it Close 1009. Default 8 MiB. */
  maxMessageBytes: number;
  /** WebSockets at once, with those that are not answered yet; 503 above it. Default 2000. */
  maxSockets: number;
  /** Connections at once over all versions; refused above it. Default 1000. */
  maxConnections: number;
  /** Of one request's fields; 431 above it. Default 16 KiB. */
  maxHeaderBytes: number;
  /** How long TLS, a PROXY header or a request's head may take. Default 10 s. */
  handshakeTimeoutMs: number;
  /**
   * A socket that is read ends (Close 1001) when no byte went either way for so long; a request, when
   * its content stops for so long. Default 120 s.
   */
  readTimeoutMs: number;
  /** A client that takes nothing for so long is cut off. Default 15 s. */
  writeTimeoutMs: number;
  /** HTTP/2: what a client may send that was not read yet. Default 256 KiB and 32 MiB. */
  h2WindowBytes: { readonly stream: number; readonly connection: number };
}

/** What `serve` may be told; all of it is optional. */
export interface ServeOptions extends Partial<ServerLimits> {
  /**
   * Where HTTP/3 is served by UDP, and HTTP/2 and HTTP/1.1 over TLS by TCP at the same port:
   * `:8443`, `127.0.0.1:0`, or in parts. Default `:443`; `null`, and the default without a
   * certificate, is nowhere.
   */
  listen?: string | ListenAddress | null;
  /** Where HTTP/1.1, and HTTP/2 by prior knowledge, are served in clear text. Default nowhere. */
  plainListen?: string | ListenAddress | null;
  /** The certificate chain in PEM, the server's own first. */
  certPem?: string;
  /** Its private key in PEM. */
  keyPem?: string;
  /** More certificates, chosen by SNI, for TCP. QUIC has one alone. */
  certificates?: readonly CertificatePair[];
  /** PEM of those who sign the certificates that clients over TCP must have; `null` for none. */
  clientCaPem?: string | null;
  /** Which versions of HTTP are served. Default all. */
  versions?: { readonly h1?: boolean; readonly h2?: boolean; readonly h3?: boolean };
  /** Whether TCP connections begin with a PROXY header. Default `false`. */
  proxyProtocol?: boolean;
  /** The port that Alt-Svc names to clients over TCP; `null` for no Alt-Svc, 0 for that of `listen`. */
  altSvcPort?: number | null;
  /** Where the application is mounted, for `request.rootPath`; nothing is taken off any path. */
  rootPath?: string;
  /** The origins whose pages may open WebSockets, 403 for others; `null`, the default, for any. */
  allowedOrigins?: readonly string[] | null;
  /**
   * Whether permessage-deflate (RFC 7692) is taken where a client offers it, and how. Default `false`.
   */
  permessageDeflate?: boolean | DeflateWishes;
  /** A Ping to a client that has sent nothing for so long, while its socket is read; 0 for none. */
  pingIntervalMs?: number;
  /** How long anything may take to come behind that Ping. Default 20 s. */
  pongTimeoutMs?: number;
  /** Ends the server at once, as `stop` does. */
  signal?: AbortSignal;
  /** Answers ordinary requests; without it they get 426 or 405. */
  fetch?: FetchHandler;
  /** Answers a request whose `fetch` threw. Default 500. */
  onError?: (error: unknown) => Response | Promise<Response>;
  /** Called once it listens. */
  onListen?: (addresses: readonly ServerAddress[]) => void;
  /** Where lines go. Default: errors alone, to the console. */
  log?: ServerLog;
  /** Is told what happens. */
  observer?: Partial<ServerObserver>;
}

/** Options with their defaults. */
export interface ServerConfig extends Required<Omit<ServeOptions, Optional>> {
  readonly listen: ListenAddress | null;
  readonly plainListen: ListenAddress | null;
  readonly versions: { readonly h1: boolean; readonly h2: boolean; readonly h3: boolean };
  /** `null` for none. */
  readonly deflate: DeflateWishes | null;
  readonly fetch: FetchHandler | null;
  readonly onError: ServeOptions["onError"];
}

type Optional =
  | "permessageDeflate"
  | "listen"
  | "plainListen"
  | "signal"
  | "fetch"
  | "onError"
  | "onListen"
  | "log"
  | "observer";

const KIB = 1024;
const MIB = 1024 * KIB;

const DEFAULTS = {
  certPem: "",
  keyPem: "",
  certificates: [],
  clientCaPem: null,
  proxyProtocol: false,
  altSvcPort: 0,
  rootPath: "",
  allowedOrigins: null,
  pingIntervalMs: 0,
  pongTimeoutMs: 20_000,
  maxFrameBytes: MIB,
  maxMessageBytes: 8 * MIB,
  maxSockets: 2000,
  maxConnections: 1000,
  maxHeaderBytes: 16 * KIB,
  maxStreams: 128,
  idleTimeoutMs: 60_000,
  keepaliveMs: 20_000,
  handshakeTimeoutMs: 10_000,
  readTimeoutMs: 120_000,
  writeTimeoutMs: 15_000,
  h2WindowBytes: { stream: 256 * KIB, connection: 32 * MIB },
} as const;

const TIMEOUTS = [
  ...["handshakeTimeoutMs", "readTimeoutMs", "writeTimeoutMs", "idleTimeoutMs"] as const,
  "pongTimeoutMs",
] as const;

/** Fills in what was not given; throws `TypeError` or `RangeError` for what can't be. */
export function readOptions(options: ServeOptions): ServerConfig {
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as ServeOptions;
  const { h1 = true, h2 = true, h3 = true } = given.versions ?? {};
  const hasPair = given.certPem !== undefined && given.keyPem !== undefined;
  const listen = addressOf(
    "listen",
    given.listen ?? (given.listen === null || !hasPair ? null : ":443"),
  );
  const plainListen = addressOf("plainListen", given.plainListen ?? null);
  if (listen !== null && !hasPair) {
    throw new TypeError("Cannot serve TLS and QUIC without certPem and keyPem");
  }
  if ((listen === null || !(h1 || h2 || h3)) && (plainListen === null || !(h1 || h2))) {
    throw new TypeError("Cannot serve: neither listen, which needs a certificate, nor plainListen");
  }
  if (plainListen !== null && !(h1 || h2)) {
    throw new TypeError("Cannot serve HTTP/3 in clear text: plainListen is for the other versions");
  }
  checkNumbers(given);
  const origins = given.allowedOrigins ?? null;
  return {
    ...DEFAULTS,
    ...offAtZero(given, TIMEOUTS),
    fetch: given.fetch ?? null,
    onError: given.onError,
    listen,
    plainListen,
    versions: { h1, h2, h3 },
    deflate: deflateOf(given.permessageDeflate ?? false),
    allowedOrigins: origins === null ? null : origins.map((origin) => origin.toLowerCase()),
  };
}

function deflateOf(given: boolean | DeflateWishes): DeflateWishes | null {
  if (given === false) return null;
  const wishes = given === true ? {} : given;
  // Throws for what would else throw for each client.
  acceptDeflate([], wishes);
  return wishes;
}

function addressOf(name: string, given: string | ListenAddress | null): ListenAddress | null {
  if (typeof given !== "string") return given;
  const address = parseAddress(given);
  if (address !== undefined) return address;
  throw new TypeError(`${name}: "${given}" is not an address; expected :8443 or 127.0.0.1:8443`);
}
