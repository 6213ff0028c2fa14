import { timerMs } from "../net/numbers.ts";
import { abortError } from "./http_client.ts";

type Work<T> = (signal: AbortSignal) => Promise<T>;

/** Two ways to the same end, of which the first is preferred. */
export interface HeadStart<T> {
  preferred: Work<T>;
  other: Work<T>;
  /** How long the other waits for the preferred one, unless that fails before. */
  headStartMs: number;
  /** Gives both up. */
  signal: AbortSignal;
  /** The preferred one failed, or the other was faster in spite of its head start. */
  onLost: () => void;
  /** Gets what nobody wants any more. */
  late: (value: T) => void;
}

/** What comes first; the other one is given up. Throws what `other` throws when both fail. */
export async function withHeadStart<T>(options: HeadStart<T>): Promise<T> {
  const { preferred, other, headStartMs, signal, onLost, late } = options;
  const cancel = new AbortController();
  const either = AbortSignal.any([signal, cancel.signal]);
  const first = preferred(either);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const begun = new Promise<void>((resolve) => timer = setTimeout(resolve, timerMs(headStartMs)));
  // Where the first succeeds the second is never begun.
  const failed = first.then(() => new Promise<void>(() => {}), () => {});
  const second = Promise.race([begun, failed]).then(() => other(either));
  try {
    const winner = await Promise.any([
      first.then((value) => ({ value, isPreferred: true })),
      second.then((value) => ({ value, isPreferred: false })),
    ]);
    if (!winner.isPreferred) onLost();
    (winner.isPreferred ? second : first).then(late, () => {});
    return winner.value;
  } catch (error) {
    if (signal.aborted) throw abortError(signal);
    onLost();
    throw (error as AggregateError).errors[1];
  } finally {
    clearTimeout(timer);
    cancel.abort();
  }
}
