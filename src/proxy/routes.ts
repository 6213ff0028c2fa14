import { H1Pool } from "../client/h1_pool.ts";
import type { OfferRequest } from "../ingress/offer.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { BackendTarget } from "./backend.ts";
import type { FieldRules } from "./headers.ts";
import { prefaceOf } from "./preface.ts";
import { changedRoutes, type Route, type RouteLimits } from "./route.ts";
import { type RouteMatch, Router, type RouteRefusal } from "./router.ts";
import type { Session } from "./session.ts";
import type { SessionLimits } from "./session_options.ts";
import { type BackendStatus, Upstream } from "./upstream.ts";

/** What holds for every route that says nothing else. */
export interface RouteDefaults extends SessionLimits {
  /** How long connecting to a backend may take, with TLS; 504 after it. */
  dialTimeoutMs: number;
  /** How long a backend may take to answer the upgrade; 504 after it. */
  handshakeTimeoutMs: number;
}

export interface RoutesOptions {
  routes: readonly Route[];
  defaults: RouteDefaults;
  sweeper: Sweeper;
  onBackend: (route: Route, status: BackendStatus) => void;
  /** Finds the route instead of a `Router`, where there is but one. */
  match?: (request: OfferRequest) => RouteMatch | RouteRefusal | null;
  /** What a client reads where no backend could be asked; without it, no more than that. */
  unreachable?: (tunnel: boolean, reason: string) => string;
}

/** A route that is in use, with all that belongs to it. */
export class LiveRoute {
  readonly route: Route;
  readonly limits: RouteDefaults & RouteLimits;
  readonly upstream: Upstream;
  readonly requestRules: FieldRules;
  readonly responseRules: FieldRules;
  readonly sessions = new Set<Session>();
  /** Sessions and those that are being dialled. */
  taken = 0;
  readonly unreachable: RoutesOptions["unreachable"];
  readonly #sweeper: Sweeper;
  readonly #pools = new Map<BackendTarget, H1Pool>();
  #gone = false;

  /** `from`: the route that it takes the place of, whose backends may be known to be down. */
  constructor(route: Route, options: RoutesOptions, from?: LiveRoute) {
    const { sweeper, defaults, onBackend } = options;
    this.route = route;
    this.limits = { ...defaults, ...route.limits };
    this.#sweeper = sweeper;
    sweeper.quicken(sweepIntervalMs(this.limits, route.health));
    this.requestRules = rulesOf(route.headers.request);
    this.responseRules = rulesOf(route.headers.response);
    this.upstream = new Upstream(route, { sweeper, onChange: onBackend, from: from?.upstream });
    this.upstream.start();
    this.unreachable = options.unreachable;
  }

  /** Whether it is in use no more: what it began goes on to its end. */
  get isGone(): boolean {
    return this.#gone;
  }

  /** The connections for ordinary requests to one of its backends. */
  poolOf(target: BackendTarget): H1Pool {
    let pool = this.#pools.get(target);
    if (pool === undefined) {
      const { dialTimeoutMs, handshakeTimeoutMs, readTimeoutMs, writeTimeoutMs } = this.limits;
      pool = new H1Pool({
        dial: target.dial,
        maxConnections: POOL_CONNECTIONS,
        maxIdle: this.#gone ? 0 : POOL_IDLE,
        idleTimeoutMs: POOL_IDLE_MS,
        dialTimeoutMs,
        waitTimeoutMs: handshakeTimeoutMs,
        // A long poll is answered late: only silence of all that a session may be silent ends it.
        answerTimeoutMs: readTimeoutMs,
        contentTimeoutMs: readTimeoutMs,
        writeTimeoutMs,
        maxHeaderBytes: target.maxHeaderBytes,
        sweeper: this.#sweeper,
        ...(target.proxyProtocol !== undefined && {
          preface: (client) => prefaceOf(target, client)!,
        }),
      });
      this.#pools.set(target, pool);
    }
    return pool;
  }

  stop(): void {
    this.#gone = true;
    this.upstream.stop();
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }
}

export const MIN_SWEEP_MS = 10;
const MAX_SWEEP_MS = 1000;

/** Often enough for the shortest of the timeouts to be met about right. */
export function sweepIntervalMs(
  limits: RouteDefaults,
  { active, passive }: Route["health"] = {},
): number {
  const timeouts = Math.min(
    limits.readTimeoutMs,
    limits.writeTimeoutMs,
    limits.dialTimeoutMs,
    limits.handshakeTimeoutMs,
    limits.pingIntervalMs || Infinity,
    limits.pongTimeoutMs,
  );
  const checks = Math.min(
    active?.intervalMs ?? Infinity,
    active?.timeoutMs ?? Infinity,
    passive?.forMs ?? Infinity,
  );
  return Math.min(MAX_SWEEP_MS, Math.max(MIN_SWEEP_MS, Math.min(timeouts / 8, checks / 4)));
}

/** RFC 6455 §7.4.1, IANA: 1012, come again. */
export function closeForReload(session: Session): void {
  session.close("proxy:reload", CloseCode.SERVICE_RESTART, "route was changed");
}

/** To one backend. */
const POOL_CONNECTIONS = 1024;
const POOL_IDLE = 64;
/** Less than most servers wait, so that few connections are found stale. */
const POOL_IDLE_MS = 30_000;

/** All routes of a proxy, which a reload may replace. */
export class Routes {
  readonly #options: RoutesOptions;
  #live = new Map<Route, LiveRoute>();
  #match: (request: OfferRequest) => RouteMatch | RouteRefusal | null;

  /** Throws `SyntaxError` for a regular expression that can't be used. */
  constructor(options: RoutesOptions) {
    this.#options = options;
    const router = options.match === undefined ? new Router(options.routes) : null;
    this.#match = options.match ?? ((request) => router!.match(request));
    for (const route of options.routes) this.#live.set(route, new LiveRoute(route, options));
  }

  get live(): Iterable<LiveRoute> {
    return this.#live.values();
  }

  match(request: OfferRequest): { live: LiveRoute; path: string } | RouteRefusal | null {
    const found = this.#match(request);
    if (found === null || found.kind === "refused") return found;
    const live = this.#live.get(found.route);
    return live === undefined ? null : { live, path: found.path };
  }

  /**
   * From now on these. Routes that say the same as before keep their sessions, connections and what
   * is known of their backends; gives those that are gone. Throws as the constructor does, and then
   * nothing has changed.
   */
  replace(routes: readonly Route[]): LiveRoute[] {
    const router = new Router(routes);
    const { kept } = changedRoutes([...this.#live.keys()], routes);
    const next = new Map<Route, LiveRoute>();
    for (const [old, route] of kept) next.set(route, this.#live.get(old)!);
    const stay = new Set(next.values());
    const gone = [...this.#live.values()].filter((live) => !stay.has(live));
    for (const route of routes) {
      if (next.has(route)) continue;
      const from = gone.find(({ route: { name } }) => name === route.name);
      next.set(route, new LiveRoute(route, this.#options, from));
    }
    this.#live = next;
    this.#match = (request) => router.match(request);
    for (const live of gone) live.stop();
    return gone;
  }

  stop(): void {
    for (const live of this.#live.values()) live.stop();
  }
}

function rulesOf({ set, remove }: Route["headers"]["request"]): FieldRules {
  const fields = Object.entries(set).map(([name, value]): Field => [name, value]);
  return {
    ...(remove.length > 0 && { remove: new Set(remove) }),
    ...(fields.length > 0 && { set: fields }),
  };
}
