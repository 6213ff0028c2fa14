// Deno.startTls can't skip the check of a certificate, and the close of its connection does not free
// the socket while a handshake or a write is under way: a backend that neither reads nor ends holds
// it for ever. node:tls does both right.
import { createHash } from "node:crypto";
import * as net from "node:net";
import * as tls from "node:tls";
import type { ByteStream } from "./byte_stream.ts";
import type { Dialled, DialTarget, TlsAbout, TlsClientOptions } from "./dial.ts";
import { NetError, toNetError } from "./error.ts";
import { addressOf, askProxy } from "./http_proxy.ts";
import { NodeStream } from "./node_stream.ts";
import { StreamSocket } from "./stream_socket.ts";

/**
 * Connects by TLS over TCP or a unix socket, with Nagle's algorithm off.
 * Throws `NetError`; an abort of `signal` ends the attempt and frees the socket.
 */
export function dialTls(
  target: DialTarget & { tls: TlsClientOptions },
  signal: AbortSignal,
): Promise<Dialled> {
  const raw = connectRaw(target);
  return handshake(raw, { options: target.tls, signal }, ({ begin, fail }) => {
    raw.once("connect", () => {
      if (target.preface !== undefined) raw.write(target.preface);
      if (target.proxy === undefined) return begin();
      askProxy(rawBytes(raw), target).then(() => signal.aborted || begin(), fail);
    });
  });
}

/** TLS over a stream that is there already, as `dialTls`. The stream is its own from now on. */
export function secure(
  stream: Dialled,
  options: TlsClientOptions,
  signal: AbortSignal,
): Promise<Dialled> {
  return handshake(new StreamSocket(stream), { options, signal }, ({ begin }) => begin());
}

/** What calls one of these, once there is a connection, or there will be none. */
type Begin = (how: { begin: () => void; fail: (error: unknown) => void }) => void;

function handshake(
  raw: net.Socket | StreamSocket,
  { options, signal }: { options: TlsClientOptions; signal: AbortSignal },
  connected: Begin,
): Promise<Dialled> {
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
    const begin = () => {
      try {
        secure = tls.connect({ socket: raw as net.Socket, ...connectOptions(options) });
      } catch (error) {
        // A client's certificate or key that can't be used.
        return fail(error);
      }
      secure.once("error", fail);
      secure.once("secureConnect", () => {
        const fault = pinFault(secure!, options);
        if (fault !== null) return fail(fault);
        signal.removeEventListener("abort", onAbort);
        raw.off("error", fail);
        secure!.off("error", fail);
        resolve(established(secure!, raw, options));
      });
    };
    connected({ begin, fail });
  });
}

/** What is wrong with a certificate that had to be one of these. */
function pinFault(
  secure: tls.TLSSocket,
  { certificateHashes }: TlsClientOptions,
): NetError | null {
  if (certificateHashes === undefined) return null;
  const { raw } = secure.getPeerCertificate();
  const hash = raw === undefined ? null : createHash("sha256").update(raw).digest();
  if (hash !== null && certificateHashes.some((one) => hash.equals(one))) return null;
  const shown = hash === null ? "none" : hash.toString("hex");
  return new NetError("tls", `certificate is not the one that is pinned: its SHA-256 is ${shown}`);
}

function established(
  secure: tls.TLSSocket,
  raw: net.Socket | StreamSocket,
  options: TlsClientOptions,
) {
  // From here on FIN ends one way only.
  raw.allowHalfOpen = true;
  secure.allowHalfOpen = true;
  options.onSecure?.(aboutOf(secure));
  return new NodeStream(secure, raw);
}

function connectRaw(target: DialTarget): net.Socket {
  if (target.unixPath !== undefined) return net.connect({ path: target.unixPath });
  const { hostname, port } = addressOf(target);
  return net.connect({ host: hostname, port, noDelay: true });
}

/** A socket's bytes before TLS; none is read that was not asked for. */
function rawBytes(raw: net.Socket): Pick<ByteStream, "read" | "write"> {
  return {
    read: () =>
      new Promise((resolve) => {
        const settle = (chunk: Uint8Array | null) => {
          raw.off("data", settle);
          raw.off("end", ended);
          raw.pause();
          resolve(chunk);
        };
        const ended = () => settle(null);
        raw.on("data", settle);
        raw.once("end", ended);
        raw.resume();
      }),
    write: (bytes) => new Promise((resolve) => raw.write(bytes, () => resolve())),
  };
}

function aboutOf(secure: tls.TLSSocket): TlsAbout {
  const version = secure.getProtocol() ?? "";
  const { name, standardName } = secure.getCipher() as tls.CipherNameAndProtocol;
  return { version: version.replace("TLSv", "TLS "), cipher: standardName ?? name };
}

function connectOptions(options: TlsClientOptions): tls.ConnectionOptions {
  const { serverName, alpnProtocols, caCerts, clientCertificate, certificateHashes } = options;
  const insecure = options.insecure || certificateHashes !== undefined;
  return {
    rejectUnauthorized: !insecure,
    ALPNProtocols: [...alpnProtocols],
    // RFC 6066 §3: an address is no server name; the certificate has to have it all the same.
    ...(net.isIP(serverName) ? { host: serverName } : { servername: serverName }),
    ...(clientCertificate === undefined
      ? caCerts && !insecure && { secureContext: contextOf(caCerts) }
      : {
        cert: clientCertificate.certPem,
        key: clientCertificate.keyPem,
        passphrase: clientCertificate.passphrase,
        ...(caCerts && !insecure && { ca: trusted(caCerts) }),
      }),
  };
}

/** Some hundred certificates are read for each: once for a list is enough. */
const contexts = new WeakMap<readonly string[], tls.SecureContext>();

/** Trusts `caCerts` beside the roots that are trusted anyway. */
function contextOf(caCerts: readonly string[]): tls.SecureContext {
  let context = contexts.get(caCerts);
  if (context === undefined) {
    context = tls.createSecureContext({ ca: trusted(caCerts) });
    contexts.set(caCerts, context);
  }
  return context;
}

function trusted(caCerts: readonly string[]): string[] {
  return [...tls.getCACertificates("default"), ...caCerts];
}
