import type { Content, Offer, OfferRequest } from "../ingress/offer.ts";
import { NetError } from "../net/error.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { type Answerer, requestOf } from "./answerer.ts";
import { TOO_MANY_REQUESTS } from "./answers.ts";
import type { Gate, Verdict } from "./authorize.ts";
import { BackendError } from "./backend.ts";
import { ClientShares } from "./client_shares.ts";
import { forward } from "./forward.ts";
import type { Observer } from "./observer.ts";
import { firstReachable } from "./reachable.ts";
import type { LiveRoute } from "./routes.ts";
import { withRequest } from "./wishes.ts";

export interface RequestsOptions {
  /** Whose X-Forwarded-* and Forwarded are believed, by IP address. */
  trustedProxies?: (ip: string) => boolean;
  /** Ordinary requests of one client at once; 0 for no limit. */
  maxRequestsPerClient: number;
  observer: Observer;
}

/** Methods whose requests rarely have content. */
const RARELY_CONTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"]);

/** Ordinary requests on their way to backends. */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #answerer: Answerer;
  readonly #gate: Gate;
  readonly #shares: ClientShares;

  constructor(options: RequestsOptions, answerer: Answerer, gate: Gate) {
    const { maxRequestsPerClient: limit, trustedProxies: exempt } = options;
    this.#options = options;
    this.#answerer = answerer;
    this.#gate = gate;
    this.#shares = new ClientShares({ limit, exempt });
  }

  /** An ordinary request, unless its client has too many under way. */
  async take(offer: Offer, live: LiveRoute, path: string): Promise<void> {
    const release = this.#shares.take(offer.request.remote);
    if (release === null) return await this.#answerer.respond(offer, TOO_MANY_REQUESTS);
    try {
      await this.#carry(offer, live, path);
    } finally {
      release();
    }
  }

  /** To the first backend that can be reached. */
  async #carry(offer: Offer, live: LiveRoute, path: string): Promise<void> {
    const { request } = offer;
    const startedMs = performance.now();
    const whole = await this.#settle(offer);
    if (whole === null) return this.#answerer.givenUp(request, startedMs);
    const verdict = await this.#gate.admit(whole, path);
    if (verdict.kind !== "admitted") return await this.#turnAway(whole, verdict, startedMs);
    const settled = verdict.path === request.path
      ? whole
      : withRequest(whole, { ...request, path: verdict.path });
    const { trustedProxies } = this.#options;
    const responseRules = () => this.#answerer.responseRules(request, live);
    const rules = {
      request: { ...verdict.rules(live.requestRules), trustedProxies },
      // As they are when the answer comes, which may be late.
      get response() {
        return responseRules();
      },
    };
    try {
      await firstReachable(live, request, async (target) => {
        const release = live.upstream.take(target);
        try {
          const result = await forward(settled, { ...target, pool: live.poolOf(target) }, rules);
          if (result.reached) live.upstream.succeeded(target);
          this.#forwarded(request, target.url, { ...result, startedMs });
        } finally {
          release();
        }
      });
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      await this.#answerer.requestUnreachable(offer, live, { error, startedMs });
    }
  }

  async #turnAway(offer: Offer, verdict: Verdict, startedMs: number): Promise<void> {
    if (verdict.kind === "refused") {
      await this.#answerer.respond(offer, verdict.answer, startedMs);
    } else if (verdict.kind === "failed") {
      await this.#answerer.respondFailed(offer, verdict.answer, startedMs);
    } else {
      this.#answerer.givenUp(offer.request, startedMs, "is gone");
    }
  }

  #forwarded(
    request: OfferRequest,
    backend: string,
    { startedMs, status, toBackendBytes, toClientBytes, broken }:
      & Awaited<ReturnType<typeof forward>>
      & { startedMs: number },
  ): void {
    this.#options.observer.requestEnded({
      ...requestOf(request),
      backend,
      status,
      durationMs: performance.now() - startedMs,
      toBackendBytes,
      toClientBytes,
      broken: broken === null ? "" : `${broken.by}: ${broken.reason}`,
    });
  }

  /** The offer with content only where there is some. */
  async #settle(offer: Offer): Promise<Offer | null> {
    const { request } = offer;
    let { content } = offer;
    if (content !== null && rarelyHas(request.method, content.length)) {
      try {
        const begun = beginning(content).then((content) => ({ content }));
        const inTime = await this.#answerer.inTime(offer, begun);
        // It has not said that there is no more: what it asks for is not known.
        if (inTime === null) return null;
        content = inTime.content;
      } catch (error) {
        if (error instanceof NetError || error instanceof PeerError) return null;
        throw error;
      }
    }
    return content === offer.content ? offer : withRequest(offer, request, content);
  }
}

/** Of a length of 0 the end is waited for: more would be an error (RFC 9110 §8.6). */
function rarelyHas(method: string, length: number | null): boolean {
  return length === 0 || length === null && RARELY_CONTENT.has(method);
}

/**
 * RFC 9114 §4.1: over HTTP/3 only the stream's end tells that a request without Content-Length has
 * no content. `null` then.
 */
async function beginning(content: Content): Promise<Content | null> {
  let first = await content.read();
  if (first === null) return null;
  return {
    length: null,
    get trailers() {
      return content.trailers;
    },
    read() {
      const part = first;
      if (part === null) return content.read();
      first = null;
      return Promise.resolve(part);
    },
    cancel: () => content.cancel(),
  };
}
