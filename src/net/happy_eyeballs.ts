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
  const { addresses, attempt, signal, delayMs = DELAY_MS } = options;
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const running = new Set<Attempt<T>>();
  const errors: unknown[] = [];
  let begun = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const settle = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    begun = addresses.length;
    for (const one of running) one.abort();
    running.clear();
  };
  const onAbort = () => {
    settle();
    reject(signal!.reason);
  };
  const failed = (error: unknown) => {
    errors.push(error);
    begin();
    if (running.size > 0) return;
    settle();
    reject(errors[0]);
  };
  const begin = () => {
    clearTimeout(timer);
    if (begun === addresses.length) return;
    const address = addresses[begun++];
    if (begun < addresses.length) timer = setTimeout(begin, delayMs);
    try {
      const one = attempt(address);
      running.add(one);
      one.connected.then((value) => {
        if (!running.delete(one)) return;
        settle();
        resolve(value);
      }, (error) => {
        if (running.delete(one)) failed(error);
      });
    } catch (error) {
      failed(error);
    }
  };

  if (signal?.aborted) return Promise.reject(signal.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  begin();
  return promise;
}
