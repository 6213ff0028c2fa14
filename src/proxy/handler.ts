import { expectedTunnel } from "../ingress/handshake.ts";
import type { Offer, OfferRequest } from "../ingress/offer.ts";
import { isLooping } from "../protocol/http1/intermediary.ts";
import { Answerer, type AnswererOptions } from "./answerer.ts";
import { type Answer, LOOP, NO_CONNECT, NOT_FOUND, pathOf } from "./answers.ts";
import { Gate, type GateOptions } from "./authorize.ts";
import type { CmuxRoutes } from "./cmux_routes.ts";
import type { RejectReason } from "./observer.ts";
import { Requests, type RequestsOptions } from "./requests.ts";
import type { Routes } from "./routes.ts";
import { Tunnels, type TunnelsOptions } from "./tunnels.ts";
import { asksForTunnel, isConnect, withRequest } from "./wishes.ts";

export interface HandlerOptions
  extends AnswererOptions, TunnelsOptions, RequestsOptions, GateOptions {
  routes: Routes;
  /** Finds the ports of workspaces before the routes are asked; `null` where there are none. */
  cmux: CmuxRoutes | null;
  /** Whether ordinary requests go to backends too. */
  plain: boolean;
  /** Answers ordinary requests before the routes do; `null` leaves them to those. */
  page?: (request: OfferRequest) => Answer | null;
  /** Whether HTTP/2 is spoken, in clear text too. Default: it is. */
  http2?: boolean;
}

/** Over TLS it is not chosen; in clear text nobody can be asked before. */
const NO_HTTP2: Answer = { status: 505, text: "HTTP/2 is off" };
const HEALTHY: Answer = { status: 200, text: "ok" };
const HEALTH: ReadonlySet<string> = new Set(["/healthz", "/health/udp", "/health/tcp"]);

/** What becomes of each request, whichever door it came by. */
export class Handler {
  readonly #options: HandlerOptions;
  readonly #answerer: Answerer;
  readonly #requests: Requests;
  readonly #tunnels: Tunnels;

  constructor(options: HandlerOptions) {
    this.#options = options;
    this.#answerer = new Answerer(options);
    const gate = new Gate(options);
    this.#requests = new Requests(options, this.#answerer, gate);
    this.#tunnels = new Tunnels(options, this.#answerer, gate);
  }

  /** Sessions that are open now. */
  get sessions(): number {
    return this.#tunnels.sessions;
  }

  get draining(): boolean {
    return this.#tunnels.draining;
  }

  /** Takes no more tunnels. */
  drain(): void {
    this.#tunnels.draining = true;
  }

  /** The way of one request: answered here, or carried to a backend. */
  async take(offer: Offer): Promise<void> {
    const { request } = offer;
    const { cmux, http2 = true } = this.#options;
    if (request.http === "2" && !http2) {
      return await this.#answerer.respond(offer, rejection(request, NO_HTTP2, "protocol"));
    }
    // Workspaces may be looked up for a while.
    const startedMs = cmux === null ? undefined : performance.now();
    const found = cmux === null ? { kind: "none" as const, request } : await cmux.match(request);
    if (found.kind === "route") {
      const stripped = withRequest(offer, found.request);
      if (asksForTunnel(request)) {
        return await this.#tunnels.take(stripped, found.live, request.path);
      }
      return await this.#requests.take(stripped, found.live, request.path);
    }
    if (isHealthCheck(request)) {
      await this.#answerer.respondUntold(offer, HEALTHY);
      return;
    }
    const page = isRead(request) ? this.#options.page?.(request) ?? null : null;
    if (page !== null) return await this.#answerer.respond(offer, page, startedMs);
    if (found.kind === "refused") {
      const answer = rejection(request, found, "address");
      return await this.#answerer.respond(offer, answer, startedMs);
    }
    if (isConnect(request)) return await this.#answerer.respond(offer, NO_CONNECT);
    await this.#route(found.request === request ? offer : withRequest(offer, found.request));
  }

  async #route(offer: Offer): Promise<void> {
    const { request } = offer;
    const found = this.#options.routes.match(request);
    if (found === null) return await this.#answerer.respond(offer, notFound(request));
    if (isLooping(request)) {
      const rejected = asksForTunnel(request) ? { rejected: "path" as const } : {};
      return await this.#answerer.respond(offer, { ...LOOP, ...rejected });
    }
    if ("status" in found) {
      return await this.#answerer.respond(offer, rejection(request, found, "path"));
    }
    if (request.protocol !== null) return await this.#tunnels.take(offer, found.live, found.path);
    // Where no tunnels are taken, nobody is told to ask for one.
    if (!this.#options.plain && !this.#tunnels.takes(request)) {
      return await this.#answerer.respond(offer, NOT_FOUND);
    }
    if (!this.#options.plain) return await this.#answerer.respond(offer, expectedTunnel(request));
    await this.#requests.take(offer, found.live, found.path);
  }
}

function isRead({ method, protocol }: OfferRequest): boolean {
  return protocol === null && (method === "GET" || method === "HEAD");
}

function isHealthCheck(request: OfferRequest): boolean {
  return isRead(request) && HEALTH.has(pathOf(request.path));
}

/** Only what was to be a session is counted among those that were refused. */
function rejection(
  request: OfferRequest,
  { status, text }: { status: number; text: string },
  reason: RejectReason,
): Answer {
  return { status, text, ...(asksForTunnel(request) && { rejected: reason }) };
}

function notFound({ protocol }: OfferRequest): Answer {
  if (protocol === null) return NOT_FOUND;
  return { status: 404, text: "path not allowed", rejected: "path" };
}
