/** How those who fail to authenticate are slowed down. */
export interface TriesOptions {
  /** Failures that cost nothing yet. */
  free?: number;
  /** The wait behind the next one; each doubles it. */
  delayMs?: number;
  maxDelayMs?: number;
  /** Without a failure for so long it is forgotten. */
  forgetMs?: number;
  /** How many addresses and users are remembered; above that the oldest are forgotten. */
  most?: number;
  nowMs?: () => number;
}

interface Failures {
  count: number;
  lastMs: number;
}

/** Failures to authenticate by whom they were: an address, or the name of a user. */
export class Tries {
  readonly #options: Required<TriesOptions>;
  /** In the order of the last failure. */
  readonly #failures = new Map<string, Failures>();

  constructor(options: TriesOptions = {}) {
    this.#options = {
      free: 5,
      delayMs: 1_000,
      maxDelayMs: 300_000,
      forgetMs: 900_000,
      most: 10_000,
      nowMs: () => performance.now(),
      ...options,
    };
  }

  /** By the clock that it goes by. */
  get nowMs(): number {
    return this.#options.nowMs();
  }

  /** Milliseconds until one of these may try again; 0 for now. */
  waitMs(keys: readonly string[]): number {
    return Math.max(0, ...keys.map((key) => this.#waitMs(key)));
  }

  #waitMs(key: string): number {
    const { free, delayMs, maxDelayMs, forgetMs, nowMs } = this.#options;
    const failures = this.#failures.get(key);
    if (failures === undefined) return 0;
    const sinceMs = nowMs() - failures.lastMs;
    if (sinceMs >= forgetMs) this.#failures.delete(key);
    if (failures.count <= free) return 0;
    const delay = Math.min(maxDelayMs, delayMs * 2 ** (failures.count - free - 1));
    return Math.max(0, delay - sinceMs);
  }

  failed(keys: readonly string[]): void {
    const { most, nowMs } = this.#options;
    for (const key of keys) {
      const count = (this.#failures.get(key)?.count ?? 0) + 1;
      this.#failures.delete(key);
      this.#failures.set(key, { count, lastMs: nowMs() });
      if (this.#failures.size > most) this.#failures.delete(this.#failures.keys().next().value!);
    }
  }

  succeeded(keys: readonly string[]): void {
    for (const key of keys) this.#failures.delete(key);
  }
}
