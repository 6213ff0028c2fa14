import { BrokenOff, NoExtendedConnect } from "../client/http_client.ts";
import { UpgradeRefused } from "../client/refused.ts";
import type { Target } from "../client/target.ts";
import { messageOf, NetError } from "../net/error.ts";
import { type TlsFault, tlsFaultOf } from "../net/tls_fault.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { visible } from "../protocol/wire/visible.ts";
import type { LoadHttp } from "./load_options.ts";

/** What was tried when it failed. */
export interface FaultContext {
  readonly target: Target;
  readonly http: LoadHttp;
  readonly timeoutMs: number;
  /** The file of `--ca`; `null` for none. */
  readonly caFile?: string | null;
}

const OTHER = "--http auto takes what the server speaks";

/** Why a WebSocket could not be opened and what to try, without its URL: that is told once. */
export function faultText(error: unknown, context: FaultContext): string {
  return visible(faultOf(error, context));
}

function faultOf(error: unknown, context: FaultContext): string {
  const { target: { hostname, port, text }, http, timeoutMs } = context;
  if (error instanceof UpgradeRefused) return error.message.replace(`Cannot open ${text}: `, "");
  const root = rootOf(error);
  if (root instanceof PeerError) return brokenRule(root, context);
  if (root instanceof NoExtendedConnect) return `${root.message}; ${OTHER}`;
  if (!(root instanceof NetError)) return messageOf(root);
  switch (root.kind) {
    case "unresolved":
      return `there is no host "${hostname}"; check the name, or this machine's DNS`;
    case "refused":
      return http === "3"
        ? `${root.message}; the server may be full`
        : `connection refused: nothing listens on port ${port} of ${hostname}; check the port, and ` +
          "whether the server runs";
    case "unreachable":
      return `no way leads to ${hostname}; check this machine's network`;
    case "timeout":
      return `no answer within ${timeoutMs / 1000} s; ` +
        (http === "3"
          ? `nothing may listen on UDP port ${port}, or UDP is blocked on the way: ${OTHER}`
          : "the server may be busy, or a firewall drops what is sent to it");
    case "tls":
      return TLS[tlsFaultOf(root)](messageOf(root), context);
    case "lost":
    case "reset":
      return context.target.secure || root instanceof BrokenOff
        ? root.message
        : `${root.message}; if it is TLS that is spoken there, use wss:`;
    default:
      return root.message;
  }
}

function brokenRule({ message }: PeerError, { target, http }: FaultContext): string {
  const hint = http === "2" && !target.secure
    ? "; it may speak HTTP/1.1 alone without TLS: try --http 1.1"
    : "";
  return `the server broke a rule of its protocol: ${message}${hint}`;
}

/** `connectWebSocket` wraps what went wrong in a sentence for who writes programs. */
function rootOf(error: unknown): unknown {
  if (!(error instanceof NetError || error instanceof PeerError)) return error;
  const { cause } = error;
  return cause instanceof NetError || cause instanceof PeerError ? cause : error;
}

const TLS: Readonly<Record<TlsFault, (message: string, context: FaultContext) => string>> = {
  name: (message, { target: { hostname } }) =>
    `the server's certificate is not for ${hostname} (${message}); use a name that is in it`,
  issuer: (message, { caFile = null }) =>
    caFile === null
      ? `the server's certificate is signed by nobody who is trusted (${message}); --ca names the ` +
        "file of the CA that signed it"
      : `the server's certificate is signed by another CA (${message}); ${caFile} is not the CA ` +
        "that signed it",
  expired: (message) =>
    `the server's certificate is not valid now (${message}); it has to be renewed, or a clock is ` +
    "wrong",
  alpn: (_, { http }) =>
    http === "1.1"
      ? "the server does not speak HTTP/1.1 there; h3ws doctor tells what it speaks"
      : `the server does not speak HTTP/${http}; ${OTHER}`,
  wanted: (_, { http }) =>
    "the server wants a client's certificate that it trusts; --cert and --key show one" +
    (http === "3" ? ", but not over HTTP/3: try -1" : ""),
  plain: (_, { target: { port } }) =>
    `what answers on port ${port} does not speak TLS; try ws: in place of wss:`,
  other: (message) => `TLS failed: ${message}`,
};
