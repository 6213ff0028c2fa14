// Deno.startTls can't skip the check of a certificate, and the close of its connection does not free
// the socket while a handshake or a write is under way: a backend that neither reads nor ends holds
// it for ever. node:tls does both right.
import * as net from "node:net";
import * as tls from "node:tls";
import type { Dialled, DialTarget, TlsClientOptions } from "./dial.ts";
import { NetError, toNetError } from "./error.ts";
import { NodeStream } from "./node_stream.ts";

/**
 * Connects by TLS over TCP or a unix socket, with Nagle's algorithm off.
 * Throws `NetError`; an abort of `signal` ends the attempt and frees the socket.
 */
export function dialTls(
  target: DialTarget & { tls: TlsClientOptions },
  signal: AbortSignal,
): Promise<Dialled> {
  const raw = target.unixPath !== undefined
    ? net.connect({ path: target.unixPath })
    : net.connect({ host: target.hostname, port: target.port, noDelay: true });
  return new Promise((resolve, reject) => {
    let secure: tls.TLSSocket | null = null;
    const fail = (error: unknown) => {
      signal.removeEventListener("abort", onAbort);
      secure?.destroy();
      raw.destroy();
      reject(
        signal.aborted && signal.reason instanceof NetError ? signal.reason : toNetError(error),
      );
    };
    const onAbort = () => fail(new NetError("aborted", "given up"));
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    raw.once("error", fail);
    raw.once("connect", () => {
      if (target.preface !== undefined) raw.write(target.preface);
      secure = tls.connect({ socket: raw, ...connectOptions(target.tls) });
      secure.once("error", fail);
      secure.once("secureConnect", () => {
        signal.removeEventListener("abort", onAbort);
        raw.off("error", fail);
        secure!.off("error", fail);
        // From here on FIN ends one way only.
        raw.allowHalfOpen = true;
        secure!.allowHalfOpen = true;
        resolve(new NodeStream(secure!, raw));
      });
    });
  });
}

function connectOptions(options: TlsClientOptions): tls.ConnectionOptions {
  const { serverName, alpnProtocols, insecure, caCerts } = options;
  return {
    rejectUnauthorized: !insecure,
    ALPNProtocols: [...alpnProtocols],
    // RFC 6066 §3: an address is no server name; the certificate has to have it all the same.
    ...(net.isIP(serverName) ? { host: serverName } : { servername: serverName }),
    ...(caCerts && !insecure && { secureContext: contextOf(caCerts) }),
  };
}

/** Some hundred certificates are read for each: once for a list is enough. */
const contexts = new WeakMap<readonly string[], tls.SecureContext>();

/** Trusts `caCerts` beside the roots that are trusted anyway. */
function contextOf(caCerts: readonly string[]): tls.SecureContext {
  let context = contexts.get(caCerts);
  if (context === undefined) {
    context = tls.createSecureContext({ ca: [...tls.getCACertificates("default"), ...caCerts] });
    contexts.set(caCerts, context);
  }
  return context;
}
