import { handshakeFault, originFault, tunnelFault } from "../ingress/handshake.ts";
import type { OfferRequest } from "../ingress/offer.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { RejectReason } from "./observer.ts";

/** An answer that the proxy gives by itself. */
export interface Answer {
  /** The HTTP status. */
  status: number;
  /** Header fields beside Content-Type. */
  fields?: readonly Field[];
  /** One line, for the body and the log. */
  text: string;
  /** Default plain text, to which a line feed is added. */
  contentType?: string;
  /** In the place of `text`, as it is. */
  body?: Uint8Array;
  /** Whether `body` is text: plain, if `fields` don't say what. */
  isText?: boolean;
  /** Set when a WebSocket was asked for and is refused. */
  rejected?: RejectReason;
}

/** Which paths lead to the backend: exactly this one, or all that the expression takes. */
export type PathRule = { readonly exact: string } | { readonly regexp: PathTest };

/** A `RegExp`, or one that takes linear time. */
export type PathTest = Pick<RegExp, "source" | "test">;

/** Seconds after which a client that was turned away for now may come again. */
export const RETRY_AFTER: Field = ["retry-after", "5"];

/** Whether a request for `path` is for a tunnel, whatever its query. */
export function pathMatches(rule: PathRule, path: string): boolean {
  const bare = pathOf(path);
  return "exact" in rule ? bare === rule.exact : rule.regexp.test(bare);
}

/** The path without its query; more than one leading slash counts as one. */
export function pathOf(path: string): string {
  const mark = path.indexOf("?");
  return (mark < 0 ? path : path.slice(0, mark)).replace(/^\/{2,}/, "/");
}

export const NOT_FOUND: Answer = { status: 404, text: "not found" };

/** RFC 9110 §9.3.6: a CONNECT without :protocol asks for a TCP tunnel, which this is not. */
export const NO_CONNECT: Answer = { status: 501, text: "no CONNECT proxy", rejected: "protocol" };

/** RFC 6585 §4: of one client. */
export const TOO_MANY_REQUESTS: Answer = {
  status: 429,
  fields: [RETRY_AFTER],
  text: "too many requests at once",
};

export const TOO_MANY_SESSIONS: Answer = {
  ...TOO_MANY_REQUESTS,
  text: "too many connections",
  rejected: "max_conns",
};

/** RFC 5842 §7.2: the backend is the proxy itself, or leads back to it. */
export const LOOP: Answer = { status: 508, text: "Loop detected in proxy" };

/** What a route says of tunnels. */
export interface TunnelRules {
  /** The protocols that it takes, in lower case; `*` for any. */
  upgrades: readonly string[];
  /** The origins that it takes; `null` for any. */
  allowedOrigins: readonly string[] | null;
}

/** What is wrong with a request for a tunnel, or `null` when the backend may be asked. */
export function refuseTunnel(request: OfferRequest, rules: TunnelRules): Answer | null {
  const protocol = request.protocol?.toLowerCase() ?? "";
  if (!mayUpgrade(protocol, rules.upgrades)) {
    const asked = request.http === "1.1" ? `Upgrade "${protocol}"` : `:protocol "${protocol}"`;
    // RFC 9220 §3: 501 where the server does not know the :protocol.
    return { status: 501, text: `unknown ${asked}`, rejected: "protocol" };
  }
  const fault = tunnelFault(request);
  if (fault !== null || protocol !== "websocket") return fault;
  return originFault(request, rules.allowedOrigins) ?? handshakeFault(request);
}

/** Protocols may have versions, `foo/1`: the names count. Of several, all must be taken. */
function mayUpgrade(protocol: string, upgrades: readonly string[]): boolean {
  if (upgrades.includes("*")) return protocol !== "";
  return protocol.split(",").every((one) => upgrades.includes(one.trim().replace(/\/.*$/, "")));
}
