import type { Content, Offer, OfferRequest, Tunnel } from "../ingress/offer.ts";
import { messageOf, NetError } from "../net/error.ts";
import { sha1 } from "../net/sha1.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";
import { acceptFor } from "../protocol/websocket/handshake.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { getField } from "../protocol/wire/field.ts";
import {
  type Answer,
  expectedTunnel,
  NO_CONNECT,
  NOT_FOUND,
  pathOf,
  refuseTunnel,
  RETRY_AFTER,
} from "./answers.ts";
import { askBackends, type Asked, UpgradeContentTooLarge } from "./ask.ts";
import { BackendError } from "./backend.ts";
import type { CmuxRoutes } from "./cmux_routes.ts";
import { forward } from "./forward.ts";
import { acceptedFields, clientKey, refusalFields, type ResponseRules } from "./headers.ts";
import type { Observer } from "./observer.ts";
import { closeForReload, type LiveRoute, type RouteDefaults, type Routes } from "./routes.ts";
import { Session } from "./session.ts";

export interface HandlerOptions extends RouteDefaults {
  routes: Routes;
  /** Finds the ports of workspaces before the routes are asked; `null` where there are none. */
  cmux: CmuxRoutes | null;
  /** Sessions at once, with those that are being dialled; 503 above it. */
  maxSessions: number;
  /** Whether ordinary requests go to backends too. */
  plain: boolean;
  /** The versions by which tunnels are taken. */
  tunnels: { readonly h1: boolean; readonly h2: boolean; readonly h3: boolean };
  /** Whose X-Forwarded-* and Forwarded are believed, by IP address. */
  trustedProxies?: (ip: string) => boolean;
  /** What Alt-Svc says to a client that came by this version; `null` for nothing. */
  altSvc: (http: OfferRequest["http"]) => string | null;
  /** Answers ordinary requests before the routes do; `null` leaves them to those. */
  page?: (request: OfferRequest) => Answer | null;
  observer: Observer;
  sweeper: Sweeper;
}

const HEALTH: ReadonlySet<string> = new Set(["/healthz", "/health/udp", "/health/tcp"]);

/** What becomes of each request, whichever door it came by. */
export class Handler {
  readonly #options: HandlerOptions;
  /** Sessions and those that are being dialled. */
  #taken = 0;
  #sessions = 0;
  #nextId = 1;
  draining = false;

  constructor(options: HandlerOptions) {
    this.#options = options;
  }

  /** Sessions that are open now. */
  get sessions(): number {
    return this.#sessions;
  }

  /** The way of one request: answered here, or carried to a backend. */
  async take(offer: Offer): Promise<void> {
    const { request } = offer;
    const { cmux } = this.#options;
    const found = cmux === null ? { kind: "none" as const, request } : await cmux.match(request);
    if (found.kind === "route") {
      const stripped = withRequest(offer, found.request);
      if (asksForTunnel(request)) return await this.#tunnel(stripped, found.live, request.path);
      return await this.#forward(stripped, found.live, request.path);
    }
    const page = this.#page(request);
    if (page !== null) return await this.#respond(offer, page);
    if (found.kind === "refused") return await this.#respond(offer, rejection(request, found));
    if (isConnect(request)) return await this.#respond(offer, NO_CONNECT);
    await this.#route(found.request === request ? offer : withRequest(offer, found.request));
  }

  async #route(offer: Offer): Promise<void> {
    const { request } = offer;
    const found = this.#options.routes.match(request);
    if (found === null) return await this.#respond(offer, notFound(request));
    if ("status" in found) return await this.#respond(offer, rejection(request, found));
    if (request.protocol !== null) return await this.#tunnel(offer, found.live, found.path);
    if (!this.#options.plain) return await this.#respond(offer, expectedTunnel(request));
    await this.#forward(offer, found.live, found.path);
  }

