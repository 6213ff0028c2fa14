import type { OfferRequest } from "../ingress/offer.ts";
import { NetError } from "../net/error.ts";
import { BackendError, type BackendTarget } from "./backend.ts";
import type { LiveRoute } from "./routes.ts";

/**
 * Asks the backends of a route one after the other, until one can be dialled.
 *
 * @throws {BackendError} of the last one
 */
export async function firstReachable<T>(
  live: LiveRoute,
  request: OfferRequest,
  ask: (target: BackendTarget) => Promise<T>,
): Promise<T> {
  let failure: BackendError | null = null;
  for (const target of live.upstream.order(request)) {
    try {
      return await ask(target);
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      // One that has no place for more is not down.
      if (error.status !== 503) live.upstream.failed(target, error.message);
      failure = error;
      // What it was asked for may have been done: only who was never reached leaves it to the next.
      if (error.stage !== "backend_dial") break;
    }
  }
  throw failure ?? noBackend(live);
}

function noBackend({ route }: LiveRoute): BackendError {
  const message = `Route ${route.name} has no backend`;
  return new BackendError("backend_dial", message, new NetError("refused", message));
}
