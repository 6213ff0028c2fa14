// RFC 9112 §3.2: the four forms of a request target.
import { isAuthority, isConnectAuthority } from "../wire/authority.ts";
import { type Field, getField } from "../wire/field.ts";

/** What a request is for, whatever the form of its target. */
export interface RequestUri {
  /** In lower case; `null` unless the target says it. */
  readonly scheme: "http" | "https" | "ws" | "wss" | null;
  /** Host and port: that of an absolute URI or of a CONNECT, else Host; "" where there is none. */
  readonly authority: string;
  /** The path with its query, `*` for the server as a whole, "" for CONNECT. */
  readonly path: string;
}

// RFC 9110 §4.2, RFC 6455 §3: what an HTTP server can be asked for; of any other scheme it could
// not know what the authority means.
const ABSOLUTE_FORM = /^(https?|wss?):\/\/([^/?]*)(.*)$/i;

/**
 * Whether a request with this method may have this target, RFC 9112 §3.2: CONNECT has the
 * authority-form and no other method has, only OPTIONS has "*", and the rest is a path or an
 * absolute URI. Visible ASCII only, and no fragment.
 */
export function isRequestTarget(method: string, target: string): boolean {
  if (!isVisible(target)) return false;
  if (method === "CONNECT") return isConnectAuthority(target);
  if (target.charCodeAt(0) === 0x2f) return true;
  if (target === "*") return method === "OPTIONS";
  const match = ABSOLUTE_FORM.exec(target);
  return match !== null && isAuthority(match[2]);
}

/**
 * Takes the target of a request apart that `RequestHeadParser` gave. RFC 9112 §3.2.2: where it is
 * an absolute URI, its authority counts and Host MUST be ignored.
 */
export function requestUri(
  head: { method: string; target: string; fields: readonly Field[] },
): RequestUri {
  const { method, target, fields } = head;
  if (method === "CONNECT") return { scheme: null, authority: target, path: "" };
  if (target.charCodeAt(0) !== 0x2f && target !== "*") {
    const match = ABSOLUTE_FORM.exec(target);
    if (match !== null) {
      const scheme = match[1].toLowerCase() as "http" | "https" | "ws" | "wss";
      return { scheme, authority: match[2], path: pathOf(method, match[3]) };
    }
  }
  return { scheme: null, authority: getField(fields, "host") ?? "", path: target };
}

function pathOf(method: string, path: string): string {
  // RFC 9112 §3.2.4: OPTIONS for a URI without path and query is for the server as a whole.
  if (path === "") return method === "OPTIONS" ? "*" : "/";
  // RFC 9112 §3.2.1: an empty path MUST be sent as "/".
  return path.startsWith("?") ? `/${path}` : path;
}

/** RFC 9112 §3.2: no white space in a target. RFC 9110 §4.1: it has no fragment. */
function isVisible(target: string): boolean {
  for (let i = 0; i < target.length; i++) {
    const c = target.charCodeAt(i);
    if (c <= 0x20 || c >= 0x7f || c === 0x23) return false;
  }
  return target.length > 0;
}
