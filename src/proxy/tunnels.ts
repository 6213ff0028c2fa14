import type { Offer, OfferRequest, Tunnel } from "../ingress/offer.ts";
import { NetError } from "../net/error.ts";
import { sha1 } from "../net/sha1.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { acceptFor } from "../protocol/websocket/handshake.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { getField } from "../protocol/wire/field.ts";
import type { Answerer } from "./answerer.ts";
import { type Answer, pathOf, refuseTunnel, RETRY_AFTER, TOO_MANY_SESSIONS } from "./answers.ts";
import { askBackends, type Asked, UpgradeContentTooLarge } from "./ask.ts";
import type { Admitted, Gate, Verdict } from "./authorize.ts";
import { BackendError } from "./backend.ts";
import { ClientShares } from "./client_shares.ts";
import { acceptedFields, clientKey, responseFields } from "./headers.ts";
import type { Observer } from "./observer.ts";
import { closeForReload, type LiveRoute } from "./routes.ts";
import { Session } from "./session.ts";
import { WatchedContent } from "./watched.ts";
import { isConnect } from "./wishes.ts";

export interface TunnelsOptions {
  /** Sessions at once, with those that are being dialled; 503 above it. */
  maxSessions: number;
  /** The same of one client; 429 above it, 0 for no limit. */
  maxSessionsPerClient: number;
  /** The versions by which tunnels are taken. */
  tunnels: { readonly h1: boolean; readonly h2: boolean; readonly h3: boolean };
  /** Whose X-Forwarded-* and Forwarded are believed, by IP address. */
  trustedProxies?: (ip: string) => boolean;
  observer: Observer;
  sweeper: Sweeper;
}

/** Requests for a WebSocket, or another protocol, and the sessions that come of them. */
export class Tunnels {
  readonly #options: TunnelsOptions;
  readonly #answerer: Answerer;
  readonly #gate: Gate;
  /** Sessions and those that are being dialled. */
  #taken = 0;
  #sessions = 0;
  #nextId = 1;
  draining = false;
  readonly #shares: ClientShares;

  constructor(options: TunnelsOptions, answerer: Answerer, gate: Gate) {
    this.#options = options;
    this.#answerer = answerer;
    this.#gate = gate;
    const { maxSessionsPerClient: limit, trustedProxies: exempt } = options;
    this.#shares = new ClientShares({ limit, exempt });
  }

  /** Sessions that are open now. */
  get sessions(): number {
    return this.#sessions;
  }

  /** Resolves when the session is over, or the request is refused. */
  async take(offer: Offer, live: LiveRoute, path: string): Promise<void> {
    const refused = this.#off(offer.request) ?? refusalOf(offer, live) ?? this.#full(live);
    if (refused !== null) return await this.#answerer.respond(offer, refused);
    const release = this.#shares.take(offer.request.remote);
    if (release === null) return await this.#answerer.respond(offer, TOO_MANY_SESSIONS);
    this.#taken++;
    live.taken++;
    try {
      await this.#carry(offer, live, path);
    } finally {
      live.taken--;
      this.#taken--;
      release();
    }
  }

  /** Whether tunnels are taken by the version that this request came by. */
  takes({ http }: OfferRequest): boolean {
    const { h1, h2, h3 } = this.#options.tunnels;
    return http === "1.1" ? h1 : http === "2" ? h2 : h3;
  }

  #off(request: OfferRequest): Answer | null {
    if (this.takes(request)) return null;
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
    const verdict = await this.#gate.admit(offer, path);
    if (verdict.kind !== "admitted") return await this.#turnAway(offer, verdict, startedMs);
    const asked = await this.#ask(offer, live, verdict);
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

  async #turnAway(offer: Offer, verdict: Verdict, startedMs: number): Promise<void> {
    if (verdict.kind === "refused") {
      await this.#answerer.respond(offer, { ...verdict.answer, rejected: "authorize" });
    } else if (verdict.kind === "failed") {
      await this.#answerer.respondFailed(offer, verdict.answer, startedMs);
    }
  }

  async #ask(
    offer: Offer,
    live: LiveRoute,
    { path, rules: rulesOf }: Admitted,
  ): Promise<Asked | null> {
    const { trustedProxies, sweeper } = this.#options;
    // For tunnels Forwarded is left to those who ask for it: X-Forwarded-* say the same.
    const rules = { ...rulesOf(live.requestRules), trustedProxies, forwarded: false };
    try {
      return await askBackends(offer, live, { path, rules, sweeper });
    } catch (error) {
      if (error instanceof UpgradeContentTooLarge) {
        const { message: text } = error;
        await this.#answerer.respond(offer, { status: 413, text, rejected: "bad_headers" });
      } else if (error instanceof BackendError) {
        await this.#answerer.unreachable(offer, live, error);
      } else if (!(error instanceof NetError || error instanceof PeerError)) {
        throw error;
      }
      return null;
    }
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
      client = await this.#answerer.inTime(offer, offer.accept(fields));
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
    const answer = acceptedFields(fields, accept, this.#answerer.responseRules(request, live));
    if (request.http === "1.1" && request.protocol !== null) answer.push(["upgrade", protocol]);
    return answer;
  }

  /** The backend's own refusal, whole. */
  async #refuse(offer: Offer, live: LiveRoute, { answer }: Asked): Promise<void> {
    if (answer.kind !== "refused") return;
    const { request } = offer;
    const { observer, sweeper } = this.#options;
    observer.rejected({
      reason: "backend",
      status: answer.status,
      path: pathOf(request.path),
      client: request.remote,
      message: "",
    });
    const afterMs = live.limits.readTimeoutMs;
    const content = new WatchedContent(answer.content, { sweeper, afterMs });
    offer.onGone(() => content.cancel());
    const rules = this.#answerer.responseRules(request, live);
    const fields = responseFields(answer.fields, rules, answer.version);
    const answered = offer.respond(answer.status, fields, content).catch((error) => {
      if (error instanceof NetError || error instanceof PeerError) return;
      observer.bug("refusal", error);
    });
    // A client that does not read keeps its stream waiting, but holds no session.
    await Promise.race([answered, content.stalled]);
    content.cancel();
  }
}

function refusalOf({ request, content }: Offer, { route }: LiveRoute): Answer | null {
  if (!isConnect(request)) return refuseTunnel(request, route);
  // RFC 9110 §9.3.6: a CONNECT has no content.
  if (content === null && (getField(request.fields, "content-length") ?? "0") === "0") return null;
  return { status: 400, text: "CONNECT with content", rejected: "bad_headers" };
}
