import { messageOf, NetError } from "../net/error.ts";
import { ProxyFailed } from "../net/outbound_proxy.ts";
import { type TlsFault, tlsFaultOf } from "../net/tls_fault.ts";
import { HttpError } from "../protocol/http1/error.ts";
import { H2Error } from "../protocol/http2/codes.ts";
import { H3Error } from "../protocol/http3/codes.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { BrokenOff, NoExtendedConnect, Unprocessed } from "./http_client.ts";
import { UpgradeMismatch } from "./negotiated.ts";
import type { Target } from "./target.ts";

/** What was tried when it failed. */
export interface Attempted {
  readonly target: Target;
  readonly httpVersion: "auto" | "1.1" | "2" | "3";
  readonly timeoutMs: number;
}

/** The error of `connectWebSocket`: one sentence with what failed, why, and what may help. */
export function failure(error: unknown, attempted: Attempted): unknown {
  const { text } = attempted.target;
  if (error instanceof UpgradeMismatch) {
    return new NetError("other", `Cannot open ${text}: ${error.message}`, error);
  }
  if (error instanceof PeerError) {
    const broken = `Cannot open ${text}: the server broke a rule of ${ruleOf(error)}: `;
    const told = new PeerError(error.code, error.scope, broken + withHint(error, attempted));
    told.cause = error;
    return told;
  }
  if (!(error instanceof NetError)) return error;
  return new NetError(error.kind, `Cannot open ${text}: ${cause(error, attempted)}`, error);
}

function ruleOf(error: PeerError): string {
  if (error instanceof H2Error) return "HTTP/2";
  if (error instanceof H3Error) return "HTTP/3";
  return error instanceof HttpError ? "HTTP/1.1" : "the WebSocket handshake";
}

function withHint(error: PeerError, { target, httpVersion }: Attempted): string {
  if (target.secure || httpVersion !== "2") return error.message;
  return `${error.message}; it may speak HTTP/1.1 alone without TLS: try httpVersion "1.1"`;
}

function cause(error: NetError, attempted: Attempted): string {
  const { target: { hostname, port }, httpVersion, timeoutMs } = attempted;
  if (error instanceof ProxyFailed) return error.message;
  if (error instanceof NoExtendedConnect) return `${error.message}; ${otherThan(httpVersion)}`;
  switch (error.kind) {
    case "unresolved":
      return `there is no host "${hostname}"; check the name, or this machine's DNS`;
    case "refused":
      if (httpVersion === "3") return `${error.message}; the server may be full`;
      return `nothing listens on port ${port} of ${hostname}; check the port, and whether the ` +
        "server runs";
    case "unreachable":
      return `no way leads to ${hostname}; check this machine's network`;
    case "timeout":
      return httpVersion === "3"
        ? `no answer by QUIC within ${timeoutMs} ms; nothing may listen on UDP port ${port} of ` +
          `${hostname}, or UDP is blocked on the way: ${otherThan("3")}`
        : `no answer within ${timeoutMs} ms; the server may be busy, or a firewall drops what is ` +
          "sent to it";
    case "tls":
      return TLS[tlsFaultOf(error)](attempted, messageOf(error));
    default:
      return error.message + tlsHint(error, attempted);
  }
}

/** Who waits for a ClientHello ends what is none. */
function tlsHint(error: NetError, { target }: Attempted): string {
  // Those were said in HTTP.
  const isHttp = error instanceof BrokenOff || error instanceof Unprocessed;
  const isEnded = (error.kind === "lost" || error.kind === "reset") && !isHttp;
  return isEnded && !target.secure ? "; if it is TLS that is spoken there, use wss:" : "";
}

const TLS: Readonly<Record<TlsFault, (attempted: Attempted, message: string) => string>> = {
  name: ({ target: { hostname } }, message) =>
    `the server's certificate is not for ${hostname} (${message}); use a name that is in it`,
  issuer: (_, message) =>
    `the server's certificate is signed by nobody who is trusted (${message}); give the CA's as ` +
    "caCerts",
  expired: (_, message) =>
    `the server's certificate is not valid now (${message}); it has to be renewed, or a clock is ` +
    "wrong",
  alpn: ({ httpVersion }) =>
    `the server does not speak HTTP/${httpVersion === "auto" ? "2 nor HTTP/1.1" : httpVersion}; ` +
    otherThan(httpVersion),
  wanted: () =>
    "the server wants a certificate of the client; a dial of your own can show one, by TCP",
  plain: ({ target: { port } }) =>
    `what answers on port ${port} does not speak TLS; try ws: in place of wss:`,
  other: (_, message) => `TLS failed: ${message}`,
};

function otherThan(httpVersion: Attempted["httpVersion"]): string {
  return httpVersion === "auto"
    ? "check what the server is"
    : 'try httpVersion "auto", which takes what the server speaks';
}
