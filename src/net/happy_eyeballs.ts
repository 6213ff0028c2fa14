import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { NetError, toNetError } from "./error.ts";

/** One attempt to connect to one address. */
export interface Attempt<T> {
  readonly connected: Promise<T>;
  /** Gives it up, and what came of it. */
  abort(): void;
}

export interface RaceOptions<T> {
  /** In the order in which they are tried; not empty. */
  addresses: readonly string[];
  attempt: (address: string) => Attempt<T>;
  /** Gives all attempts up; its reason is what is thrown then. */
  signal?: AbortSignal;
  /** How long one attempt is waited for before the next begins beside it. */
  delayMs?: number;
}

// RFC 8305 §8: the recommended Connection Attempt Delay.
const DELAY_MS = 250;

/**
 * The addresses of a host, those of the two families in turn (RFC 8305 §4), beginning with the one
 * that the resolver prefers. Throws `NetError`.
 */
export async function addressesOf(hostname: string): Promise<string[]> {
  if (isIP(hostname) !== 0) return [hostname];
  let found: { address: string; family: number }[];
  try {
    found = await lookup(hostname, { all: true });
  } catch (error) {
    const { kind, message } = toNetError(error);
    throw new NetError(kind, kind === "unresolved" ? `no host ${hostname}` : message, error);
  }
  const preferred = found.filter(({ family }) => family === found[0].family);
  const others = found.filter(({ family }) => family !== found[0].family);
  return preferred.flatMap((one, i) => i < others.length ? [one, others[i]] : [one])
    .concat(others.slice(preferred.length))
    .map(({ address }) => address);
}

/**
 * Connects to the first address that answers (RFC 8305 §5): an attempt that is slow or fails lets
 * the next begin, the first that succeeds ends the others. Throws the error of the first attempt
 * when all fail.
 */
export function raceAddresses<T>(options: RaceOptions<T>): Promise<T> {
  return new Race(options).run();
}

class Race<T> {
  readonly #options: RaceOptions<T>;
  readonly #outcome = Promise.withResolvers<T>();
  readonly #running = new Set<Attempt<T>>();
  readonly #errors: unknown[] = [];
  #begun = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RaceOptions<T>) {
    this.#options = options;
  }

  run(): Promise<T> {
    const { signal } = this.#options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    signal?.addEventListener("abort", this.#givenUp, { once: true });
    this.#begin();
    return this.#outcome.promise;
  }

  readonly #givenUp = (): void => {
    this.#settle();
    this.#outcome.reject(this.#options.signal!.reason);
  };

  /** Begins the next attempt, if there is one, and soon the one behind it. */
  #begin(): void {
    const { addresses, attempt, delayMs = DELAY_MS } = this.#options;
    clearTimeout(this.#timer);
    if (this.#begun === addresses.length) return;
    const address = addresses[this.#begun++];
    if (this.#begun < addresses.length) this.#timer = setTimeout(() => this.#begin(), delayMs);
    try {
      this.#watch(attempt(address));
    } catch (error) {
      this.#failed(error);
    }
  }

  /** What comes of an attempt that was given up is not asked for. */
  #watch(attempt: Attempt<T>): void {
    this.#running.add(attempt);
    attempt.connected.then((value) => {
      if (!this.#running.delete(attempt)) return;
      this.#settle();
      this.#outcome.resolve(value);
    }, (error) => {
      if (this.#running.delete(attempt)) this.#failed(error);
    });
  }

  #failed(error: unknown): void {
    this.#errors.push(error);
    this.#begin();
    if (this.#running.size > 0) return;
    this.#settle();
    this.#outcome.reject(this.#errors[0]);
  }

  /** Begins no more, and gives up what still runs. */
  #settle(): void {
    const { addresses, signal } = this.#options;
    clearTimeout(this.#timer);
    signal?.removeEventListener("abort", this.#givenUp);
    this.#begun = addresses.length;
    for (const one of this.#running) one.abort();
    this.#running.clear();
  }
}
