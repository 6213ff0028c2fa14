import ipaddr from "ipaddr.js";
import { ipOf } from "./headers.ts";

export interface ClientSharesOptions {
  /** Of one client at once; 0 for no limit. */
  limit: number;
  /** Who speaks for many clients, by IP address, and has no limit. */
  exempt?: (ip: string) => boolean;
}

/** Counts what each client has under way, so that none takes the places of all. */
export class ClientShares {
  readonly #options: ClientSharesOptions;
  /** By network; who has nothing under way is not in it. */
  readonly #taken = new Map<string, number>();

  constructor(options: ClientSharesOptions) {
    this.#options = options;
  }

  /** How many clients have something under way. */
  get clients(): number {
    return this.#taken.size;
  }

  /**
   * Takes one share for the client at "ip:port"; `null`, and nothing is taken, where it has all of
   * its own.
   */
  take(remote: string): (() => void) | null {
    const { limit, exempt } = this.#options;
    const ip = ipOf(remote);
    if (limit === 0 || exempt?.(ip) === true) return nothing;
    const network = networkOf(ip);
    const taken = this.#taken.get(network) ?? 0;
    if (taken >= limit) return null;
    this.#taken.set(network, taken + 1);
    return () => this.#free(network);
  }

  #free(network: string): void {
    const left = this.#taken.get(network)! - 1;
    if (left === 0) this.#taken.delete(network);
    else this.#taken.set(network, left);
  }
}

/**
 * What stands for a client's IP address where it is counted. RFC 4291 §2.5.1: who has one IPv6
 * address has the 2^64 of its subnet.
 */
export function networkOf(ip: string): string {
  if (!ip.includes(":") || !ipaddr.IPv6.isValid(ip)) return ip;
  const address = ipaddr.IPv6.parse(ip);
  if (address.isIPv4MappedAddress()) return address.toIPv4Address().toString();
  return address.parts.slice(0, 4).map((part) => part.toString(16)).join(":");
}

function nothing(): void {}
