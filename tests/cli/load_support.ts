import { setImmediate } from "node:timers/promises";
import type { LoadClock } from "../../src/cli/load_clock.ts";
import type { EchoSocket } from "../../src/cli/load_loops.ts";
import type { Message } from "../../src/endpoint/socket.ts";

/** Time that stands still until nobody has anything left to do, and then goes to the next sleeper. */
export class FakeClock implements LoadClock {
  #nowMs = 0;
  #sleepers: { atMs: number; wake: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms <= 0 || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = { atMs: this.#nowMs + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", () => {
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
        resolve();
      }, { once: true });
    });
  }

  /** Lets time pass until `work` is done. */
  async run<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = () => isDone = true;
    work.then(done, done);
    for (;;) {
      // A macrotask: all that can go on without time has gone on by then.
      await setImmediate();
      if (isDone) return await work;
      const next = this.#sleepers.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) throw new Error("Nobody sleeps, and nothing goes on");
      this.#nowMs = next.atMs;
      const due = this.#sleepers.filter(({ atMs }) => atMs <= this.#nowMs);
      this.#sleepers = this.#sleepers.filter(({ atMs }) => atMs > this.#nowMs);
      for (const { wake } of due) wake();
    }
  }
}

/** How a server of the tests answers: `serviceMs` after it came, but nothing while it stalls. */
export interface Stall {
  serviceMs: number;
  fromMs: number;
  toMs: number;
}

/** An echo in a clock's time. Nothing is held back from being sent. */
export function stallingEcho(clock: FakeClock, { serviceMs, fromMs, toMs }: Stall): EchoSocket {
  const echoes: Message[] = [];
  let waiting: ((message: Message) => void) | null = null;
  const answer = async (message: Message) => {
    const doneMs = clock.now() + serviceMs;
    await clock.sleep((doneMs >= fromMs && doneMs < toMs ? toMs : doneMs) - clock.now());
    if (waiting === null) return void echoes.push(message);
    waiting(message);
    waiting = null;
  };
  return {
    send(message) {
      void answer(message);
      return Promise.resolve();
    },
    receive() {
      const echo = echoes.shift();
      if (echo !== undefined) return Promise.resolve(echo);
      return new Promise((resolve) => waiting = resolve);
    },
  };
}
