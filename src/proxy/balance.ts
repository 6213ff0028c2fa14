import type { OfferRequest } from "../ingress/offer.ts";
import { type Field, getField, getFields } from "../protocol/wire/field.ts";
import type { BackendTarget } from "./backend.ts";
import type { Balance, Route } from "./route.ts";

/** What is known of the backends of one route. */
export interface BalanceState {
  /** Counts up with each request. */
  readonly turn: number;
  /** Sessions that are open at a backend. */
  sessions(target: BackendTarget): number;
  /** Whether it is taken to be up. */
  isUp(target: BackendTarget): boolean;
}

/**
 * All backends of a route in the order in which they are tried for this request. Those that are
 * down come last: where none is up, one of them may be all the same.
 */
export function pick(route: Route, request: OfferRequest, state: BalanceState): BackendTarget[] {
  const { backends } = route;
  if (backends.length === 1) return [...backends];
  const up = backends.filter((target) => state.isUp(target));
  // Apart, so that the share of one that is down goes to all others, not to its neighbour.
  const order = ordered({ ...route, backends: up }, request, state);
  if (up.length === backends.length) return order;
  const down = backends.filter((target) => !up.includes(target));
  return [...order, ...ordered({ ...route, backends: down }, request, state)];
}

function ordered(
  { backends, balance }: Pick<Route, "backends" | "balance">,
  request: OfferRequest,
  state: BalanceState,
): BackendTarget[] {
  const first = state.turn % backends.length;
  const turned = [...backends.slice(first), ...backends.slice(0, first)];
  if (balance === "round-robin") return turned;
  if (balance === "least-sessions") {
    return turned.sort((a, b) => state.sessions(a) - state.sessions(b));
  }
  return byHash(backends, hashKey(balance.hash, request));
}

/**
 * Rendezvous hashing (Thaler and Ravishankar): each backend has its own rank for each key, so that
 * of one that comes or goes only its own share moves.
 */
function byHash(backends: readonly BackendTarget[], key: string): BackendTarget[] {
  return backends
    .map((target) => ({ target, rank: hash32(`${key}\0${target.url}`) }))
    .sort((a, b) => b.rank - a.rank)
    .map(({ target }) => target);
}

/** Where the header field or the cookie is not there, the client's address. */
function hashKey(
  by: Extract<Balance, { hash: unknown }>["hash"],
  { fields, remote }: OfferRequest,
): string {
  const value = by === "ip"
    ? null
    : "header" in by
    ? getField(fields, by.header)
    : cookieOf(fields, by.cookie);
  return value ?? remote.replace(/:\d+$/, "");
}

/** RFC 6265 §5.4; over HTTP/2 and HTTP/3 it may come in several fields. */
function cookieOf(fields: readonly Field[], name: string): string | null {
  for (const pair of getFields(fields, "cookie").flatMap((value) => value.split(";"))) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return null;
}

/** FNV-1a with the last mixing of MurmurHash3: one letter more changes all bits. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
