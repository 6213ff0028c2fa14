import type { RateLimiterMemory, RateLimiterQueue } from "rate-limiter-flexible";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import { TunnelRefused } from "./target.ts";

/** What one user, agent or target may have; without end what is not said. */
export interface Limits {
  /** Connections at once. */
  readonly maxConnections?: number;
  /** New connections in a second. */
  readonly newPerSecond?: number;
  /** Both ways together, of all its connections. */
  readonly bytesPerSecond?: number;
}

/** Whose limits they are: each user, each agent, each target has them for itself. */
export const LIMITED = ["user", "agent", "target"] as const;
export type Limited = typeof LIMITED[number];
export type LimitsBy = Readonly<Partial<Record<Limited, Limits>>>;

/** Holds a chunk up; `null` for not at all. */
export type Throttle = (bytes: number) => Promise<void> | null;

/** The place of one connection. */
export interface Place {
  /** Absent where bytes are not limited. */
  readonly throttle?: Throttle;
  /** Gives it up; once. */
  leave(): void;
}

type Library = typeof import("./rate_limiter.ts");

const SECOND = 1;
/** A chunk waits in parts, so that each second is made use of, and others have their turn. */
const PARTS = 16;

/** The limits of all users, agents and targets. The library is read where something is limited. */
export class TunnelLimits {
  readonly #by: LimitsBy;
  /** By whose they are, and what they are. */
  readonly #limiters = new Map<string, Promise<Limiter>>();

  constructor(by: LimitsBy = {}) {
    this.#by = by;
  }

  /** With the library, if it takes that: no connection has to wait for it. */
  static async make(by: LimitsBy): Promise<TunnelLimits> {
    const limits = new TunnelLimits(by);
    await Promise.all(LIMITED.map((of) => isAny(by[of]) && limits.#limiter(of, by[of]!)));
    return limits;
  }

  /**
   * Takes a place for one more connection of whom `key` stands for.
   *
   * @param own what counts for him before that of all
   * @throws {TunnelRefused} RATE_LIMITED
   */
  async enter(of: Limited, key: string, own?: Limits): Promise<Place> {
    const limits = own === undefined ? this.#by[of] : { ...this.#by[of], ...own };
    return isAny(limits) ? await (await this.#limiter(of, limits!)).enter(key) : FREE;
  }

  #limiter(of: Limited, limits: Limits): Promise<Limiter> {
    const { maxConnections = 0, newPerSecond = 0, bytesPerSecond = 0 } = limits;
    const name = [of, maxConnections, newPerSecond, bytesPerSecond].join();
    const known = this.#limiters.get(name);
    if (known !== undefined) return known;
    const made = import("./rate_limiter.ts").then((library) => new Limiter(of, limits, library));
    this.#limiters.set(name, made);
    return made;
  }
}

function isAny(limits: Limits | undefined): boolean {
  return limits !== undefined && Object.values(limits).some((one) => one > 0);
}

const FREE: Place = { leave() {} };

/** What is known of one who has connections. */
interface Entry {
  connections: number;
  queue: RateLimiterQueue | null;
}

class Limiter {
  readonly #of: Limited;
  readonly #limits: Limits;
  readonly #library: Library;
  readonly #entries = new Map<string, Entry>();
  readonly #arrivals: RateLimiterMemory | null;
  readonly #bytes: RateLimiterMemory | null;

  constructor(of: Limited, limits: Limits, library: Library) {
    this.#of = of;
    this.#limits = limits;
    this.#library = library;
    const each = (points: number | undefined) =>
      points ? new library.RateLimiterMemory({ points, duration: SECOND }) : null;
    this.#arrivals = each(limits.newPerSecond);
    // What was spent stays known when the last connection has gone.
    this.#bytes = each(limits.bytesPerSecond);
  }

  async enter(key: string): Promise<Place> {
    const entry = this.#take(key);
    try {
      await this.#arrive(key);
    } catch (error) {
      this.#leave(key, entry);
      throw error;
    }
    let left = false;
    return {
      throttle: this.#throttle(key, entry, () => left),
      leave: () => {
        if (!left) this.#leave(key, entry);
        left = true;
      },
    };
  }

  #take(key: string): Entry {
    const { maxConnections } = this.#limits;
    const entry = this.#entries.get(key) ?? { connections: 0, queue: null };
    if (maxConnections && entry.connections >= maxConnections) {
      const connections = maxConnections === 1 ? "1 connection" : `${maxConnections} connections`;
      throw limited(`the ${this.#of} has ${connections}, as many as it may`);
    }
    entry.connections++;
    this.#entries.set(key, entry);
    return entry;
  }

  #leave(key: string, entry: Entry): void {
    if (--entry.connections === 0) this.#entries.delete(key);
  }

  async #arrive(key: string): Promise<void> {
    try {
      await this.#arrivals?.consume(key);
    } catch (error) {
      if (error instanceof Error) throw error;
      const { newPerSecond } = this.#limits;
      throw limited(`the ${this.#of} may have ${newPerSecond} new connections a second`);
    }
  }

  #throttle(key: string, entry: Entry, isOver: () => boolean): Throttle | undefined {
    const { bytesPerSecond } = this.#limits;
    if (this.#bytes === null || !bytesPerSecond) return undefined;
    // It keeps a line for each key for ever: so each has one for itself, for as long as it is here.
    const queue = entry.queue ??= new this.#library.RateLimiterQueue(this.#bytes);
    const part = Math.ceil(bytesPerSecond / PARTS);
    return async (bytes) => {
      for (let left = bytes; left > 0 && !isOver(); left -= part) {
        // The prefix: by the name of "constructor" it finds what no one put there.
        await queue.removeTokens(Math.min(left, part), `of ${key}`);
      }
    };
  }
}

/** Both of them, one after the other. */
export function throttleBy(places: readonly Place[]): Throttle | undefined {
  const all = places.flatMap(({ throttle }) => throttle === undefined ? [] : [throttle]);
  if (all.length < 2) return all[0];
  return async (bytes) => {
    for (const throttle of all) await throttle(bytes);
  };
}

function limited(message: string): TunnelRefused {
  return new TunnelRefused(TunnelCode.RATE_LIMITED, message);
}
