import { setImmediate } from "node:timers";

/** Timers and the clock in the hands of a test, until it is disposed. */
export class FakeTime {
  readonly #real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    setInterval: globalThis.setInterval,
    clearInterval: globalThis.clearInterval,
    now: performance.now.bind(performance),
  };
  readonly #timers = new Map<number, { atMs: number; everyMs: number | null; run: () => void }>();
  #nowMs = 0;
  #nextId = 1;

  constructor() {
    const add = (run: () => void, afterMs = 0, everyMs: number | null = null) => {
      this.#timers.set(this.#nextId, { atMs: this.#nowMs + afterMs, everyMs, run });
      return this.#nextId++;
    };
    const clear = (id?: unknown) => void this.#timers.delete(Number(id));
    Object.assign(globalThis, {
      setTimeout: (run: () => void, afterMs?: number) => add(run, afterMs),
      setInterval: (run: () => void, everyMs: number) => add(run, everyMs, everyMs),
      clearTimeout: clear,
      clearInterval: clear,
    });
    performance.now = () => this.#nowMs;
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Runs what is due within so long, and what comes of it. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await this.turn();
      const due = [...this.#timers].filter(([, { atMs }]) => atMs <= endMs)
        .sort(([, a], [, b]) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      const [id, timer] = due;
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      if (timer.everyMs === null) this.#timers.delete(id);
      else timer.atMs += timer.everyMs;
      timer.run();
    }
    this.#nowMs = endMs;
    await this.turn();
  }

  /** Time passes in which nothing runs; then each timer that was due runs, before all else. */
  stop(ms: number): void {
    this.#nowMs += ms;
    for (const timer of [...this.#timers.values()]) {
      if (timer.atMs > this.#nowMs) continue;
      timer.atMs = this.#nowMs + (timer.everyMs ?? Infinity);
      timer.run();
    }
  }

  /** Lets run what is ready. */
  async turn(): Promise<void> {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  [Symbol.dispose](): void {
    const { now, ...timers } = this.#real;
    Object.assign(globalThis, timers);
    performance.now = now;
  }
}
