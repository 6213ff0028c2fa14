import type { ProxyHeader } from "../protocol/proxy_protocol/header.ts";
import { formatAddress } from "./address.ts";
import type { ByteStream } from "./byte_stream.ts";
import type { Sweeper } from "./sweeper.ts";

/** A TCP connection that was accepted, TLS or not; whoever takes it has to abort it in the end. */
export interface Accepted {
  readonly stream: ByteStream;
  /** The client, "ip:port"; what a PROXY header said, where one was asked for. */
  readonly remote: string;
  /** Where it came to, "ip:port"; what a PROXY header said, where one was asked for. */
  readonly local?: string;
  readonly secure: boolean;
  /** What ALPN chose (RFC 7301); `null` where the client offered nothing. */
  readonly alpn: string | null;
  /** SNI (RFC 6066 §3), in lower case. */
  readonly serverName: string | null;
  /** The subject of the client's certificate as RFC 4514 writes it, in ASCII; `null` for none. */
  readonly clientCertificate: string | null;
}

/** Why a connection did not come to be: told apart for metrics. */
export type RefusalKind =
  /** As many handshakes as allowed were under way. */
  | "full"
  /** The handshake or the PROXY header took too long. */
  | "timeout"
  /** TLS failed: no common version or protocol, no client certificate that is trusted, no TLS. */
  | "tls"
  /** No PROXY header came first, or none that is valid. */
  | "proxy_protocol"
  /** The client went before it was served. */
  | "lost"
  /** The system had no socket to give; the client may wait in its queue. */
  | "accept";

/** A connection that did not come to be. */
export interface Refusal {
  /** In one word. */
  readonly kind: RefusalKind;
  /** For people. */
  readonly message: string;
  /** "ip:port" of the TCP peer; `null` where there is none. */
  readonly remote: string | null;
}

/** Where TCP connections are accepted, and what they have to do before they are served. */
export interface AcceptOptions {
  /** A name or an IP address, IPv6 without brackets. */
  readonly hostname: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** Whether each connection has to begin with a PROXY header, version 1 or 2. */
  readonly proxyProtocol: boolean;
  /** TLS handshakes and PROXY headers under way at once; above that, the slow ones give way. */
  readonly maxHandshakes: number;
  /** In clear text: whether a stream that is aborted ends by RST; see `canReset`. Default: by FIN. */
  readonly resets?: boolean;
  /** How long a connection may take for both together. */
  readonly handshakeTimeoutMs: number;
  readonly sweeper: Sweeper;
  readonly onAccept: (accepted: Accepted) => void;
  readonly onRefused: (refusal: Refusal) => void;
  /** Something of ours was thrown; the server goes on. */
  readonly onBug: (where: string, error: unknown) => void;
}

/** "ip:port", IPv6 in brackets. */
export function addressText(address: string, port: number): string {
  return formatAddress({ hostname: address, port });
}

/** Both ends of a connection as a PROXY header tells of them. */
export function proxiedEnds(
  { source, destination }: NonNullable<ProxyHeader["proxied"]>,
): { remote: string; local: string } {
  return {
    remote: addressText(source.address, source.port),
    local: addressText(destination.address, destination.port),
  };
}
