import ipaddr from "ipaddr.js";
import { ownAddresses } from "../net/own_addresses.ts";
import type { OpenPort } from "../protocol/tunnel/auth.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import type { HostPattern } from "./host_pattern.ts";
import { targetText, TunnelRefused, type TunnelTarget } from "./target.ts";

/** A service that may be asked for where only some may. */
export interface Service {
  /** It can be asked for by this name too, at any port. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly protocol: "tcp" | "udp";
}

/** What an agent connects to. */
export interface ReachRules {
  /** Only those; `null` for all but addresses that are special, or the machine's own. */
  readonly allowed: readonly HostPattern[] | null;
  /** None of those, whatever else is allowed. */
  readonly forbidden: readonly HostPattern[];
  /** Only those, if there are any. */
  readonly services: readonly Service[];
  /** Those that the agent offers itself, by ports of the gateway: they are allowed, too. */
  readonly openPorts?: readonly OpenPort[];
  /** Of the agent's machine; default those of its interfaces. */
  readonly ownAddresses?: () => ReadonlySet<string>;
}

/** Those that no range here has: they tell a machine in a cloud its secrets. */
const METADATA: ReadonlySet<string> = new Set([
  // Alibaba, Azure; AWS, and its EKS; Google; Oracle; Scaleway.
  ...["100.100.100.200", "168.63.129.16"],
  ...["fd00:ec2::254", "fd00:ec2::23"],
  ...["fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42"],
]);

// RFC 6890, and IANA's registries of special-purpose addresses: what is nobody's own address in a
// network.
const SPECIAL: ReadonlySet<string> = new Set([
  ...["loopback", "linkLocal", "unspecified", "broadcast", "multicast", "reserved"],
  // Another address in disguise.
  ...["rfc6145", "rfc6052", "6to4", "teredo"],
  // fec0::/10 (RFC 3879), 100::/64 (RFC 6666), 5f00::/16 (RFC 9602).
  ...["deprecatedSiteLocal", "discard", "segmentRouting"],
]);

// RFC 4291 §2.5.5.1: an IPv4 address in disguise, deprecated.
const IPV4_COMPATIBLE = ipaddr.IPv6.parse("::");

/** What of a host's addresses may be connected to, by the rules. */
export class Reach {
  readonly #rules: ReachRules;
  readonly #own: () => ReadonlySet<string>;

  constructor(rules: ReachRules) {
    this.#rules = rules;
    this.#own = rules.ownAddresses ?? ownAddresses();
  }

  /**
   * Where a target really is: that of a service, if it is asked for by its name.
   *
   * @throws {TunnelRefused} with FORBIDDEN_HOST for what its name alone forbids
   */
  locate(asked: TunnelTarget): TunnelTarget {
    const { services, forbidden } = this.#rules;
    const target = { ...asked, host: normalHost(asked.host) };
    if (forbidden.some((pattern) => namesIt(pattern, target))) throw forbiddenHost(asked);
    if (services.length === 0 || this.#isOffered(target)) return target;
    const service = services.find((one) => isService(one, target));
    if (service === undefined) throw forbiddenHost(asked);
    return { protocol: service.protocol, host: service.host, port: service.port };
  }

  /**
   * Those of a host's addresses that may be connected to.
   *
   * @throws {TunnelRefused} with FORBIDDEN_HOST when none may
   */
  filter(target: TunnelTarget, addresses: readonly string[]): string[] {
    const left = addresses.filter((ip) => this.#mayReach(target, ip));
    if (left.length === 0) throw forbiddenHost(target);
    return left;
  }

  #mayReach(target: TunnelTarget, ip: string): boolean {
    const { allowed, forbidden, services } = this.#rules;
    const at = (pattern: HostPattern) => hasPort(pattern, target.port);
    if (forbidden.some((one) => at(one) && (one.address?.(ip) ?? false))) return false;
    // It was named by whoever runs the agent.
    if (services.length > 0 || this.#isOffered(target)) return true;
    const byAddress = allowed?.some((one) => at(one) && (one.address?.(ip) ?? false)) ?? false;
    if (byAddress) return true;
    if (isSpecial(ip) || this.#own().has(ipaddr.process(ip).toString())) {
      // Only the very name, not one of a pattern: whose names those are is for others to say.
      return allowed?.some((one) => at(one) && one.only === target.host) ?? false;
    }
    return allowed === null || allowed.some((one) => namesIt(one, target));
  }

  #isOffered({ protocol, host, port }: TunnelTarget): boolean {
    const { openPorts = [] } = this.#rules;
    return openPorts.some((one) =>
      one.protocol === protocol && one.localPort === port && normalHost(one.localHost) === host
    );
  }
}

function isService(one: Service, { protocol, host, port }: TunnelTarget): boolean {
  if (one.protocol !== protocol) return false;
  return one.name === host || (normalHost(one.host) === host && one.port === port);
}

/** RFC 4343: names are compared without case; RFC 1034 §3.1: the root's dot says nothing more. */
function normalHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}

function hasPort({ ports }: HostPattern, port: number): boolean {
  return ports === null || (port >= ports[0] && port <= ports[1]);
}

function namesIt(pattern: HostPattern, target: TunnelTarget): boolean {
  return hasPort(pattern, target.port) && (pattern.name?.(target.host) ?? false);
}

/** Whether only whoever is on the machine itself, or runs its cloud, should reach it. */
export function isSpecial(ip: string): boolean {
  const address = ipaddr.process(ip);
  if (SPECIAL.has(address.range()) || METADATA.has(address.toString())) return true;
  return address.kind() === "ipv6" && address.match(IPV4_COMPATIBLE, 96);
}

function forbiddenHost(target: TunnelTarget): TunnelRefused {
  return new TunnelRefused(
    TunnelCode.FORBIDDEN_HOST,
    `the agent may not connect to ${targetText(target)}`,
  );
}
