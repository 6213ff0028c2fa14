const PERIOD_MS = 500;
const WINDOW_MS = 15_000;

export interface EventLoopLagOptions {
  /** Milliseconds between two looks at the clock. Default 500. */
  periodMs?: number;
  /** The lag is the longest of so many milliseconds, to outlast a scrape interval. Default 15 s. */
  windowMs?: number;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
}

/**
 * How late the event loop is: one coarse timer looks how long after its time it fires. While it is
 * late, every session waits.
 */
export class EventLoopLag {
  readonly #periodMs: number;
  readonly #now: () => number;
  readonly #samples: Float64Array;
  #next = 0;
  #due = Infinity;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor({ periodMs = PERIOD_MS, windowMs = WINDOW_MS, now }: EventLoopLagOptions = {}) {
    this.#periodMs = periodMs;
    this.#now = now ?? (() => performance.now());
    this.#samples = new Float64Array(Math.max(1, Math.ceil(windowMs / periodMs)));
  }

  /** The longest lag within the window, in seconds. One that lasts right now counts too. */
  get seconds(): number {
    let worst = Math.max(0, this.#now() - this.#due);
    for (const sample of this.#samples) worst = Math.max(worst, sample);
    return worst / 1000;
  }

  /** Starts the timer, which does not keep the process alive. */
  start(): void {
    if (this.#timer === null) this.#arm();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#due = Infinity;
  }

  #arm(): void {
    this.#due = this.#now() + this.#periodMs;
    const timer = setTimeout(() => {
      this.#samples[this.#next] = Math.max(0, this.#now() - this.#due);
      this.#next = (this.#next + 1) % this.#samples.length;
      this.#arm();
    }, this.#periodMs);
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }
}
