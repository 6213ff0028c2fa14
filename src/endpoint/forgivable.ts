/**
 * `work`, which nobody needs to wait for: whoever does not is not told that it failed, and the process
 * does not end by it. Who waits is.
 */
export function forgivable<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}
