import { pause } from "../net/pause.ts";

/** Time as the load sees it, so that a test can pass its own. */
export interface LoadClock {
  /** Milliseconds since any fixed moment. */
  now(): number;
  /**
   * Resolves after about so many milliseconds, at once for none or fewer, early when `signal` fires.
   */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The time of the process. */
export const systemClock: LoadClock = { now: () => performance.now(), sleep: pause };
