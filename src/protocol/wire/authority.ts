// RFC 3986 §3.2, RFC 9110 §4.2 and §7.2: whom a request is for. Userinfo is never part of it.

/** A host with its port, taken apart. */
export interface Authority {
  /** In lower case and never empty; an IPv6 address has its brackets. */
  readonly host: string;
  /** `null` where none is given, or an empty one (RFC 3986 §3.2.3). */
  readonly port: number | null;
}

// RFC 3986 §3.2.2: IP-literal / IPv4address / reg-name; the name is not empty: RFC 9110 §4.2.1.
// A comma is allowed there, but two Host fields that somebody joined look the same.
const NAME = String.raw`(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+`;
const AUTHORITY = new RegExp(String.raw`^(?:(${NAME})|\[([0-9A-Fa-f:.]+)\])(?::([0-9]{0,5}))?$`);
const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const H16 = /^[0-9A-Fa-f]{1,4}$/;

/**
 * Takes `uri-host [":" port]` apart, what Host and `:authority` may hold; `null` for anything else.
 * RFC 3986 §3.2.2, §3.2.3.
 */
export function parseAuthority(text: string): Authority | null {
  const match = AUTHORITY.exec(text);
  if (match === null) return null;
  const [, name, ipv6, digits = ""] = match;
  if (ipv6 !== undefined && !isIPv6(ipv6)) return null;
  const port = digits === "" ? null : Number(digits);
  if (port !== null && port > 65535) return null;
  return { host: (name ?? `[${ipv6}]`).toLowerCase(), port };
}

/** Whether this is `uri-host [":" port]`, with a host that is not empty and no userinfo. */
export function isAuthority(text: string): boolean {
  return parseAuthority(text) !== null;
}

/**
 * Whether a CONNECT may ask for it: `uri-host ":" port`. RFC 9110 §9.3.6: a port that is empty or
 * invalid MUST be rejected; 0 is none that can be connected to.
 */
export function isConnectAuthority(text: string): boolean {
  const port = parseAuthority(text)?.port ?? 0;
  return port > 0;
}

/** RFC 3986 §3.2.2: eight groups, "::" once for one or more of them, the last two as IPv4. */
function isIPv6(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [i, half] of halves.entries()) {
    if (half === "") continue;
    const parts = half.split(":");
    for (const [j, part] of parts.entries()) {
      const isLast = i === halves.length - 1 && j === parts.length - 1;
      if (H16.test(part)) groups += 1;
      else if (isLast && IPV4.test(part)) groups += 2;
      else return false;
    }
  }
  return halves.length === 2 ? groups <= 7 : groups === 8;
}
