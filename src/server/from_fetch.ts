import type { FetchHandler, FetchInfo } from "./fetch.ts";

/** An application of a framework that answers a `Request` with a `Response`: Hono, Oak, itty. */
export interface FetchApp {
  /** Its own handler; the second argument is what Hono gives as `c.env`. */
  // deno-lint-ignore no-explicit-any -- frameworks want other things there, and more of them
  fetch(request: Request, info?: any): unknown;
}

/**
 * The `fetch` option for an application, which then gets its ordinary requests over all versions of
 * HTTP. 404 where it has no answer.
 */
export function fromFetch(app: FetchApp): FetchHandler {
  return async (request: Request, info: FetchInfo) => {
    const response = await app.fetch(request, info);
    if (response === undefined || response === null) {
      return new Response("Not Found\n", { status: 404 });
    }
    return response as Response;
  };
}
