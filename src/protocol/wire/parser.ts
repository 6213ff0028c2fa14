/**
 * The one shape of every parser, so that one fuzz driver runs them all.
 *
 * `push` hands over the next bytes; `next` gives events until it gives `null`, which means that it
 * needs more. Only then may `push` be called again. Bytes in an event are views that hold until
 * the next `push`. What a peer did wrong is thrown as a `PeerError`, by `next` or by `end`.
 */
export interface Parser<Event> {
  push(chunk: Uint8Array): void;
  next(): Event | null;
  /** Says that no more bytes come; throws if something is cut off. */
  end(): void;
  /** The most bytes it ever holds back of its own. */
  readonly limit: number;
  /** How many bytes it holds back now. Never more than `limit`. */
  readonly buffered: number;
}
