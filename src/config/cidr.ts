import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";
import { quote, ValueError } from "./error.ts";

/** Whether an IP address, without brackets and port, is one of those that are meant. */
export type IpPredicate = (ip: string) => boolean;

type Ip = ipaddr.IPv4 | ipaddr.IPv6;
type Range = readonly [network: Ip, prefix: number];

/** Names that stand for several ranges. */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  // RFC 1122 §3.2.1.3, RFC 4291 §2.5.3.
  loopback: ["127.0.0.0/8", "::1/128"],
  // RFC 1918 §3, RFC 4193 §3.1.
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

export const CIDRS_ALLOWED = "IP addresses and ranges, with commas between them " +
  "(10.0.0.0/8, ::1, fd00::/8), and the words private and loopback; empty for none";

const MAPPED_BITS = 96;
const WITH_ZONE = /^(fe80:.*)%[\w.-]+$/i;
// RFC 4291 §2.5.5.1: a deprecated form, which ipaddr.js takes for an IPv4-mapped one.
const IPV4_COMPATIBLE = /^::\d+\./;

/**
 * A list such as `10.0.0.0/8, ::1, private` as a predicate. An empty list has nobody in it.
 *
 * Bits behind the prefix do not count. IPv4 and its IPv4-mapped IPv6 form (RFC 4291 §2.5.5.2) are
 * the same, in the list and in what is asked for; what is no IP address is not in it.
 *
 * @throws {ValueError} that names the bad entry
 */
export function parseCidrs(text: string): IpPredicate {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== "");
  const ranges = entries.flatMap((entry) =>
    (Object.hasOwn(NAMED, entry.toLowerCase()) ? NAMED[entry.toLowerCase()] : [entry])
      .map(parseRange)
  );
  if (ranges.length === 0) return () => false;
  return (ip) => {
    const address = parseIp(ip.replace(WITH_ZONE, "$1"));
    return address !== null && ranges.some((range) => holds(range, address));
  };
}

function holds([network, prefix]: Range, address: Ip): boolean {
  return network.kind() === address.kind() && address.match(network, prefix);
}

function parseRange(entry: string): Range {
  const [text, digits, ...rest] = entry.split("/");
  const address = rest.length === 0 ? parseIp(text) : null;
  if (address === null) {
    throw new ValueError(`holds ${quote(entry)}, which is no address or range`, CIDRS_ALLOWED);
  }
  // A mapped range's prefix counts the 96 bits before the IPv4 address too.
  const mapped = text.includes(":") && address.kind() === "ipv4";
  const least = mapped ? MAPPED_BITS : 0;
  const most = address.toByteArray().length * 8 + least;
  if (digits === undefined) return [address, most - least];
  const prefix = /^\d{1,3}$/.test(digits) ? Number(digits) : NaN;
  if (prefix >= least && prefix <= most) return [address, prefix - least];
  const problem = `holds ${quote(entry)}, whose prefix is not ${least} to ${most}`;
  throw new ValueError(problem, CIDRS_ALLOWED);
}

/** `null` for what is none; IPv4 where it is IPv4-mapped. */
function parseIp(text: string): Ip | null {
  if (isIPv4(text)) return ipaddr.IPv4.parse(text);
  if (!isIPv6(text) || text.includes("%") || IPV4_COMPATIBLE.test(text)) return null;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}
