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
  /** By IP address; who has nothing under way is not in it. */
  readonly #taken = new Map<string, number>();

  constructor(options: ClientSharesOptions) {
    this.#options = options;
  }

  /** How many clients have something under way. */
  get clients(): number {
    return this.#taken.size;
  }

  /** Takes one share for the client at "ip:port"; `null`, and nothing is taken, where it has all of its own. */
  take(remote: string): (() => void) | null {
    const { limit, exempt } = this.#options;
    const ip = ipOf(remote);
    if (limit === 0 || exempt?.(ip) === true) return nothing;
    const taken = this.#taken.get(ip) ?? 0;
    if (taken >= limit) return null;
    this.#taken.set(ip, taken + 1);
    return () => this.#free(ip);
  }

  #free(ip: string): void {
    const left = this.#taken.get(ip)! - 1;
    if (left === 0) this.#taken.delete(ip);
    else this.#taken.set(ip, left);
  }
}

function nothing(): void {}
