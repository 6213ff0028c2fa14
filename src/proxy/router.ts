import type { OfferRequest } from "../ingress/offer.ts";
import type { Field } from "../protocol/wire/field.ts";
import { getFields } from "../protocol/wire/field.ts";
import { LinearRegExp } from "./linear_regexp.ts";
import { mergeLeadingSlashes, normalizeEscapes, readPath } from "./request_path.ts";
import type { HeaderCondition, Route, RouteConditions } from "./route.ts";

/** Where a request goes. */
export interface RouteMatch {
  readonly kind: "route";
  readonly route: Route;
  /** Path and query for the backend: as they came, but for a prefix that the route strips. */
  readonly path: string;
}

/** A request that no backend may see: its path could be read in ways that lead elsewhere. */
export interface RouteRefusal {
  readonly kind: "refused";
  readonly status: 400;
  readonly text: string;
}

/** A route as one of its hosts and its path lead to it. */
interface Entry {
  readonly route: Route;
  /** Whether header fields and method fit too. */
  fits(request: OfferRequest): boolean;
}

// RFC 1035 §2.3.4: no name is longer.
const MAX_HOST = 253;

/**
 * The routes of one configuration. Of those that fit, the one with the most special host is taken
 * (`a.example`, then `*.b.example`, then `*.example`, then any), among these the one with the most
 * special path (exact, then regular expressions, then the longest prefix, then any), and among
 * these the first in the file. A route that is not enabled is as none.
 */
export class Router {
  readonly routes: readonly Route[];
  readonly #hosts = new Map<string, PathTable>();
  /** By what follows the asterisk: `.example.com`. */
  readonly #wildcards = new Map<string, PathTable>();
  readonly #anyHost = new PathTable();
  readonly #readsPaths: boolean;

  /** Throws `SyntaxError` for a regular expression that `LinearRegExp` does not take. */
  constructor(routes: readonly Route[]) {
    this.routes = routes;
    const enabled = routes.filter((route) => route.enabled);
    for (const route of enabled) {
      const entry = { route, fits: conditionsOf(route.match) };
      const { hosts } = route.match;
      if (hosts.length === 0) this.#anyHost.add(entry);
      for (const host of hosts) this.#tableFor(host).add(entry);
    }
    this.#readsPaths = enabled.some(({ match }) => match.path !== null);
  }

  /** `null` where no route fits. */
  match(request: OfferRequest): RouteMatch | RouteRefusal | null {
    const mark = request.path.indexOf("?");
    const path = mark < 0 ? request.path : request.path.slice(0, mark);
    const tables = this.#tablesOf(request.authority);
    // RFC 9110 §9.3.6, §9.3.7: CONNECT has no path, and that of OPTIONS may be "*".
    if (request.path === "" || path === "*" || !this.#readsPaths) {
      const found = find(tables, path === "*" ? "" : path, request);
      if (found === undefined) return null;
      return { kind: "route", route: found.route, path: request.path };
    }
    const readings = readPath(path);
    if (readings === null) return { kind: "refused", status: 400, text: "invalid path" };
    const { normal, others } = readings;
    const route = find(tables, normal, request)?.route;
    if (others.some((other) => find(tables, other, request)?.route !== route)) {
      return { kind: "refused", status: 400, text: "ambiguous path" };
    }
    if (route === undefined) return null;
    const query = mark < 0 ? "" : request.path.slice(mark);
    const stripped = strippedPath(route, path, readings);
    return { kind: "route", route, path: stripped === null ? request.path : stripped + query };
  }