  #page(request: OfferRequest): Answer | null {
    const { method, path, protocol } = request;
    if (protocol !== null || (method !== "GET" && method !== "HEAD")) return null;
    if (HEALTH.has(pathOf(path))) return { status: 200, text: "ok" };
    return this.#options.page?.(request) ?? null;
  }

  async #tunnel(offer: Offer, live: LiveRoute, path: string): Promise<void> {
    const refused = this.#off(offer.request) ?? refusalOf(offer, live) ?? this.#full(live);
    if (refused !== null) return await this.#respond(offer, refused);
    this.#taken++;
    live.taken++;
    try {
      await this.#carry(offer, live, path);
    } finally {
      live.taken--;
      this.#taken--;
    }
  }

  #off({ http }: OfferRequest): Answer | null {
    const { h1, h2, h3 } = this.#options.tunnels;
    if (http === "1.1" ? h1 : http === "2" ? h2 : h3) return null;
    return { status: 501, text: "Not Implemented", rejected: "protocol" };
  }

  #full({ route, taken }: LiveRoute): Answer | null {
    const fields = [RETRY_AFTER];
    if (this.draining) return { status: 503, fields, text: "shutting down", rejected: "draining" };
    const { maxSessions = Infinity } = route.limits;
    if (this.#taken < this.#options.maxSessions && taken < maxSessions) return null;
    return { status: 503, fields, text: "too many connections", rejected: "max_conns" };
  }

  /** Asks the backend, and only then answers the client. */
  async #carry(offer: Offer, live: LiveRoute, path: string): Promise<void> {
    const startedMs = performance.now();
    const asked = await this.#ask(offer, live, path);
    if (asked === null) return;
    try {
      if (asked.answer.kind === "refused") return await this.#refuse(offer, live, asked);
      const session = await this.#accept(offer, live, { asked, startedMs });
      if (session === null) return;
      live.sessions.add(session);
      this.#sessions++;
      try {
        const running = session.run();
        // A reload came while the backend was asked.
        if (live.isGone && !this.draining) closeForReload(session);
        await running;
      } finally {
        live.sessions.delete(session);
        this.#sessions--;
      }
    } finally {
      asked.release();
    }
  }

  async #ask(offer: Offer, live: LiveRoute, path: string): Promise<Asked | null> {
    const { trustedProxies, sweeper } = this.#options;
    // For tunnels Forwarded is left to those who ask for it: X-Forwarded-* say the same.
    const rules = { ...live.requestRules, trustedProxies, forwarded: false };
    try {
      return await askBackends(offer, live, { path, rules, sweeper });
    } catch (error) {
      if (error instanceof UpgradeContentTooLarge) {
        await this.#respond(offer, { status: 413, text: error.message });
      } else if (error instanceof BackendError) {
        await this.#unreachable(offer, live, error);
      } else if (!(error instanceof NetError || error instanceof PeerError)) {
        throw error;
      }
      return null;
    }
  }

  async #unreachable(offer: Offer, live: LiveRoute, error: BackendError): Promise<void> {
    const { request } = offer;
    const { status, stage, message } = error;
    this.#options.observer.failed(stage, message, request.remote);
    const text = status === 504 ? "backend too slow" : "backend unreachable";
    const told = live.unreachable?.(asksForTunnel(request), messageOf(error.cause)) ?? text;
    await this.#respond(offer, { status, text: told });
  }

  async #accept(
    offer: Offer,
    live: LiveRoute,
    { asked, startedMs }: { asked: Asked; startedMs: number },
  ): Promise<Session | null> {
    const { request } = offer;
    const { answer, target } = asked;
    if (answer.kind !== "upgraded") return null;
    const { observer, sweeper } = this.#options;
    let client: Tunnel | null;
    try {
      const fields = this.#acceptedFields(request, live, answer);
      client = await this.#inTime(offer, offer.accept(fields));
    } catch (error) {
      answer.stream.abort();
      if (error instanceof NetError) return null;
      throw error;
    }
    if (client === null) {
      answer.stream.abort();
      observer.failed("session", "client does not take its answer", request.remote);
      return null;
    }
    const session = new Session({
      start: {
        id: this.#nextId++,
        http: request.http,
        protocol: answer.protocol,
        client: request.remote,
        // Without the query, which often carries a token.
        path: pathOf(request.path),
        authority: request.authority,
        backend: target.url,
        subprotocol: answer.subprotocol,
        handshakeMs: performance.now() - startedMs,
      },
      client,
      backend: answer.stream,
      allowedRsv: answer.allowedRsv,
      limits: live.limits,
      sweeper,
      observer,
    });
    if (this.draining) session.closeAt(sweeper.nowMs);
    return session;
  }

  #acceptedFields(
    request: OfferRequest,
    live: LiveRoute,
    { fields, protocol }: { fields: OfferRequest["fields"]; protocol: string },
  ) {
    const key = protocol === "websocket" ? clientKey(request) : null;
    const accept = key === null ? null : acceptFor(key, sha1);
    const answer = acceptedFields(fields, accept, this.#responseRules(request, live));
    if (request.http === "1.1" && request.protocol !== null) answer.push(["upgrade", protocol]);
    return answer;
  }

  #responseRules({ http }: OfferRequest, live: LiveRoute): ResponseRules {
    return { ...live.responseRules, altSvc: this.#options.altSvc(http) };
  }

  /** The backend's own refusal, whole. */
  async #refuse(offer: Offer, live: LiveRoute, { answer }: Asked): Promise<void> {
    if (answer.kind !== "refused") return;
    const { request } = offer;
    const { observer, sweeper } = this.#options;
    observer.rejected("backend", answer.status, pathOf(request.path), request.remote);
    const late = Promise.withResolvers<void>();
    const deadline = new Deadline(sweeper, live.limits.readTimeoutMs, () => late.resolve());
    offer.onGone(() => answer.content.cancel());
    const fields = refusalFields(answer.fields, this.#responseRules(request, live));
    const answered = offer.respond(answer.status, fields, answer.content).catch((error) => {
      if (error instanceof NetError || error instanceof PeerError) return;
      observer.bug("refusal", error);
    });
    // A client that does not read keeps its stream waiting, but holds no session.
    await Promise.race([answered, late.promise]);
    deadline.clear();
    answer.content.cancel();
  }

  /** An ordinary request, to the first backend that can be reached. */
  async #forward(offer: Offer, live: LiveRoute, path: string): Promise<void> {
    const { request } = offer;
    const startedMs = performance.now();
    const settled = await this.#settle(offer, path);
    if (settled === null) return;
    const { trustedProxies } = this.#options;
    const responseRules = () => this.#responseRules(request, live);
    const rules = {
      request: { ...live.requestRules, trustedProxies },
      // As they are when the answer comes, which may be late.
      get response() {
        return responseRules();
      },
    };
    let failure: BackendError | null = null;
    for (const target of live.upstream.order(request)) {
      const release = live.upstream.take(target);
      try {
        const result = await forward(settled, { ...target, pool: live.poolOf(target) }, rules);
        live.upstream.succeeded(target);
        return this.#forwarded(request, target.url, { ...result, startedMs });
      } catch (error) {
        if (!(error instanceof BackendError)) throw error;
        live.upstream.failed(target, error.message);
        failure = error;
        if (error.stage !== "backend_dial") break;
      } finally {
        release();
      }
    }
    if (failure !== null) await this.#unreachable(offer, live, failure);
  }

  #forwarded(
    { http, method, authority, path, remote }: OfferRequest,
    backend: string,
    { startedMs, status, toBackendBytes, toClientBytes, broken }:
      & Awaited<ReturnType<typeof forward>>
      & { startedMs: number },
  ): void {
    this.#options.observer.requestEnded({
      http,
      client: remote,
      method,
      authority,
      path: pathOf(path),
      backend,
      status,
      durationMs: performance.now() - startedMs,
      toBackendBytes,
      toClientBytes,
      broken: broken === null ? "" : `${broken.by}: ${broken.reason}`,
    });
  }

  /** The offer with the path that the route gives, and with content only where there is some. */
  async #settle(offer: Offer, path: string): Promise<Offer | null> {
    const request = path === offer.request.path ? offer.request : { ...offer.request, path };
    let { content } = offer;
    if (content !== null && rarelyHas(request.method, content.length)) {
      try {
        content = await this.#inTime(offer, beginning(content));
      } catch (error) {
        if (error instanceof NetError || error instanceof PeerError) return null;
        throw error;
      }
    }
    if (content === offer.content && request === offer.request) return offer;
    return withRequest(offer, request, content);
  }

  async #respond(offer: Offer, answer: Answer): Promise<void> {
    const { request } = offer;
    const { status, text, fields = [], contentType = "text/plain; charset=utf-8" } = answer;
    if (answer.rejected !== undefined) {
      const { observer } = this.#options;
      observer.rejected(answer.rejected, status, pathOf(request.path), request.remote);
    }
    const body = new TextEncoder().encode(answer.contentType ? text : `${text}\n`);
    const altSvc = this.#options.altSvc(request.http);
    const all: OfferRequest["fields"] = [
      ["content-type", contentType],
      ...fields,
      ...(altSvc === null ? [] : [["alt-svc", altSvc] as const]),
    ];
    try {
      await this.#inTime(offer, offer.respond(status, all, body));
    } catch (error) {
      if (!(error instanceof NetError || error instanceof PeerError)) throw error;
    }
  }

  /** `null` for a client that does not take its answer (RFC 9000 §4.1: it gives no credit). */
  async #inTime<T>(offer: Offer, answered: Promise<T>): Promise<T | null> {
    const late = Promise.withResolvers<null>();
    const deadline = new Deadline(this.#options.sweeper, this.#options.writeTimeoutMs, () => {
      offer.abort();
      late.resolve(null);
    });
    try {
      return await Promise.race([answered, late.promise]);
    } finally {
      deadline.clear();
    }
  }
}

