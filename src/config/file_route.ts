import { z } from "zod";
import type {
  ActiveHealth,
  FieldRules,
  PassiveHealth,
  Route,
  RouteLimits,
  RoutePath,
} from "../proxy/route.ts";
import type { Backend } from "./backend.ts";
import {
  parseBalance,
  parseChangedName,
  parseCondition,
  parseHost,
  parseMethod,
  parseOrigin,
  parsePrefix,
  parseRoutePath,
  parseSet,
} from "./file_route_values.ts";
import { map, ofKind, oneOrMore, text, valueOf } from "./file_values.ts";
import { choice, count, duration, onOff, protocols } from "./kinds.ts";
import { proxyFlags } from "./proxy.ts";

/** A route as a file has it: its backends are not yet what is dialled. */
export interface RouteConfig extends Omit<Route, "backends" | "upgrades"> {
  /** Empty for that of the whole proxy. */
  readonly backends: readonly Backend[];
  /** Certificates in PEM that the backends' may be signed by; `null` as in the whole proxy. */
  readonly backendCaFile: string | null;
  /** `null` as in the whole proxy. */
  readonly backendInsecure: boolean | null;
  /** The version of the PROXY header for the backends; `undefined` as in the whole proxy. */
  readonly backendProxyProtocol: 1 | 2 | null | undefined;
  /** `null` as in the whole proxy. */
  readonly upgrades: readonly string[] | null;
}

const { backend, backendCaFile, backendInsecure, backendProxyProtocol } = proxyFlags;

/** The limits that a route may have of its own, each as the flag of the same name. */
const LIMITS = [
  ...[
    "maxSessions",
    "maxFrameBytes",
    "maxMessageBytes",
    "readTimeoutMs",
    "writeTimeoutMs",
  ] as const,
  ...["pingIntervalMs", "pongTimeoutMs", "dialTimeoutMs", "handshakeTimeoutMs"] as const,
];

const limits = map(
  Object.fromEntries(LIMITS.map((field) => {
    const { name, kind, meaning } = proxyFlags[field];
    return [name, ofKind(kind, meaning).optional()];
  })),
  "what differs from the flags of the same names; limits and timeouts stand here",
);

const match = map({
  host: oneOrMore(
    valueOf(parseHost, { type: "string", title: "host" }),
    "a.example, or *.a.example for every name below it, without port; default any",
  ).optional(),
  path: valueOf(parseRoutePath, {
    type: "string",
    title: "path",
    description: "exact, or a regular expression that begins with ^",
  }).optional(),
  prefix: valueOf(parsePrefix, {
    type: "string",
    title: "path",
    description: "instead of path: /api takes /api and all below it",
  }).optional(),
  strip: ofKind(onOff, "whether the backend gets the path without the prefix; default false")
    .optional(),
  headers: oneOrMore(
    valueOf(parseCondition, {
      type: "object",
      title: "{ name, value }, { name, regexp } or { name, present }",
      properties: {
        name: { type: "string" },
        value: { type: "string" },
        regexp: { type: "string" },
        present: { type: "boolean" },
      },
      required: ["name"],
      additionalProperties: false,
    }),
    "fields of the request: one value is this, one fits this, the field is there (true) or not (false); all must hold",
  ).optional(),
  method: oneOrMore(
    valueOf(parseMethod, { type: "string", title: "method" }),
    "in capitals; a WebSocket's is GET by every version; default any",
  ).optional(),
}, "which requests it takes; all conditions must hold; default all");

const ASK_PATH = text((path) => /^\/[\x21-\x7e]*$/.test(path), {
  allowed: "a path (/health)",
  meaning: "what is asked for; default /",
  problem: "is not a path",
});

const active = map({
  kind: ofKind(
    choice(["websocket", "get"]),
    "a handshake, or a GET that must give 200 to 399; default websocket",
  )
    .optional(),
  path: ASK_PATH.optional(),
  interval: ofKind(duration({ min: 100 }), "between two checks; default 10s").optional(),
  timeout: ofKind(duration(), "of one check; default 5s").optional(),
  "unhealthy-after": ofKind(count(), "failures in a row; default 3").optional(),
  "healthy-after": ofKind(count(), "successes in a row; default 2").optional(),
}, "asks each backend again and again; {} for the defaults");

const passive = map({
  failures: ofKind(count(), "in a row; default 3").optional(),
  for: ofKind(duration(), "how long it is down then; default 30s").optional(),
}, "learns from sessions and requests that fail; {} for the defaults");

const fieldRules = (about: string) =>
  map({
    set: valueOf(parseSet, {
      type: "object",
      title: "map of names and values",
      description: "each stands once, whatever was there",
      additionalProperties: { type: ["string", "number"] },
    }).optional(),
    remove: oneOrMore(
      valueOf(parseChangedName, { type: "string", title: "name" }),
      "taken away before set",
    ).optional(),
  }, about);

