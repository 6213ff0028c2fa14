import { timerMs } from "./numbers.ts";

/** Something with a deadline. `sweep` is called again and again with the time in milliseconds. */
export interface Swept {
  /** Called at each sweep. */
  sweep(nowMs: number): void;
}

/**
 * One coarse timer for everything that waits: no session has a timer of its own. A deadline is
 * met at most one interval late.
 */
export class Sweeper {
  #intervalMs: number;
  readonly #entries = new Set<Swept>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #now = performance.now();

  /** It runs only while something is in it. */
  constructor(intervalMs: number) {
    this.#intervalMs = timerMs(intervalMs);
  }

  /** Between two sweeps. */
  get intervalMs(): number {
    return this.#intervalMs;
  }

  /** The time at the last sweep: good enough for a deadline, and free. */
  get nowMs(): number {
    return this.#timer === null ? performance.now() : this.#now;
  }

  /** How much is in it. */
  get size(): number {
    return this.#entries.size;
  }

  /** Takes up what is to be swept. */
  add(entry: Swept): void {
    this.#entries.add(entry);
    if (this.#timer === null) {
      this.#now = performance.now();
      this.#timer = setInterval(() => this.#sweep(), this.#intervalMs);
    }
  }

  /** From now on no deadline is met later than that. */
  quicken(intervalMs: number): void {
    if (intervalMs >= this.#intervalMs) return;
    this.#intervalMs = intervalMs;
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#sweep(), intervalMs);
  }

  /** Lets it go. */
  delete(entry: Swept): void {
    this.#entries.delete(entry);
  }

  #sweep(): void {
    this.#now = performance.now();
    for (const entry of this.#entries) entry.sweep(this.#now);
    if (this.#entries.size === 0) this.stop();
  }

  /** Stops the timer, until something is added. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

/** Calls back once if not cleared before: for what has but a deadline. */
export class Deadline implements Swept {
  readonly #sweeper: Sweeper;
  readonly #atMs: number;
  readonly #late: () => void;

  constructor(sweeper: Sweeper, afterMs: number, late: () => void) {
    this.#sweeper = sweeper;
    // Not that of the last sweep: it would be met up to one interval early.
    this.#atMs = performance.now() + afterMs;
    this.#late = late;
    sweeper.add(this);
  }

  sweep(nowMs: number): void {
    if (nowMs < this.#atMs) return;
    this.#sweeper.delete(this);
    this.#late();
  }

  clear(): void {
    this.#sweeper.delete(this);
  }
}

/**
 * What `work` gives; or what `late` gives, or throws, if it takes longer than `afterMs`: then nobody
 * waits for `work` any more, which goes on.
 */
export async function inTime<T, L>(
  work: Promise<T>,
  { sweeper, afterMs, late }: { sweeper: Sweeper; afterMs: number; late: () => L },
): Promise<T | L> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const deadline = new Deadline(sweeper, afterMs, resolve);
  try {
    return await Promise.race([work, promise.then(late)]);
  } finally {
    deadline.clear();
  }
}
