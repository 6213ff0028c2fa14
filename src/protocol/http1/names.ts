// RFC 9110 §5.1: field names. Those that are known cost no string when they are read, and no check
// when they are written; a client could make up any number of others, so none of them is kept.
import { LOWER_TCHAR } from "./octets.ts";

/** Parts of names that are not written with one capital. */
const PART: Readonly<Record<string, string>> = {
  websocket: "WebSocket",
  www: "WWW",
  etag: "ETag",
  te: "TE",
  ip: "IP",
  dnt: "DNT",
  xss: "XSS",
};

const KNOWN_NAMES = `
  accept accept-charset accept-encoding accept-language accept-ranges
  access-control-allow-credentials access-control-allow-headers access-control-allow-methods
  access-control-allow-origin access-control-expose-headers access-control-max-age
  access-control-request-headers access-control-request-method age allow alt-svc authorization
  cache-control connection content-disposition content-encoding content-language content-length
  content-location content-range content-security-policy content-type cookie
  cross-origin-opener-policy cross-origin-resource-policy date dnt etag expect expires forwarded
  from host if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive
  last-modified link location max-forwards origin pragma priority proxy-authenticate
  proxy-authorization proxy-connection range referer referrer-policy retry-after save-data
  sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site
  sec-fetch-user sec-gpc sec-websocket-accept sec-websocket-extensions sec-websocket-key
  sec-websocket-protocol sec-websocket-version server server-timing set-cookie
  strict-transport-security te traceparent tracestate trailer transfer-encoding upgrade
  upgrade-insecure-requests user-agent vary via www-authenticate x-content-type-options
  x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto x-frame-options x-powered-by
  x-real-ip x-request-id x-requested-with
`.trim().split(/\s+/);

/**
 * A lower-case field name as HTTP/1.1 has always written it: `Sec-WebSocket-Key`. Names are
 * case-insensitive (RFC 9110 §5.1), but some servers don't know.
 */
export function canonicalName(name: string): string {
  return name.split("-").map((part) =>
    Object.hasOwn(PART, part) ? PART[part] : part.slice(0, 1).toUpperCase() + part.slice(1)
  ).join("-");
}

/** How the line of a known field begins: `Sec-WebSocket-Key: ` by its lower-case name. */
export const LINE_START: ReadonlyMap<string, string> = new Map(
  KNOWN_NAMES.map((name) => [name, `${canonicalName(name)}: `]),
);

// With this size and factor each known name has a slot of its own.
const SLOTS = 2048;
const FACTOR = 61;
const slots: (string | undefined)[] = new Array(SLOTS).fill(undefined);

/** Goes on with the hash of a name: by its next byte, in lower case. Begin with 0. */
export function hashName(hash: number, lower: number): number {
  return (hash * FACTOR + lower) & 0x3fffff;
}

for (const name of KNOWN_NAMES) {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = hashName(hash, name.charCodeAt(i));
  slots[hash % SLOTS] = name;
}

/** The known name with this hash that stands, in any case, at `start`; `null` if it is not there. */
export function knownName(hash: number, bytes: Uint8Array, start: number): string | null {
  const name = slots[hash % SLOTS];
  if (name === undefined) return null;
  for (let i = 0; i < name.length; i++) {
    if (LOWER_TCHAR[bytes[start + i]] !== name.charCodeAt(i)) return null;
  }
  // The byte behind it must not belong to the name any more.
  return LOWER_TCHAR[bytes[start + name.length]] === 0 ? name : null;
}
