import { isIPv4, isIPv6 } from "node:net";

/** Where to listen. */
export interface Address {
  /** A name or an IP address, IPv6 without brackets. */
  hostname: string;
  /** 0 for any free port. */
  port: number;
}

/**
 * What `:443` listens on: IPv4 and IPv6 where one socket takes both. On Windows an IPv6 socket
 * takes IPv6 alone.
 */
export const EVERY_INTERFACE: string = Deno.build.os === "windows" ? "0.0.0.0" : "::";

const ADDRESS = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;

/** `:443`, `127.0.0.1:9090`, `[::1]:443` or `name:443`; `undefined` if it is none of them. */
export function parseAddress(text: string): Address | undefined {
  const match = ADDRESS.exec(text);
  if (match === null) return undefined;
  const [, ipv6, host = "", digits] = match;
  const port = Number(digits);
  if (port > 65535) return undefined;
  if (ipv6 !== undefined) return isIPv6(ipv6) ? { hostname: ipv6, port } : undefined;
  if (host === "" || host === "*") return { hostname: EVERY_INTERFACE, port };
  return isHostname(host) ? { hostname: host, port } : undefined;
}

/** Whether it is a DNS name (RFC 1123 §2.1, and the underscore that Docker uses) or IPv4. */
export function isHostname(text: string): boolean {
  // A last label of digits can be no name: it is an address, or a mistake in one.
  if (/(?:^|\.)\d+$/.test(text)) return isIPv4(text);
  return text.length <= 253 && text.split(".").every((label) => LABEL.test(label));
}

/** RFC 3986 §3.2.2: an IPv6 address stands in brackets. */
export function formatAddress({ hostname, port }: Address): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