  #tableFor(host: string): PathTable {
    const wildcard = host.startsWith("*.");
    const tables = wildcard ? this.#wildcards : this.#hosts;
    const key = wildcard ? hostOf(host.slice(1)) : hostOf(host);
    const table = tables.get(key) ?? new PathTable();
    tables.set(key, table);
    return table;
  }

  /** The most special first. */
  #tablesOf(authority: string): PathTable[] {
    const host = hostOf(authority);
    const tables = [this.#hosts.get(host)];
    if (this.#wildcards.size > 0 && host.length <= MAX_HOST) {
      for (let dot = host.indexOf(".", 1); dot > 0; dot = host.indexOf(".", dot + 1)) {
        tables.push(this.#wildcards.get(host.slice(dot)));
      }
    }
    tables.push(this.#anyHost);
    return tables.filter((table) => table !== undefined);
  }
}

/** The name of an authority in lower case, without port, brackets and the dot of the root. */
export function hostOf(authority: string): string {
  const host = authority.replace(/:\d*$/, "").toLowerCase();
  if (host.startsWith("[") && host.endsWith("]")) return host.slice(1, -1);
  // A bare IPv6 address in a rule: what stands behind its last colon is no port.
  if (/:.*:/.test(authority) && !authority.startsWith("[")) return authority.toLowerCase();
  return host.endsWith(".") ? host.slice(0, -1) : host;
}

function find(
  tables: readonly PathTable[],
  path: string,
  request: OfferRequest,
): Entry | undefined {
  for (const table of tables) {
    const entry = table.find(path, request);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

/** What the backend is asked for by a route that strips its prefix, without the query. */
function strippedPath(
  { match }: Route,
  path: string,
  { normal, others }: { normal: string; others: readonly string[] },
): string | null {
  const rule = match.path;
  if (rule === null || !("prefix" in rule) || !rule.strip) return null;
  const length = rule.prefix.endsWith("/") ? rule.prefix.length - 1 : rule.prefix.length;
  const raw = mergeLeadingSlashes(path);
  if (others.length === 0 && raw.startsWith(rule.prefix)) return slashed(raw.slice(length));
  const prefix = normalizeEscapes(rule.prefix);
  return slashed(normal.slice(prefix.endsWith("/") ? prefix.length - 1 : prefix.length));
}

function slashed(path: string): string {
  return mergeLeadingSlashes(path.startsWith("/") ? path : `/${path}`);
}

/** All routes of one host, by their paths. */
class PathTable {
  readonly #exact = new Map<string, Entry[]>();
  readonly #regexps: { readonly regexp: LinearRegExp; readonly entry: Entry }[] = [];
  readonly #prefixes = new Map<string, Entry[]>();
  /** Of the prefixes, the longest first. */
  #lengths: number[] = [];
  readonly #any: Entry[] = [];

  add(entry: Entry): void {
    const { path } = entry.route.match;
    if (path === null) {
      this.#any.push(entry);
    } else if ("exact" in path) {
      append(this.#exact, normalizeEscapes(path.exact), entry);
    } else if ("regexp" in path) {
      this.#regexps.push({ regexp: new LinearRegExp(path.regexp.source), entry });
    } else {
      const prefix = normalizeEscapes(path.prefix);
      append(this.#prefixes, prefix, entry);
      this.#lengths = [...new Set([...this.#lengths, prefix.length])].sort((a, b) => b - a);
    }
  }

  /** `path` as it is compared; empty for a request that has none. */
  find(path: string, request: OfferRequest): Entry | undefined {
    const fits = (entry: Entry) => entry.fits(request);
    if (path === "") return this.#any.find(fits);
    return this.#exact.get(path)?.find(fits) ??
      this.#regexps.find(({ regexp, entry }) => fits(entry) && regexp.test(path))?.entry ??
      this.#findPrefix(path, fits) ??
      this.#any.find(fits);
  }

  #findPrefix(path: string, fits: (entry: Entry) => boolean): Entry | undefined {
    for (const length of this.#lengths) {
      if (length > path.length) continue;
      // A prefix ends where a segment does.
      if (length < path.length && path[length] !== "/" && path[length - 1] !== "/") continue;
      const found = this.#prefixes.get(path.slice(0, length))?.find(fits);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function append(map: Map<string, Entry[]>, key: string, entry: Entry): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [entry]);
  else list.push(entry);
}

function conditionsOf({ headers, methods }: RouteConditions): Entry["fits"] {
  const checks = headers.map(headerCheck);
  return ({ method, protocol, fields }) => {
    // RFC 8441 §5: CONNECT with :protocol stands for the GET with Upgrade.
    const asked = method === "CONNECT" && protocol !== null ? "GET" : method;
    return (methods.length === 0 || methods.includes(asked)) &&
      checks.every((check) => check(fields));
  };
}

function headerCheck(condition: HeaderCondition): (fields: readonly Field[]) => boolean {
  const { name } = condition;
  if ("present" in condition) {
    return (fields) => (getFields(fields, name).length > 0) === condition.present;
  }
  if ("value" in condition) return (fields) => getFields(fields, name).includes(condition.value);
  const regexp = new LinearRegExp(condition.regexp.source);
  return (fields) => getFields(fields, name).some((value) => regexp.test(value));
}
