import type { LoadClock } from "./load_clock.ts";
import type { Work } from "./load_loops.ts";
import type { LoadOptions } from "./load_options.ts";

/** The n-th socket, from 0, in place `index` of `step`. */
export interface Session {
  readonly n: number;
  readonly index: number;
  readonly step: number;
}

/** How long each socket of a load lives, where that is not to the end. */
export class Churn {
  readonly #ms: number;
  readonly #messages: number;

  constructor({ sessionMs = 0, sessionMessages = 0 }: LoadOptions) {
    this.#ms = sessionMs || Infinity;
    this.#messages = sessionMessages || Infinity;
  }

  get isOn(): boolean {
    return this.#ms < Infinity || this.#messages < Infinity;
  }

  /**
   * One socket's part of the work. The first in each place ends at an even share of its life, so that
   * they do not all end at once.
   */
  session(work: Work, { n, index, step }: Session): Work {
    if (!this.isOn) return work;
    const share = n === 0 ? (index + 1) / step : 1;
    const endMs = Math.min(work.endMs, work.clock.now() + this.#ms * share);
    let left = Math.ceil(this.#messages * share);
    return {
      ...work,
      endMs,
      take: () => left > 0 && work.take() && left-- > 0,
    };
  }
}

/** So much may be caught up on, where opening was slower than its rate. */
const LAG_MS = 1_000;

/** Lets one after the other go on, so many in a second; 0 for all at once. */
export class Pace {
  readonly #perSecond: number;
  readonly #clock: LoadClock;
  #dueMs = -Infinity;

  constructor(perSecond: number, clock: LoadClock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
  }

  /** Resolves when the next one may go on; at once when `signal` fires. */
  next(signal: AbortSignal): Promise<void> {
    if (this.#perSecond === 0) return Promise.resolve();
    const nowMs = this.#clock.now();
    const first = this.#dueMs === -Infinity;
    this.#dueMs = first ? nowMs : Math.max(this.#dueMs + 1000 / this.#perSecond, nowMs - LAG_MS);
    return this.#clock.sleep(this.#dueMs - nowMs, signal);
  }
}
