import { isIPv4 } from "node:net";
import { NetError, toNetError } from "./error.ts";
import { addressesOf, type Attempt, raceAddresses } from "./happy_eyeballs.ts";
import { collect } from "./memory.ts";
import { QuicConnection, type QuicTransport, transportOptions } from "./quic.ts";

/** Where to connect to by QUIC, and whom to trust. */
export interface QuicConnectOptions extends QuicTransport {
  /** A name or an IP address, IPv6 without brackets. */
  hostname: string;
  /** The UDP port. */
  port: number;
  /** SNI, and the name that the certificate must have; default the hostname. */
  serverName?: string;
  /** What ALPN offers (RFC 7301). */
  alpnProtocols: string[];
  /** PEM, beside the roots that Deno trusts. */
  caCerts?: string[];
  /** SHA-256 of certificates that are trusted whoever signed them. */
  certificateHashes?: Uint8Array[];
  /** Gives up the attempt; its reason is what is thrown then, as a `NetError`. */
  signal?: AbortSignal;
}

/** Connects to the first of the host's addresses that answers. Throws `NetError`. */
export async function connectQuic(options: QuicConnectOptions): Promise<QuicConnection> {
  if (Deno.QuicEndpoint === undefined) {
    throw new NetError("other", "HTTP/3 needs Deno to be run with --unstable-net");
  }
  try {
    // Deno takes the first address alone: "localhost" is often ::1, where nobody may listen.
    const addresses = await addressesOf(options.hostname);
    const attempt = (address: string) => attemptQuic(address, options);
    return new QuicConnection(await raceAddresses({ addresses, attempt, signal: options.signal }));
  } catch (error) {
    throw toNetError(error);
  }
}

/**
 * UDP sockets of connections that are over, by the address they are bound to. A socket can't be
 * closed, only left to the collector (see quic.ts), and no caller outlasts its connections: so they
 * wait here for the next, as many as that for each family, and for this thread's module alone.
 */
const spareEndpoints: Record<string, Deno.QuicEndpoint[]> = { "0.0.0.0": [], "::": [] };
const MAX_SPARE_ENDPOINTS = 16;

/** Those of attempts that failed are not used again. V8 sees no reason to collect so little. */
const MAX_LEFT_ENDPOINTS = 16;
/** They live on for three probe timeouts (RFC 9000 §10.2), which begin at 1 s where nobody answers. */
const LEFT_FOR_MS = 4_000;
let leftEndpoints = 0;

function leave(endpoint: Deno.QuicEndpoint): void {
  endpoint.close();
  if (++leftEndpoints !== MAX_LEFT_ENDPOINTS) return;
  Deno.unrefTimer(setTimeout(() => {
    leftEndpoints = 0;
    collect();
  }, LEFT_FOR_MS));
}

function attemptQuic(address: string, options: QuicConnectOptions): Attempt<Deno.QuicConn> {
  const { hostname, port, serverName, alpnProtocols, caCerts, certificateHashes } = options;
  // Of an endpoint of its own, for only its end ends an attempt.
  const bound = isIPv4(address) ? "0.0.0.0" : "::";
  const spare = spareEndpoints[bound];
  const endpoint = spare.pop() ?? new Deno.QuicEndpoint({ hostname: bound, port: 0 });
  const connected = Deno.connectQuic<false>({
    endpoint,
    hostname: address,
    port,
    serverName: serverName ?? hostname,
    alpnProtocols,
    caCerts,
    ...(certificateHashes && {
      serverCertificateHashes: certificateHashes.map((value) => ({ algorithm: "sha-256", value })),
    }),
    ...transportOptions(options),
  });
  let closed = false;
  const close = () => {
    if (!closed) leave(endpoint);
    closed = true;
  };
  // One that an attempt failed on may be broken itself.
  connected.then((conn) => conn.closed).then(() => {
    if (closed) return;
    if (spare.length < MAX_SPARE_ENDPOINTS) spare.push(endpoint);
    else close();
  }, close);
  return { connected, abort: close };
}
