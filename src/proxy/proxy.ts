import type { Refused, Upgraded } from "../client/h1.ts";
import { H3Server } from "../ingress/h3_server.ts";
import type { Offer, OfferRequest, Tunnel } from "../ingress/offer.ts";
import { NetError } from "../net/error.ts";
import { sha1 } from "../net/sha1.ts";
import type { QuicTransport } from "../net/quic.ts";
import { Deadline, Sweeper } from "../net/sweeper.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { acceptFor } from "../protocol/websocket/handshake.ts";
import { type Answer, pathOf, type PathRule, refuseTunnel, RETRY_AFTER } from "./answers.ts";
import { BackendError, type BackendTarget, openBackend } from "./backend.ts";
import { acceptedFields, clientKey, refusalFields } from "./headers.ts";
import type { Observer } from "./observer.ts";
import { Session, type SessionLimits } from "./session.ts";

/** All that `startProxy` is told; `proxyOptions` fills in the defaults. */
export interface ProxyOptions extends SessionLimits, QuicTransport {
  /** The UDP address of HTTP/3; port 0 for any. */
  listen: { hostname: string; port: number };
  /** The certificate chain in PEM, the server's own first. */
  certPem: string;
  /** Its private key in PEM. */
  keyPem: string;
  /** Where sessions go. */
  backend: BackendTarget;
  /** Which paths are tunnels. */
  path: PathRule;
  /** Sessions at once, with those that are being dialled; 503 above it. */
  maxSessions: number;
  /** QUIC connections at once; refused above it. */
  maxConnections: number;
  /** Of one request's fields; 431 above it. */
  maxHeaderBytes: number;
  /** How long connecting to the backend may take, with TLS; 504 after it. */
  dialTimeoutMs: number;
  /** How long the backend may take to answer the upgrade; 504 after it. */
  handshakeTimeoutMs: number;
  /** Is told what happens. */
  observer: Observer;
  /** Answers ordinary requests before the router does; `null` leaves them to it. */
  page?: (request: OfferRequest) => Answer | null;
}

/** A proxy that listens. */
export interface Proxy {
  /** The address that it listens at. */
  readonly hostname: string;
  /** The UDP port that it listens at. */
  readonly port: number;
  /** Sessions that are open now. */
  readonly sessions: number;
  /** QUIC connections that are open now. */
  readonly connections: number;
  /** New connections get this certificate; throws `NetError` if it is unusable, and keeps the old. */
  reload(certPem: string, keyPem: string): void;
  /** Takes nothing new, closes every session within `forMs`, then frees the port. */
  drain(forMs: number): Promise<void>;
  /** Ends everything at once. */
  stop(): Promise<void>;
}

/** Sessions get their Close within this part of a drain; the rest is for their answers. */
const DRAIN_SPREAD = 0.8;
/** Their deadlines are met this part of a drain late at most. */
const DRAIN_SWEEP = 0.05;
const MIN_SWEEP_MS = 10;

/** Listens at once; throws `NetError` when the port or the certificate can't be used. */
export function startProxy(options: ProxyOptions): Proxy {
  return new H3Proxy(options);
}

class H3Proxy implements Proxy {
  readonly #options: ProxyOptions;
  readonly #observer: Observer;
  readonly #sweeper: Sweeper;
  readonly #server: H3Server;
  readonly #sessions = new Set<Session>();
  /** Sessions and those that are being dialled. */
  #taken = 0;
  #nextId = 1;
  #draining = false;

