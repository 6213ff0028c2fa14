/** Where a URL leads. */
export interface Target {
  /** The URL as it is told in errors: without user and password. */
  text: string;
  /** Whether by TLS. */
  secure: boolean;
  /** IPv6 without brackets. */
  hostname: string;
  port: number;
  /** Host and, where it is not the scheme's own, port. */
  authority: string;
  /** With the query. */
  path: string;
}

const EXPECTED = 'expected ws:, wss:, http: or https:, as in "wss://host.example/path"';

/**
 * Takes the URL of a WebSocket apart (RFC 6455 §3).
 *
 * @throws {TypeError} for what is none
 */
export function parseTarget(url: string | URL): Target {
  const parsed = URL.parse(url);
  if (parsed === null) throw new TypeError(`"${url}" is no URL: ${EXPECTED}`);
  const secure = parsed.protocol === "wss:" || parsed.protocol === "https:";
  if (!secure && parsed.protocol !== "ws:" && parsed.protocol !== "http:") {
    throw new TypeError(`"${parsed.href}": ${EXPECTED}`);
  }
  // RFC 6455 §3: fragment identifiers MUST NOT be used on these URIs.
  if (parsed.hash !== "") {
    throw new TypeError(`"${parsed.href}": a WebSocket has no fragment; write "%23" for "#"`);
  }
  parsed.username = parsed.password = "";
  return {
    text: parsed.href,
    secure,
    hostname: parsed.hostname.replace(/^\[|\]$/g, ""),
    port: parsed.port === "" ? (secure ? 443 : 80) : Number(parsed.port),
    authority: parsed.host,
    path: parsed.pathname + parsed.search,
  };
}
