import { isIPv4 } from "node:net";

/** The routes as Linux tells them in /proc/net. */
export interface RouteTables {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

/** The name of the interface that leads to an address; `null` where it is not known. */
export function interfaceTo(address: string, { ipv4, ipv6 }: RouteTables): string | null {
  const bits = bitsOf(address);
  if (bits === null) return null;
  // The loopback has no line of its own in the table of IPv4.
  if (isIPv4(address) && address.startsWith("127.")) return ipv4 === null ? null : "lo";
  const table = isIPv4(address) ? ipv4 : ipv6;
  const routes = (table ?? "").split("\n").flatMap(isIPv4(address) ? routeOfV4 : routeOfV6);
  const fitting = routes.filter(({ prefix }) => bits.startsWith(prefix));
  fitting.sort((a, b) => b.prefix.length - a.prefix.length || a.metric - b.metric);
  return fitting[0]?.name ?? null;
}

interface Route {
  readonly name: string;
  /** In bits. */
  readonly prefix: string;
  readonly metric: number;
}

/** Iface Destination Gateway Flags RefCnt Use Metric Mask: numbers in the machine's order. */
function routeOfV4(line: string): Route[] {
  const [name, destination, , , , , metric, mask] = line.trim().split(/\s+/);
  if (mask === undefined || !/^[0-9A-F]{8}$/i.test(destination)) return [];
  const ones = bitsOfHex(reversed(mask)).replace(/0+$/, "").length;
  const prefix = bitsOfHex(reversed(destination)).slice(0, ones);
  return [{ name, prefix, metric: Number(metric) }];
}

/** Destination and its length, source and its length, next hop, metric, ..., device. */
function routeOfV6(line: string): Route[] {
  const parts = line.trim().split(/\s+/);
  const [destination, length] = parts;
  if (parts.length !== 10 || !/^[0-9a-f]{32}$/i.test(destination)) return [];
  const prefix = bitsOfHex(destination).slice(0, parseInt(length, 16));
  return [{ name: parts[9], prefix, metric: parseInt(parts[5], 16) }];
}

/** Whether a line of /proc/net/udp or udp6 tells of a socket that is bound to a port. */
export function hasUdpSocket(table: string, port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return table.split("\n").some((line) => line.trim().split(/\s+/)[1]?.endsWith(`:${hex}`));
}

function reversed(hex: string): string {
  return hex.match(/../g)!.reverse().join("");
}

function bitsOfHex(hex: string): string {
  return [...hex].map((digit) => parseInt(digit, 16).toString(2).padStart(4, "0")).join("");
}

/** An address in bits. */
function bitsOf(address: string): string | null {
  if (isIPv4(address)) {
    return address.split(".").map((part) => Number(part).toString(2).padStart(8, "0")).join("");
  }
  const hostname = URL.parse(`http://[${address.replace(/%.*$/, "")}]`)?.hostname;
  if (hostname === undefined) return null;
  const [head, tail] = hostname.slice(1, -1).split("::").map((half) =>
    half === "" ? [] : half.split(":")
  );
  const rest = tail ?? [];
  const groups = [...head, ...Array(8 - head.length - rest.length).fill("0"), ...rest];
  return bitsOfHex(groups.map((group) => group.padStart(4, "0")).join(""));
}
