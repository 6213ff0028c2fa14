import type { Message } from "../endpoint/message.ts";
import { NetError } from "../net/error.ts";
import type { Clock } from "./reconnecting_options.ts";

interface Waiting {
  readonly data: Message;
  readonly done: PromiseWithResolvers<void>;
  /** Takes its deadline away. */
  readonly forget: () => void;
}

/** Messages that wait for a connection, in the order of the calls. */
export class WaitingSends {
  readonly #clock: Clock;
  readonly #waitMs: number;
  readonly #max: number;
  readonly #queue = new Set<Waiting>();

  constructor({ clock, waitMs, max }: { clock: Clock; waitMs: number; max: number }) {
    this.#clock = clock;
    this.#waitMs = waitMs;
    this.#max = max;
  }

  /** Settles with what becomes of it; rejects when it waits too long, or too many do. */
  wait(data: Message): Promise<void> {
    if (this.#queue.size >= this.#max) {
      const text = `Cannot send: ${this.#max} messages wait for a connection`;
      return Promise.reject(new NetError("lost", text));
    }
    const done = Promise.withResolvers<void>();
    const forget = this.#clock.after(this.#waitMs, () => {
      this.#queue.delete(waiting);
      const text = `Cannot send: no connection within ${this.#waitMs} ms`;
      done.reject(new NetError("timeout", text));
    });
    const waiting: Waiting = { data, done, forget };
    this.#queue.add(waiting);
    return done.promise;
  }

  /** All of them go. */
  flush(send: (data: Message) => Promise<void>): void {
    for (const { data, done } of this.#take()) send(data).then(done.resolve, done.reject);
  }

  /** None of them goes. */
  fail(error: NetError): void {
    for (const { done } of this.#take()) done.reject(error);
  }

  #take(): Waiting[] {
    const all = [...this.#queue];
    this.#queue.clear();
    for (const { forget } of all) forget();
    return all;
  }
}
