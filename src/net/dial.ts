import type { ByteStream } from "./byte_stream.ts";
import { NetError, toNetError } from "./error.ts";
import { addressOf, askProxy, type HttpProxy } from "./http_proxy.ts";
import { ConnStream } from "./tcp.ts";
import { dialTls, secure } from "./tls.ts";

/** Where to connect to by TCP, TLS or a unix socket. */
export interface DialTarget {
  /** A path for a unix socket; then hostname and port are not dialled. */
  unixPath?: string;
  /** A name or an IP address, IPv6 without brackets. */
  hostname: string;
  /** The TCP port. */
  port: number;
  /** Without it there is no TLS. */
  tls?: TlsClientOptions;
  /** In clear text: whether to abort it ends it by RST; see `canReset`. Default: by FIN. */
  resets?: boolean;
  /** What is said first of all, before TLS too: a PROXY header. */
  preface?: Uint8Array;
  /** An HTTP proxy that connects there in our place, by CONNECT. */
  proxy?: HttpProxy;
  /** Another way there than that of the network; it knows of hostname and port alone. */
  dialer?: Dialer;
}

/** Makes a connection that bytes go by as they are. Throws `NetError`. */
export type Dialer = (
  target: Pick<DialTarget, "hostname" | "port">,
  signal: AbortSignal,
) => Promise<Dialled>;

/** How TLS is spoken to a server, and whom it is trusted as. */
export interface TlsClientOptions {
  /** SNI, and the name that the certificate must have. */
  serverName: string;
  /** PEM, beside the roots that Deno trusts. */
  caCerts?: string[];
  /** What ALPN offers (RFC 7301). */
  alpnProtocols: string[];
  /** Takes any certificate. */
  insecure: boolean;
  /** SHA-256 of certificates: the server must have one of them, and then whoever signed it will do. */
  certificateHashes?: Uint8Array[];
  /** Who we are, for a server that asks. */
  clientCertificate?: ClientCertificate;
  /** Called when the handshake is over. */
  onSecure?: (about: TlsAbout) => void;
}

/** A connection that was dialled. */
export interface Dialled extends ByteStream {
  /** What ALPN chose (RFC 7301); `null` for nothing, and without TLS. */
  readonly alpn: string | null;
  /** The process waits for it, as it does at first; or, after `unref`, does not. */
  ref(): void;
  /** See `ref`. */
  unref(): void;
}

/** A certificate of a client, and its key. */
export interface ClientCertificate {
  /** PEM; those that it stands on may follow. */
  certPem: string;
  /** PEM. */
  keyPem: string;
  /** Of a key that is encrypted. */
  passphrase?: string;
}

/** What was agreed on in a TLS handshake. */
export interface TlsAbout {
  /** "TLS 1.3". */
  version: string;
  /** As IANA names it. */
  cipher: string;
}

/** How TCP connections are made; `dial` is one way. */
export type Dial = (target: DialTarget, signal: AbortSignal) => Promise<Dialled>;

const IPV4 = /^\d+\.\d+\.\d+\.\d+$/;

/**
 * Connects by TCP, TLS or a unix socket, with Nagle's algorithm off.
 * Throws `NetError`; an abort of `signal` ends the attempt wherever it is.
 */
export async function dial(target: DialTarget, signal: AbortSignal): Promise<Dialled> {
  const { tls, dialer } = target;
  if (dialer !== undefined) return await dialBy(dialer, target, signal);
  if (tls !== undefined) return await dialTls({ ...target, tls }, signal);
  const stream = new ConnStream(await connect(addressOf(target), signal), target);
  if (target.preface !== undefined) await sayFirst(stream, target.preface, signal);
  if (target.proxy !== undefined) await throughProxy(stream, target, signal);
  return stream;
}

async function dialBy(dialer: Dialer, target: DialTarget, signal: AbortSignal): Promise<Dialled> {
  const { hostname, port, preface, tls } = target;
  const stream = await dialer({ hostname, port }, signal);
  if (preface !== undefined) await sayFirst(stream, preface, signal);
  return tls === undefined ? stream : await secure(stream, tls, signal);
}

async function throughProxy(stream: ByteStream, target: DialTarget, signal: AbortSignal) {
  const abort = () => stream.abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    await askProxy(stream, target);
  } catch (error) {
    stream.abort();
    throw abortedOr(signal, error);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** The kernel takes so little at once, unless the connection broke. */
async function sayFirst(stream: ByteStream, preface: Uint8Array, signal: AbortSignal) {
  try {
    await stream.write(preface);
  } catch (error) {
    stream.abort();
    throw abortedOr(signal, error);
  }
}

async function connect(
  target: Pick<DialTarget, "hostname" | "port" | "unixPath">,
  signal: AbortSignal,
): Promise<Deno.TcpConn | Deno.UnixConn> {
  const { hostname, port, unixPath } = target;
  let conn: Deno.TcpConn | Deno.UnixConn;
  try {
    if (unixPath !== undefined) {
      conn = await Deno.connect({ transport: "unix", path: unixPath });
    } else {
      // Happy Eyeballs (RFC 8305) is of no use to an address.
      conn = await Deno.connect({ hostname, port, signal, autoSelectFamily: !IPV4.test(hostname) });
      conn.setNoDelay(true);
    }
  } catch (error) {
    throw abortedOr(signal, error);
  }
  if (signal.aborted) {
    conn.close();
    throw abortedOr(signal, null);
  }
  return conn;
}

function abortedOr(signal: AbortSignal, error: unknown): NetError {
  if (signal.aborted) {
    return signal.reason instanceof NetError
      ? signal.reason
      : new NetError("aborted", "given up", signal.reason);
  }
  return toNetError(error);
}
