// Times and limits that a program gives.

/** The longest that a timer takes: with more it fires at once (WHATWG HTML §8.6: a `long`). */
const MAX_TIMER_MS = 2 ** 31 - 1;

const TOLD: ReadonlySet<string> = new Set(["maxStreams", "maxHeaderBytes", "altSvcPort"]);

/** A time as a timer takes it: 24 days stand for all that is longer, `Infinity` too. */
export function timerMs(ms: number): number {
  return Math.min(ms, MAX_TIMER_MS);
}

/** A signal that fires after so long, `Infinity` for never; throws `TypeError` for what is no time. */
export function timeoutSignal(name: string, ms: number): AbortSignal {
  checkNumbers({ [name]: ms });
  return AbortSignal.timeout(timerMs(ms));
}

/**
 * Throws `TypeError` for a number below 0 or none: a NaN would be a limit that nothing is above, and no
 * deadline. `Infinity` is no limit, but for those that peers are told.
 */
export function checkNumbers(given: object): void {
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== "number" || (value >= 0 && value < Infinity)) continue;
    if (value === Infinity && !TOLD.has(name)) continue;
    throw new TypeError(`${name}: ${value} is not a number of 0 or more`);
  }
}

/** The same times, of which 0 is none: `Infinity`. */
export function offAtZero<T extends object>(given: T, names: readonly (keyof T)[]): T {
  const off = names.filter((name) => given[name] === 0).map((name) => [name, Infinity]);
  return { ...given, ...Object.fromEntries(off) };
}