/** What routes have, and `defaults` may say for all of them. */
const SHARED = {
  "backend-ca": ofKind(backendCaFile.kind, backendCaFile.meaning).optional(),
  "backend-insecure": ofKind(backendInsecure.kind, backendInsecure.meaning).optional(),
  "proxy-protocol": ofKind(backendProxyProtocol.kind, backendProxyProtocol.meaning).optional(),
  balance: valueOf(parseBalance, {
    anyOf: [
      { enum: ["round-robin", "least-sessions"] },
      { type: "object", required: ["hash"], additionalProperties: false, properties: { hash: {} } },
    ],
    title:
      "round-robin|least-sessions, or { hash: ip }, { hash: { header: name } }, { hash: { cookie: name } }",
    description:
      "which backend is tried first; a hash keeps those with the same value at one; default round-robin",
  }).optional(),
  health: map(
    { active: active.optional(), passive: passive.optional() },
    "which backends are left out; default none",
  ).optional(),
  limits: limits.optional(),
  "allowed-origins": oneOrMore(
    valueOf(parseOrigin, { type: "string", title: "origin" }),
    "what Origin of a WebSocket may be, if it is there; 403 else; default any",
  ).optional(),
  upgrades: oneOrMore(ofKind(protocols), "what may be upgraded to; default as --upgrade")
    .optional(),
  headers: map({
    request: fieldRules("on the way to the backend").optional(),
    response: fieldRules("on the way to the client").optional(),
  }, "header fields that are changed; those of defaults hold too").optional(),
  "keep-host": ofKind(
    onOff,
    "whether the backend gets the client's Host, or else its own; default true",
  ).optional(),
};

const backendUrl = ofKind(backend.kind);

export const defaultsSchema = map(SHARED, "what all routes have that do not say otherwise");

export const routeSchema = map({
  name: text((name) => /^[\w.:/*^-]{1,64}$/.test(name), {
    allowed: "1 to 64 letters, digits and . : / * ^ _ -",
    meaning:
      "by which a route that is changed keeps what is known of its backends; default of host and path",
  }).optional(),
  enabled: ofKind(onOff, "a route that is off takes no request; default true").optional(),
  match: match.optional(),
  backend: ofKind(backend.kind, `${backend.meaning}; default that at the top`).optional(),
  backends: oneOrMore(
    backendUrl,
    "several, instead of backend; one that can't be dialled leaves the request to the next",
  ).optional(),
  ...SHARED,
});

type Defaults = z.output<typeof defaultsSchema>;
type RouteInput = z.output<typeof routeSchema>;

/** What a route comes to with the file's defaults. */
export function routeConfig(
  route: RouteInput,
  { name, defaults }: { name: string; defaults: Defaults },
): RouteConfig {
  const set = { ...defaults, ...route };
  const health = { ...defaults.health, ...route.health };
  return {
    name,
    enabled: route.enabled ?? true,
    match: {
      hosts: route.match?.host ?? [],
      path: pathOf(route.match ?? {}),
      headers: route.match?.headers ?? [],
      methods: route.match?.method ?? [],
    },
    backends: route.backends ?? (route.backend === undefined ? [] : [route.backend]),
    backendCaFile: set["backend-ca"] ?? null,
    backendInsecure: set["backend-insecure"] ?? null,
    backendProxyProtocol: set["proxy-protocol"],
    balance: set.balance ?? "round-robin",
    health: {
      ...(health.active && { active: activeHealth(health.active) }),
      ...(health.passive && { passive: passiveHealth(health.passive) }),
    },
    limits: limitsOf({ ...defaults.limits, ...route.limits }),
    allowedOrigins: set["allowed-origins"] ?? null,
    upgrades: set.upgrades?.flat() ?? null,
    headers: {
      request: fieldRulesOf(defaults.headers?.request, route.headers?.request),
      response: fieldRulesOf(defaults.headers?.response, route.headers?.response),
    },
    keepHost: set["keep-host"] ?? true,
  };
}

const MAX_NAME = 64;

/** How a route is called that has no name: `*.a.example/api/`. */
export function derivedName({ match }: RouteInput): string {
  const path = pathOf(match ?? {});
  const text = path === null
    ? "/*"
    : "exact" in path
    ? path.exact
    : "prefix" in path
    ? `${path.prefix.replace(/\/$/, "")}/*`
    : path.regexp.source.replaceAll("\\/", "/");
  return `${match?.host?.[0] ?? "*"}${text}`.slice(0, MAX_NAME);
}

function pathOf(match: NonNullable<RouteInput["match"]>): RoutePath | null {
  const { path, prefix, strip = false } = match;
  if (prefix !== undefined) return { prefix, strip };
  return path ?? null;
}

function activeHealth(input: z.output<typeof active>): ActiveHealth {
  return {
    kind: input.kind ?? "websocket",
    path: input.path ?? "/",
    intervalMs: input.interval ?? 10_000,
    timeoutMs: input.timeout ?? 5000,
    unhealthyAfter: input["unhealthy-after"] ?? 3,
    healthyAfter: input["healthy-after"] ?? 2,
  };
}

function passiveHealth(input: z.output<typeof passive>): PassiveHealth {
  return { failures: input.failures ?? 3, forMs: input.for ?? 30_000 };
}

function limitsOf(input: Readonly<Record<string, number | undefined>>): RouteLimits {
  const given: Record<string, number> = {};
  for (const field of LIMITS) {
    const value = input[proxyFlags[field].name];
    if (value !== undefined) given[field] = value;
  }
  return given;
}

interface FieldRulesInput {
  readonly set?: Record<string, string>;
  readonly remove?: string[];
}

function fieldRulesOf(defaults: FieldRulesInput = {}, own: FieldRulesInput = {}): FieldRules {
  const { set = {}, remove = [] } = own;
  // What a route removes is not set again by the defaults.
  const inherited = Object.entries(defaults.set ?? {}).filter(([name]) => !remove.includes(name));
  return {
    set: { ...Object.fromEntries(inherited), ...set },
    remove: [...new Set([...defaults.remove ?? [], ...remove])],
  };
}
