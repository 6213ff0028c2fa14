import ipaddr from "ipaddr.js";
import { LinearRegExp } from "../proxy/linear_regexp.ts";

/** One of the hosts that an agent may be asked for, or may not. */
export interface HostPattern {
  /** As it was written. */
  readonly text: string;
  /** Of the host as it was asked for. */
  readonly name: ((host: string) => boolean) | null;
  /** The one host that `name` takes, as it is compared; `null` for a pattern. */
  readonly only: string | null;
  /** Of an address that it is, or that its name has. */
  readonly address: ((ip: string) => boolean) | null;
  readonly ports: readonly [first: number, last: number] | null;
}

const MAX_PORT = 65_535;
const PORTS = /^(.*):(\d{1,5})(?:-(\d{1,5}))?$/;

/**
 * Reads `name`, `*.name`, `/regexp/`, an address or a range, each with `:port` or `:port-port`
 * behind it; IPv6 with a port stands in brackets.
 *
 * @throws {TypeError} that says what is wrong
 */
export function parseHostPattern(text: string): HostPattern {
  const { host, ports } = splitPorts(text);
  if (host === "") throw new TypeError(`${JSON.stringify(text)} has no host`);
  const range = parseRange(host);
  if (range !== null) {
    const address = (ip: string) => holds(range, ip);
    return { text, name: null, only: null, address, ports };
  }
  return { text, ...namesOf(host, text), address: null, ports };
}

function splitPorts(text: string): { host: string; ports: HostPattern["ports"] } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) {
    const [, host, ports] = bracketed;
    return { host, ports: ports === undefined ? null : portsOf(ports, text) };
  }
  const found = PORTS.exec(text);
  // More than one colon without brackets: IPv6.
  if (found === null || found[1].includes(":") || text.endsWith("/")) {
    return { host: text, ports: null };
  }
  return { host: found[1], ports: portsOf(text.slice(found[1].length + 1), text) };
}

function portsOf(text: string, whole: string): readonly [number, number] {
  const [first, last = first] = text.split("-").map(Number);
  if (!(first >= 1 && last <= MAX_PORT && first <= last)) {
    throw new TypeError(
      `${JSON.stringify(whole)} has ports that are none: expected 1 to ${MAX_PORT}`,
    );
  }
  return [first, last];
}

function namesOf(host: string, text: string): Pick<HostPattern, "name" | "only"> {
  if (host.startsWith("/") && host.endsWith("/") && host.length > 2) {
    try {
      const expression = new LinearRegExp(host.slice(1, -1));
      return { name: (name) => expression.test(name), only: null };
    } catch (error) {
      throw new TypeError(`${JSON.stringify(text)}: ${(error as Error).message}`);
    }
  }
  const lower = host.toLowerCase().replace(/\.$/, "");
  if (lower === "*") return { name: () => true, only: null };
  if (!/^(\*\.)?[^*\s/]+$/.test(lower)) {
    throw new TypeError(`${JSON.stringify(text)} is no name, *.name, /regexp/, address or range`);
  }
  if (lower.startsWith("*.")) return { name: (name) => name.endsWith(lower.slice(1)), only: null };
  return { name: (name) => name === lower, only: lower };
}

type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

function parseRange(text: string): Range | null {
  const [address, bits, ...rest] = text.split("/");
  if (rest.length > 0 || !ipaddr.isValid(address)) return null;
  const ip = ipaddr.process(address);
  const most = ip.kind() === "ipv4" ? 32 : 128;
  if (bits === undefined) return [ip, most];
  const prefix = /^\d+$/.test(bits) ? Number(bits) : NaN;
  if (!(prefix <= most)) throw new TypeError(`${JSON.stringify(text)} is no range of addresses`);
  return [ip, prefix];
}

function holds([network, prefix]: Range, ip: string): boolean {
  const address = ipaddr.process(ip);
  return address.kind() === network.kind() && address.match(network, prefix);
}
