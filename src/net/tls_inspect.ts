import { X509Certificate } from "node:crypto";
import * as net from "node:net";
import * as tls from "node:tls";
import type { ClientCertificate } from "./dial.ts";
import { NetError, toNetError } from "./error.ts";

/** Where TLS is looked at. */
export interface TlsLook {
  /** A name or an IP address, IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** What ALPN offers (RFC 7301). */
  readonly alpnProtocols: readonly string[];
  /** Who we are, for a server that asks. */
  readonly clientCertificate?: ClientCertificate;
}

/** What a server's TLS showed. */
export interface TlsSeen {
  /** "TLSv1.3" */
  readonly version: string;
  readonly cipher: string;
  /** What ALPN chose; `null` for nothing. */
  readonly alpn: string | null;
  readonly certificate: X509Certificate | null;
  /** From the ClientHello on, without TCP. */
  readonly handshakeMs: number;
}

/**
 * A handshake that takes any certificate, to be looked at; nothing is sent after it. Throws
 * `NetError`.
 */
export function inspectTls(look: TlsLook, signal: AbortSignal): Promise<TlsSeen> {
  const { hostname, port, alpnProtocols, clientCertificate } = look;
  const raw = net.connect({ host: hostname, port, noDelay: true });
  return new Promise<TlsSeen>((resolve, reject) => {
    let secure: tls.TLSSocket | null = null;
    const settle = (act: () => void) => {
      signal.removeEventListener("abort", onAbort);
      secure?.destroy();
      raw.destroy();
      act();
    };
    const fail = (error: unknown) => settle(() => reject(toNetError(error)));
    const onAbort = () => fail(new NetError("timeout", "no answer in time", signal.reason));
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    // More may be told of a socket that is over.
    raw.on("error", fail);
    raw.once("connect", () => {
      const beganMs = performance.now();
      secure = tls.connect({
        socket: raw,
        rejectUnauthorized: false,
        ALPNProtocols: [...alpnProtocols],
        cert: clientCertificate?.certPem,
        key: clientCertificate?.keyPem,
        passphrase: clientCertificate?.passphrase,
        // RFC 6066 §3: an address is no server name.
        ...(net.isIP(hostname) ? { host: hostname } : { servername: hostname }),
      });
      secure.on("error", fail);
      secure.once("close", () => fail(new NetError("lost", "the server closed the connection")));
      secure.once("secureConnect", () => {
        const seen = seenOn(secure!, performance.now() - beganMs);
        settle(() => resolve(seen));
      });
    });
  });
}

function seenOn(socket: tls.TLSSocket, handshakeMs: number): TlsSeen {
  const { raw } = socket.getPeerCertificate();
  return {
    version: socket.getProtocol() ?? "unknown",
    cipher: socket.getCipher().name,
    alpn: socket.alpnProtocol || null,
    certificate: raw === undefined ? null : new X509Certificate(raw),
    handshakeMs,
  };
}
