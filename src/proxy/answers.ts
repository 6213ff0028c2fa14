import type { OfferRequest } from "../ingress/offer.ts";
import { parseExtensions } from "../protocol/websocket/extensions.ts";
import { isValidKey, parseTokenList } from "../protocol/websocket/handshake.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { getField, getFields } from "../protocol/wire/field.ts";
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

/** Of a path that is for tunnels alone: an ordinary request must be an upgrade. */
export function expectedTunnel({ http }: OfferRequest): Answer {
  return http === "1.1"
    ? {
      // RFC 9110 §15.5.22: says what to upgrade to.
      status: 426,
      fields: [["upgrade", "websocket"]],
      text: "expected a WebSocket handshake",
      rejected: "method",
    }
    : {
      status: 405,
      fields: [["allow", "CONNECT"]],
      text: "expected CONNECT",
      rejected: "method",
    };
}

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
  // RFC 8441 §5: the scheme is that of the Web; only there MUST a path begin with a slash.
  if (!/^(?:http|ws)s?$/i.test(request.scheme)) {
    return { status: 400, text: "invalid :scheme", rejected: "bad_headers" };
  }
  // RFC 9110 §9.3.6: a CONNECT has no content; what comes is the tunnel, and no part of it is.
  if (request.http !== "1.1" && (getField(request.fields, "content-length") ?? "0") !== "0") {
    return { status: 400, text: "CONNECT with content-length", rejected: "bad_headers" };
  }
  if (protocol !== "websocket") return null;
  return refuseOrigin(request, rules) ?? refuseHandshake(request);
}

/** Protocols may have versions, `foo/1`: the names count. Of several, all must be taken. */
function mayUpgrade(protocol: string, upgrades: readonly string[]): boolean {
  if (upgrades.includes("*")) return protocol !== "";
  return protocol.split(",").every((one) => upgrades.includes(one.trim().replace(/\/.*$/, "")));
}

/** RFC 6455 §10.2: who checks Origin answers 403 to the others. No browser leaves it out. */
function refuseOrigin({ fields }: OfferRequest, { allowedOrigins }: TunnelRules): Answer | null {
  const origin = getField(fields, "origin");
  if (allowedOrigins === null || origin === null) return null;
  if (allowedOrigins.includes(origin.toLowerCase())) return null;
  return { status: 403, text: "origin not allowed", rejected: "origin" };
}

function refuseHandshake(request: OfferRequest): Answer | null {
  const { http, method, fields } = request;
  // RFC 6455 §4.1: the handshake is a GET; over HTTP/2 and HTTP/3 CONNECT stands for it.
  if (http === "1.1" && method !== "GET") {
    return { status: 405, fields: [["allow", "GET"]], text: "expected GET", rejected: "method" };
  }
  // RFC 6455 §11.3.1, §11.3.5: neither MUST NOT appear more than once.
  for (const name of ["sec-websocket-version", "sec-websocket-key"]) {
    if (getFields(fields, name).length > 1) {
      const text = `invalid websocket headers: more than one ${name}`;
      return { status: 400, text, rejected: "bad_headers" };
    }
  }
  const version = getField(fields, "sec-websocket-version");
  if (version !== "13" && (version !== null || http === "1.1")) {
    return {
      status: http === "1.1" ? 426 : 400,
      // RFC 6455 §4.4: says which versions would do.
      fields: [["sec-websocket-version", "13"]],
      text: "invalid websocket headers: Sec-WebSocket-Version is not 13",
      rejected: "bad_headers",
    };
  }
  const key = getField(fields, "sec-websocket-key");
  // RFC 6455 §4.2.1: 16 bytes in base64.
  if (http === "1.1" && (key === null || !isValidKey(key))) {
    const text = "invalid websocket headers: Sec-WebSocket-Key is not 16 bytes in base64";
    return { status: 400, text, rejected: "bad_headers" };
  }
  return refuseOffers(request);
}

/** What is offered must at least be readable: the backend's choice is checked against it. */
function refuseOffers(request: OfferRequest): Answer | null {
  const { fields } = request;
  try {
    getFields(fields, "sec-websocket-protocol").forEach(parseTokenList);
    getFields(fields, "sec-websocket-extensions").forEach(parseExtensions);
    return null;
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    return {
      status: 400,
      text: `invalid websocket headers: ${error.message}`,
      rejected: "bad_headers",
    };
  }
}
