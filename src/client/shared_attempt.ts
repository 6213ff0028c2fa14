import { abortError, orAborted } from "./http_client.ts";

/** An attempt that several may wait for; it is given up once nobody does. */
export class SharedAttempt<T> {
  #current: { outcome: Promise<T>; waiting: number; cancel: AbortController } | null = null;

  /** Joins the attempt that goes on, or begins one. Each gives up alone, by its own signal. */
  async join(start: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    if (signal.aborted) throw abortError(signal);
    const current = this.#current ?? this.#begin(start);
    current.waiting++;
    try {
      const value = await orAborted(current.outcome, signal);
      current.waiting--;
      return value;
    } catch (error) {
      if (--current.waiting === 0) current.cancel.abort();
      throw error;
    }
  }

  #begin(start: (signal: AbortSignal) => Promise<T>) {
    const cancel = new AbortController();
    const current = { outcome: start(cancel.signal), waiting: 0, cancel };
    this.#current = current;
    const over = () => {
      if (this.#current === current) this.#current = null;
    };
    current.outcome.then(over, over);
    // What is given up by all is joined by none.
    cancel.signal.addEventListener("abort", over, { once: true });
    return current;
  }
}
