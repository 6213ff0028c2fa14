import { isIP } from "node:net";
import { orAborted } from "../client/http_client.ts";
import { full } from "./refusals.ts";

/** The addresses of a name, in the order in which they are tried. */
export type Lookup = (name: string) => Promise<string[]>;

interface Asked {
  readonly name: string;
  readonly domain: string;
  readonly found: PromiseWithResolvers<string[]>;
  /** Who waits for it. */
  askers: number;
}

/**
 * The system's resolver takes one of Deno's 32 blocking threads for each name, and does not give it
 * back before the name is found or not, whoever still waits: others need theirs, too.
 */
const AT_ONCE = 16;
/** Who has one domain has all the names in it, and the server that is slow to tell them. */
const AT_ONCE_OF_DOMAIN = 4;
const MAX_WAITING = 512;
const MAX_WAITING_OF_DOMAIN = 256;

// RFC 6761 §6.3: always the loopback addresses, and no server is asked.
const LOCALHOST = ["127.0.0.1", "::1"];

/** Looks names up for many, some at once. */
export class Lookups {
  readonly #lookup: Lookup;
  readonly #asked = new Map<string, Asked>();
  readonly #running = new Set<Asked>();
  readonly #waiting = new Set<Asked>();

  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  /**
   * The addresses of a host: what several ask for is looked up once. Throws the reason of `signal`,
   * and what the lookup throws.
   *
   * @throws {TunnelRefused} RATE_LIMITED when too many wait
   */
  async find(host: string, signal: AbortSignal): Promise<string[]> {
    if (isIP(host) !== 0) return [host];
    if (/(^|\.)localhost$/.test(host)) return LOCALHOST;
    const asked = this.#asked.get(host) ?? this.#ask(host);
    asked.askers++;
    try {
      return await orAborted(asked.found.promise, signal);
    } finally {
      // One that runs can't be given up.
      if (--asked.askers === 0 && this.#waiting.delete(asked)) this.#asked.delete(host);
    }
  }

  #ask(name: string): Asked {
    const domain = domainOf(name);
    const found = Promise.withResolvers<string[]>();
    const asked = { name, domain, found, askers: 0 };
    if (!this.#mayBegin(asked) && this.#isCrowded(domain)) {
      throw full("too many names are being looked up");
    }
    // Nobody may be there any more who hears of it.
    found.promise.catch(() => {});
    this.#asked.set(name, asked);
    this.#waiting.add(asked);
    this.#begin();
    return asked;
  }

  #mayBegin({ domain }: Asked): boolean {
    if (this.#running.size >= AT_ONCE) return false;
    return countOf(this.#running, domain) < AT_ONCE_OF_DOMAIN;
  }

  #isCrowded(domain: string): boolean {
    if (this.#waiting.size >= MAX_WAITING) return true;
    return countOf(this.#waiting, domain) >= MAX_WAITING_OF_DOMAIN;
  }

  /** Begins all that may. */
  #begin(): void {
    for (const asked of this.#waiting) {
      if (!this.#mayBegin(asked)) continue;
      this.#waiting.delete(asked);
      this.#running.add(asked);
      void this.#run(asked);
    }
  }

  async #run(asked: Asked): Promise<void> {
    try {
      asked.found.resolve(await this.#lookup(asked.name));
    } catch (error) {
      asked.found.reject(error);
    }
    this.#running.delete(asked);
    this.#asked.delete(asked.name);
    this.#begin();
  }
}

function countOf(asked: Iterable<Asked>, domain: string): number {
  let count = 0;
  for (const one of asked) if (one.domain === domain) count++;
  return count;
}

/** Its last two labels. */
function domainOf(name: string): string {
  return name.split(".").slice(-2).join(".");
}
