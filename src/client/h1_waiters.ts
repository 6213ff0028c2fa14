import type { CancelSignal } from "../net/cancel.ts";
import { NetError } from "../net/error.ts";
import type { Sweeper, Swept } from "../net/sweeper.ts";
import type { H1Connection } from "./h1_connection.ts";

/** A request that waits for a connection. */
export interface Waiter {
  /** Whether only a connection that was not used before will do. */
  readonly fresh: boolean;
  /** Hands over a connection, or the right to dial one. */
  readonly resolve: (connection: H1Connection | null) => void;
}

interface Entry extends Waiter {
  readonly untilMs: number;
  readonly reject: (error: unknown) => void;
}

/** Requests that wait, each for no longer than a timeout; who came first is served first. */
export class Waiters implements Swept {
  readonly #sweeper: Sweeper;
  readonly #timeoutMs: number;
  readonly #entries: Entry[] = [];

  constructor(sweeper: Sweeper, timeoutMs: number) {
    this.#sweeper = sweeper;
    this.#timeoutMs = timeoutMs;
  }

  get size(): number {
    return this.#entries.length;
  }

  /**
   * A connection, or `null` for the right to dial one. Rejects with `NetError` of kind "busy",
   * or with the signal's reason.
   */
  async wait(signal: CancelSignal, fresh: boolean): Promise<H1Connection | null> {
    const { promise, resolve, reject } = Promise.withResolvers<H1Connection | null>();
    const entry = { fresh, resolve, reject, untilMs: performance.now() + this.#timeoutMs };
    const onAbort = () => this.#refuse(entry, signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#entries.push(entry);
    this.#sweeper.add(this);
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Takes out the one that has waited for longest. */
  next(): Waiter | undefined {
    const entry = this.#entries.shift();
    this.#settle();
    return entry;
  }

  #refuse(entry: Entry, error: unknown): void {
    const at = this.#entries.indexOf(entry);
    if (at < 0) return;
    this.#entries.splice(at, 1);
    this.#settle();
    entry.reject(error);
  }

  #settle(): void {
    if (this.#entries.length === 0) this.#sweeper.delete(this);
  }

  sweep(nowMs: number): void {
    const message = `no connection was free within ${this.#timeoutMs} ms`;
    for (const entry of this.#entries.filter(({ untilMs }) => untilMs <= nowMs)) {
      this.#refuse(entry, new NetError("busy", message));
    }
  }
}
