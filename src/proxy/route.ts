import type { BackendTarget } from "./backend.ts";
import type { SessionLimits } from "./session_options.ts";

/** One rule: which requests it takes, and what becomes of them. */
export interface Route {
  /** For the log and the metrics; no two routes have the same. */
  readonly name: string;
  /** A route that is off takes no request: those go to the next that fits. */
  readonly enabled: boolean;
  /** Which requests it takes: all conditions must hold. */
  readonly match: RouteConditions;
  /** At least one. */
  readonly backends: readonly BackendTarget[];
  /** Which of them is tried first. */
  readonly balance: Balance;
  /** How it is found out which of them are down. */
  readonly health: HealthRules;
  /** What differs from those of the whole proxy. */
  readonly limits: RouteLimits;
  /** The values of Origin that may open a tunnel; `null` for any, and for none at all. */
  readonly allowedOrigins: readonly string[] | null;
  /** The protocols that may be upgraded to, in lower case; `*` for any. */
  readonly upgrades: readonly string[];
  /** What is changed in header fields. */
  readonly headers: { readonly request: FieldRules; readonly response: FieldRules };
  /** Whether the backend gets the client's Host; else that of its own URL. */
  readonly keepHost: boolean;
}

/** A route that takes every request, with nothing but what it must have. */
export function anyRoute(name: string, backend: BackendTarget, upgrades: readonly string[]): Route {
  return {
    name,
    enabled: true,
    match: { hosts: [], path: null, headers: [], methods: [] },
    backends: [backend],
    balance: "round-robin",
    health: {},
    limits: {},
    allowedOrigins: null,
    upgrades,
    headers: { request: { set: {}, remove: [] }, response: { set: {}, remove: [] } },
    keepHost: true,
  };
}

/** What a request must be like. */
export interface RouteConditions {
  /** `a.example` for itself, `*.a.example` for every name below it; empty for any. */
  readonly hosts: readonly string[];
  /** `null` for any path, and for requests without one. */
  readonly path: RoutePath | null;
  /** All of them must hold. */
  readonly headers: readonly HeaderCondition[];
  /** Empty for any. An extended CONNECT counts as GET, which it is over HTTP/1.1. */
  readonly methods: readonly string[];
}

/**
 * A prefix ends where a segment does: `/api` takes `/api` and `/api/x`, not `/apis`. With `strip`
 * the backend does not get it. A regular expression is one for `LinearRegExp`.
 */
export type RoutePath =
  | { readonly exact: string }
  | { readonly prefix: string; readonly strip: boolean }
  | { readonly regexp: RegExp };

/** Of a field with this lower-case name: one value must fit; or it must be there, or must not. */
export type HeaderCondition =
  & { readonly name: string }
  & ({ readonly value: string } | { readonly regexp: RegExp } | { readonly present: boolean });

/** How backends take turns. A hash keeps a client, or all with the same value, at one of them. */
export type Balance =
  | "round-robin"
  | "least-sessions"
  | { readonly hash: "ip" | { readonly header: string } | { readonly cookie: string } };

/** What is done to find out which backends are down. */
export interface HealthRules {
  /** Asks each backend again and again. */
  readonly active?: ActiveHealth;
  /** Learns from the sessions that fail. */
  readonly passive?: PassiveHealth;
}

/** How backends are asked whether they are up. */
export interface ActiveHealth {
  /** What is asked for. */
  readonly path: string;
  /** How often each is asked. */
  readonly intervalMs: number;
  /** How long an answer may take. */
  readonly timeoutMs: number;
  /** A handshake that must succeed, or a GET that must be answered with 200 to 399. */
  readonly kind: "websocket" | "get";
  /** So many failures in a row, and it is down. */
  readonly unhealthyAfter: number;
  /** So many successes in a row, and it is up again. */
  readonly healthyAfter: number;
}

/** What sessions that fail tell of a backend. */
export interface PassiveHealth {
  /** So many in a row, and it is down for a while. */
  readonly failures: number;
  /** How long it is taken to be down. */
  readonly forMs: number;
}

/** What a route may have of its own; what is not there is as in the whole proxy. */
export interface RouteLimits extends Partial<SessionLimits> {
  /** Sessions of this route at once; 503 above it. */
  readonly maxSessions?: number;
  /** How long connecting to a backend may take, with TLS. */
  readonly dialTimeoutMs?: number;
  /** How long a backend may take to answer the upgrade. */
  readonly handshakeTimeoutMs?: number;
}

/** Changes of header fields: `remove` first, then each of `set` stands once. Lower-case names. */
export interface FieldRules {
  /** The fields that are written, by name. */
  readonly set: Readonly<Record<string, string>>;
  /** The names of those that are taken away. */
  readonly remove: readonly string[];
}

/** A route as it was and as it is. */
export type RoutePair = readonly [old: Route, next: Route];

/**
 * What a reload changes. Routes are the same when all that they say is the same, their names apart:
 * the sockets of `kept` ones stay.
 */
export function changedRoutes(
  old: readonly Route[],
  next: readonly Route[],
): { kept: RoutePair[]; removed: Route[]; added: Route[] } {
  const left = new Map<string, Route[]>();
  for (const route of old) {
    const same = left.get(contentOf(route));
    if (same === undefined) left.set(contentOf(route), [route]);
    else same.push(route);
  }
  const kept: RoutePair[] = [];
  const added: Route[] = [];
  for (const route of next) {
    const before = left.get(contentOf(route))?.shift();
    if (before === undefined) added.push(route);
    else kept.push([before, route]);
  }
  return { kept, removed: [...left.values()].flat(), added };
}

/** The same text for the same content, in whatever order keys were written. */
function contentOf({ name: _, ...content }: Route): string {
  return JSON.stringify(content, (_key, value: unknown) => {
    if (value instanceof RegExp) return { regexp: String(value) };
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1));
  });
}
