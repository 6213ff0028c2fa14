import { dial, type Dialled, type DialTarget } from "./dial.ts";
import { NetError } from "./error.ts";
import type { HttpProxy } from "./http_proxy.ts";
import { socksDialer, type SocksProxy } from "./socks_proxy.ts";

/** A proxy that opens TCP connections in our place, by CONNECT of HTTP or of SOCKS5. */
export type OutboundProxy =
  | { readonly kind: "http" } & Readonly<HttpProxy>
  | { readonly kind: "socks5" } & Readonly<SocksProxy>;

/** It is the proxy that can't be reached, or that did not connect: nothing is known of the target. */
export class ProxyFailed extends NetError {
  override name = "ProxyFailed";
}

/**
 * As `dial`, by the proxy if there is one.
 *
 * @throws {ProxyFailed} when there was no connection; what TLS makes of one is told as ever
 */
export async function dialBy(
  proxy: OutboundProxy | null,
  target: DialTarget,
  signal: AbortSignal,
): Promise<Dialled> {
  if (proxy === null) return await dial(target, signal);
  const by = proxy.kind === "http" ? { proxy } : { dialer: socksDialer(proxy) };
  try {
    return await dial({ ...target, ...by }, signal);
  } catch (error) {
    const isProxys = error instanceof NetError && error.kind !== "tls" && !signal.aborted;
    throw isProxys ? new ProxyFailed(error.kind, error.message, error) : error;
  }
}