/** RFC 9110 §9.3.6: a tunnel to a port, of which nothing is known but its bytes. */
function isConnect({ method, protocol }: OfferRequest): boolean {
  return method === "CONNECT" && protocol === null;
}

function asksForTunnel(request: OfferRequest): boolean {
  return request.protocol !== null || isConnect(request);
}

function refusalOf({ request, content }: Offer, { route }: LiveRoute): Answer | null {
  if (!isConnect(request)) return refuseTunnel(request, route);
  // RFC 9110 §9.3.6: a CONNECT has no content.
  if (content === null && (getField(request.fields, "content-length") ?? "0") === "0") return null;
  return { status: 400, text: "CONNECT with content", rejected: "bad_headers" };
}

/** Methods whose requests rarely have content. */
const RARELY_CONTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"]);

/** The same offer of another request. */
function withRequest(
  offer: Offer,
  request: OfferRequest,
  content: Content | null = offer.content,
): Offer {
  return {
    request,
    content,
    onGone: (callback) => offer.onGone(callback),
    inform: (status, fields) => offer.inform(status, fields),
    accept: (fields) => offer.accept(fields),
    respond: (status, fields, body) => offer.respond(status, fields, body),
    abort: () => offer.abort(),
  };
}

/** Only what was to be a session is counted among those that were refused. */
function rejection(
  request: OfferRequest,
  { status, text }: { status: number; text: string },
): Answer {
  return { status, text, ...(asksForTunnel(request) && { rejected: "path" }) };
}

/** Of a length of 0 the end is waited for: more would be an error (RFC 9110 §8.6). */
function rarelyHas(method: string, length: number | null): boolean {
  return length === 0 || length === null && RARELY_CONTENT.has(method);
}

function notFound({ protocol }: OfferRequest): Answer {
  if (protocol === null) return NOT_FOUND;
  return { status: 404, text: "path not allowed", rejected: "path" };
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