  constructor(options: ProxyOptions) {
    const { observer } = options;
    this.#options = options;
    this.#observer = observer;
    this.#sweeper = new Sweeper(sweepIntervalMs(options));
    this.#server = new H3Server({
      ...options,
      ...options.listen,
      headTimeoutMs: options.handshakeTimeoutMs,
      sweeper: this.#sweeper,
      onOffer: (offer) => this.#take(offer),
      onHeadRefused: (status, remote) =>
        observer.rejected(status === 431 ? "header_size" : "bad_headers", status, "", remote),
      onPrerequestClose: (reason) => observer.prerequestClose(reason),
      onPeerError: (error: PeerError, remote) =>
        observer.failed("h3_framing", error.message, remote),
      onConnectionOpened: () => observer.connectionOpened("3"),
      onConnectionClosed: (info) => observer.connectionClosed("3", info),
      onConnectionRefused: () =>
        observer.rejected(this.#draining ? "draining" : "max_connections", 0, "", ""),
      onBug: (where, error) => observer.bug(where, error),
    });
  }

  get hostname(): string {
    return this.#server.hostname;
  }

  get port(): number {
    return this.#server.port;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  get connections(): number {
    return this.#server.connections;
  }

  reload(certPem: string, keyPem: string): void {
    this.#server.reload(certPem, keyPem);
  }

  /** The way of one request: answered here, or dialled, accepted and carried. */
  async #take(offer: Offer): Promise<void> {
    const { request } = offer;
    const answer = this.#answer(request);
    if (answer !== null) return await this.#respond(offer, answer);
    this.#taken++;
    try {
      const session = await this.#open(offer);
      if (session === null) return;
      this.#sessions.add(session);
      try {
        await session.run();
      } finally {
        this.#sessions.delete(session);
      }
    } finally {
      this.#taken--;
    }
  }

  #answer(request: OfferRequest): Answer | null {
    const page = this.#page(request);
    if (page !== null) return page;
    const refused = refuseTunnel(request, this.#options.path);
    if (refused !== null) return refused;
    if (this.#draining) {
      return { status: 503, fields: [RETRY_AFTER], text: "shutting down", rejected: "draining" };
    }
    if (this.#taken >= this.#options.maxSessions) {
      return {
        status: 503,
        fields: [RETRY_AFTER],
        text: "too many connections",
        rejected: "max_conns",
      };
    }
    return null;
  }

  #page(request: OfferRequest): Answer | null {
    const { method, path } = request;
    if (method !== "GET" && method !== "HEAD") return null;
    const bare = pathOf(path);
    if (bare === "/healthz" || bare === "/health/udp") return { status: 200, text: "ok" };
    return this.#options.page?.(request) ?? null;
  }

  async #respond(offer: Offer, answer: Answer): Promise<void> {
    const { request } = offer;
    const { status, text, fields = [], contentType = "text/plain; charset=utf-8" } = answer;
    if (answer.rejected !== undefined) {
      this.#observer.rejected(answer.rejected, status, pathOf(request.path), request.remote);
    }
    const body = new TextEncoder().encode(answer.contentType ? text : `${text}\n`);
    try {
      await this.#inTime(
        offer,
        offer.respond(status, [["content-type", contentType], ...fields], body),
      );
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
    }
  }

  /** Dials the backend, and only then answers the client. `null` when that was a refusal. */
  async #open(offer: Offer): Promise<Session | null> {
    const { request } = offer;
    const { backend } = this.#options;
    const startedMs = performance.now();
    const asked = await this.#ask(offer);
    if (asked === null) return null;
    if (asked.kind === "refused") {
      await this.#refuse(offer, asked);
      return null;
    }
    const key = clientKey(request);
    const accept = key === null ? null : acceptFor(key, sha1);
    let client: Tunnel | null;
    try {
      client = await this.#inTime(offer, offer.accept(acceptedFields(asked.fields, accept)));
    } catch (error) {
      asked.stream.abort();
      if (error instanceof NetError) return null;
      throw error;
    }
    if (client === null) {
      asked.stream.abort();
      this.#observer.failed("session", "client does not take its answer", request.remote);
      return null;
    }
    const session = new Session({
      start: {
        id: this.#nextId++,
        http: request.http,
        client: request.remote,
        // Without the query, which often carries a token.
        path: pathOf(request.path),
        authority: request.authority,
        backend: backend.url,
        subprotocol: asked.subprotocol,
        handshakeMs: performance.now() - startedMs,
      },
      client,
      backend: asked.stream,
      allowedRsv: asked.allowedRsv,
      limits: this.#options,
      sweeper: this.#sweeper,
      observer: this.#observer,
    });
    if (this.#draining) session.closeAt(this.#sweeper.nowMs);
    return session;
  }

  /** `null` for a client that does not take its answer (RFC 9000 §4.1: it gives no credit). */
  async #inTime<T>(offer: Offer, answered: Promise<T>): Promise<T | null> {
    const late = Promise.withResolvers<null>();
    const { writeTimeoutMs } = this.#options;
    const deadline = new Deadline(this.#sweeper, writeTimeoutMs, () => {
      offer.abort();
      late.resolve(null);
    });
    try {
      return await Promise.race([answered, late.promise]);
    } finally {
      deadline.clear();
    }
  }

  /** Asks the backend, within the two timeouts and as long as the client is there. */
  async #ask(offer: Offer): Promise<Upgraded | Refused | null> {
    const { backend, dialTimeoutMs, handshakeTimeoutMs } = this.#options;
    const controller = new AbortController();
    let gone = false;
    offer.onGone(() => {
      gone = true;
      controller.abort(new NetError("aborted", "client is gone"));
    });
    const late = (what: string, ms: number) => () =>
      controller.abort(new NetError("timeout", `${what} took longer than ${ms} ms`));
    let deadline = new Deadline(this.#sweeper, dialTimeoutMs, late("dial", dialTimeoutMs));
    try {
      return await openBackend(backend, offer.request, {
        signal: controller.signal,
        dialed: () => {
          deadline.clear();
          deadline = new Deadline(
            this.#sweeper,
            handshakeTimeoutMs,
            late("handshake", handshakeTimeoutMs),
          );
        },
      });
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      if (gone) return null;
      this.#observer.failed(error.stage, error.message, offer.request.remote);
      const text = error.status === 504 ? "backend too slow" : "backend unreachable";
      await this.#respond(offer, { status: error.status, text });
      return null;
    } finally {
      deadline.clear();
    }
  }

  /** The backend's own refusal, whole. */
  async #refuse(offer: Offer, refused: Refused): Promise<void> {
    const { path, remote } = offer.request;
    this.#observer.rejected("backend", refused.status, pathOf(path), remote);
    const { readTimeoutMs } = this.#options;
    const late = Promise.withResolvers<void>();
    const deadline = new Deadline(this.#sweeper, readTimeoutMs, () => late.resolve());
    offer.onGone(() => refused.content.cancel());
    const answered = offer.respond(refused.status, refusalFields(refused.fields), refused.content)
      .catch((error) => {
        if (error instanceof NetError || error instanceof PeerError) return;
        this.#observer.bug("refusal", error);
      });
    // A client that does not read keeps its stream waiting, but holds no session.
    await Promise.race([answered, late.promise]);
    deadline.clear();
    refused.content.cancel();
  }

  async drain(forMs: number): Promise<void> {
    this.#draining = true;
    const drained = this.#server.drain();
    const nowMs = performance.now();
    this.#sweeper.quicken(Math.max(MIN_SWEEP_MS, forMs * DRAIN_SWEEP));
    for (const session of this.#sessions) {
      session.closeAt(nowMs + Math.random() * forMs * DRAIN_SPREAD);
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, forMs));
    await Promise.race([drained, late]);
    clearTimeout(timer);
    await this.stop();
  }

  async stop(): Promise<void> {
    this.#draining = true;
    // Before their connections end, for which the clients would be recorded.
    for (const session of this.#sessions) session.stop();
    await this.#server.close();
    this.#sweeper.stop();
  }
}

/** Often enough for the shortest of the timeouts to be met about right. */
function sweepIntervalMs(options: ProxyOptions): number {
  const shortest = Math.min(
    options.readTimeoutMs,
    options.writeTimeoutMs,
    options.dialTimeoutMs,
    options.handshakeTimeoutMs,
    options.pingIntervalMs || Infinity,
    options.pongTimeoutMs,
  );
  return Math.min(1000, Math.max(MIN_SWEEP_MS, shortest / 8));
}
