import { isIP } from "node:net";
import { pause } from "../net/pause.ts";

/** One address of a gateway's name, at which a gateway of its own may be. */
export interface Place {
  /** `null` for whatever the name leads to: where it could not be resolved. */
  readonly address: string | null;
  /** Fires when the name does not lead there any more, and when all ends. */
  readonly signal: AbortSignal;
  /** That stand now. */
  links: number;
}

export interface GatewayPlacesOptions {
  /** A name, or an IP address without brackets. */
  hostname: string;
  lookup: (hostname: string) => Promise<readonly string[]>;
  /** How often the name is looked up, if nothing is lost. */
  everyMs: number;
  /** Ends it. */
  signal: AbortSignal;
  /** Keeps links to a place until its signal fires, and those that stand then to their end. */
  keep: (place: Place) => Promise<void>;
}

interface Kept {
  readonly place: Place;
  readonly gone: AbortController;
}

/** All places that a gateway's name leads to, as they come and go. */
export class GatewayPlaces {
  /** Resolves when it has ended, and no place is kept. */
  readonly over: Promise<void>;
  readonly #options: GatewayPlacesOptions;
  readonly #kept = new Map<string | null, Kept>();
  readonly #keeping = new Set<Promise<void>>();
  #wake = () => {};

  constructor(options: GatewayPlacesOptions) {
    this.#options = options;
    this.over = this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      await this.#look();
      await this.#pause();
    }
    for (const { gone } of this.#kept.values()) gone.abort();
    await Promise.all(this.#keeping);
  }

  async #look(): Promise<void> {
    const { hostname, lookup, signal } = this.#options;
    const found = await lookup(hostname).catch(() => null);
    if (signal.aborted) return;
    // Where the resolver fails, what was known before is the best that there is.
    if (found === null && this.#kept.size > 0) return;
    const addresses = new Set(found === null || found.length === 0 ? [null] : found);
    for (const [address, { gone }] of [...this.#kept]) {
      if (addresses.has(address)) continue;
      this.#kept.delete(address);
      gone.abort();
    }
    for (const address of addresses) if (!this.#kept.has(address)) this.#add(address);
  }

  #add(address: string | null): void {
    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, this.#options.signal]);
    const place = { address, signal, links: 0 };
    this.#kept.set(address, { place, gone });
    const keeping = this.#options.keep(place);
    this.#keeping.add(keeping);
    void keeping.then(() => this.#keeping.delete(keeping));
  }

  /** A link was lost, or can't be had: perhaps the name leads elsewhere now. */
  lookAgain(): void {
    this.#wake();
  }

  #pause(): Promise<void> {
    const { everyMs, signal } = this.#options;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    return pause(everyMs, AbortSignal.any([signal, woken.signal]));
  }

  /** Whether the name has addresses of IPv4 beside this one of IPv6. */
  isSecond({ address }: Place): boolean {
    return familyOf(address) === 6 && [...this.#kept.keys()].some((one) => familyOf(one) === 4);
  }

  /**
   * Whether a link stands by the other family: the same gateways are mostly there, and each keeps
   * but one link of an agent.
   */
  rests({ address }: Place): boolean {
    return [...this.#kept.values()].some(({ place }) => {
      return place.links > 0 && familyOf(place.address) !== familyOf(address);
    });
  }
}

function familyOf(address: string | null): number {
  return isIP(address ?? "");
}
