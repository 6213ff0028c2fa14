import type { ByteStream } from "../net/byte_stream.ts";
import { Cancel, type CancelSignal } from "../net/cancel.ts";
import { NetError } from "../net/error.ts";
import { readAhead } from "../net/unread.ts";

/** A client that waits for its target. */
export interface WaitingClient {
  /** What is to be read from now on, in place of what was watched. */
  readonly stream: ByteStream;
  /** Fires when it leaves before anything of it is read. */
  readonly gone: CancelSignal;
}

/**
 * Watches a client to which nothing was promised yet. TCP does not tell one that closes from one
 * that only ends its side: that is for the caller to say.
 */
export function watchClient(
  stream: ByteStream,
  { goneAtFin }: { goneAtFin: boolean },
): WaitingClient {
  const gone = new Cancel();
  const leave = () => gone.abort(new NetError("aborted", "the client is gone"));
  const { stream: watched, first } = readAhead(stream);
  first.then((chunk) => {
    if (chunk === null && goneAtFin) leave();
  }, leave);
  return { stream: watched, gone };
}
