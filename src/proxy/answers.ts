import type { OfferRequest } from "../ingress/offer.ts";
import { parseExtensions, parseTokenList } from "../protocol/websocket/handshake.ts";
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
export type PathRule = { readonly exact: string } | { readonly regexp: RegExp };

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

/** What is wrong with a request for a tunnel, or `null` when the backend may be asked. */
export function refuseTunnel(request: OfferRequest, rule: PathRule): Answer | null {
  const { method, protocol, path } = request;
  if (method !== "CONNECT") {
    if (!pathMatches(rule, path)) return { status: 404, text: "not found" };
    return {
      status: 405,
      fields: [["allow", "CONNECT"]],
      text: "expected CONNECT",
      rejected: "method",
    };
  }
  // RFC 9110 §9.3.6: a CONNECT without :protocol asks for a TCP tunnel, which this is not.
  if (protocol === null) return { status: 501, text: "no CONNECT proxy", rejected: "protocol" };
  // RFC 9220 §3: 501 where the server does not know the :protocol.
  if (protocol.toLowerCase() !== "websocket") {
    return { status: 501, text: `unknown :protocol "${protocol}"`, rejected: "protocol" };
  }
  // RFC 8441 §5: the scheme is that of the Web; only there MUST a path begin with a slash.
  if (!/^(?:http|ws)s?$/i.test(request.scheme)) {
    return { status: 400, text: "invalid :scheme", rejected: "bad_headers" };
  }
  if (!pathMatches(rule, path)) return { status: 404, text: "path not allowed", rejected: "path" };
  const version = getField(request.fields, "sec-websocket-version");
  if (version !== null && version !== "13") {
    return {
      status: 400,
      // RFC 6455 §4.4: says which versions would do.
      fields: [["sec-websocket-version", "13"]],
      text: "invalid websocket headers: Sec-WebSocket-Version is not 13",
      rejected: "bad_headers",
    };
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
