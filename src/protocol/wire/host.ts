import { formatAddress, parseIPv4, parseIPv6 } from "./ip.ts";

/** The longest name of a host that SOCKS can ask for (RFC 1928 §5), and longer than any of the DNS. */
export const MAX_HOST_BYTES = 255;

const utf8 = new TextEncoder();

// No white space, no control, format, private or unassigned character, no half of a surrogate pair;
// and none of URL Standard §3.1's forbidden domain code points, so that a host with its port has
// one meaning. Brackets and colons are an IPv6 address's.
const NO_NAME = /[\p{C}\p{Z}#/:<>?@[\\\]^|%]/u;
const BRACKETED = /^\[([0-9A-Fa-f:.]+)\]$/;

/**
 * The one way to write a host that a peer asks for, so that all rules on hosts see the same: an
 * IPv6 address without brackets and as RFC 5952 §4 has it, a name in lower case (RFC 4343 §2: ASCII
 * alone). `null` for what can be none: empty, above 255 bytes of UTF-8, or with characters that no
 * name has.
 */
export function normalHost(text: string): string | null {
  if (text === "" || text.length > MAX_HOST_BYTES) return null;
  if (parseIPv4(text) !== null) return text;
  const ipv6 = parseIPv6(BRACKETED.exec(text)?.[1] ?? text);
  if (ipv6 !== null) return formatAddress(ipv6);
  if (NO_NAME.test(text) || utf8.encode(text).length > MAX_HOST_BYTES) return null;
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
