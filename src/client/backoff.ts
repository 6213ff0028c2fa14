/** How long to wait before a retry. */
export interface BackoffOptions {
  /** The longest wait before the first retry; default 500 ms. */
  minDelayMs?: number;
  /** The longest wait before any; default 30 s. */
  maxDelayMs?: number;
  /** How many times the longest wait grows with each retry; default 2. */
  factor?: number;
  /** A number from 0 up to 1; default `Math.random`. */
  random?: () => number;
}

/**
 * The wait before the `retry`th in a row, from 1: with full jitter, that is anything up to the
 * longest, so that those who lost a server at one instant do not come back at one.
 *
 * @throws {RangeError} for bounds that are none
 */
export function backoff(options: BackoffOptions): (retry: number) => number {
  const { minDelayMs = 500, maxDelayMs = 30_000, factor = 2, random = Math.random } = options;
  if (!(minDelayMs >= 0 && maxDelayMs >= minDelayMs)) {
    const given = `minDelayMs ${minDelayMs}, maxDelayMs ${maxDelayMs}`;
    throw new RangeError(`${given}: expected 0 or more, and maxDelayMs not below minDelayMs`);
  }
  if (!(factor >= 1)) throw new RangeError(`factor ${factor}: expected 1 or more`);
  return (retry) => {
    if (minDelayMs === 0) return 0;
    return random() * Math.min(maxDelayMs, minDelayMs * factor ** (retry - 1));
  };
}
