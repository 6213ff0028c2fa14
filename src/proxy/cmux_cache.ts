import { Deadline, type Sweeper } from "../net/sweeper.ts";
import type { CmuxOptions } from "./cmux.ts";
import {
  isPort,
  parseTarget,
  type PortAsk,
  portKey,
  type PortLookup,
  PortLookupError,
  type PortTarget,
  shown,
} from "./cmux_ports.ts";

/** Finds a port, maybe as `host:port`; it may throw anything. `signal` ends it when it is late. */
export type PortResolver = (
  ask: PortAsk,
  signal: AbortSignal,
) => string | PortTarget | null | Promise<string | PortTarget | null>;

/** How long the answers of a resolver are kept, and how many. */
export interface PortCacheOptions {
  readonly sweeper: Sweeper;
  /** Of a port that was found. */
  readonly ttlMs: number;
  /** Of one that is not there, and of a failure. */
  readonly negativeTtlMs: number;
  /** After this the resolver is given up: 504. */
  readonly timeoutMs: number;
  /** Above it the oldest answer is forgotten; 503 where so many are still looked for. */
  readonly maxEntries: number;
  /** The resolver failed: once for each time that it was asked. */
  readonly onFailed: (ask: PortAsk, error: unknown) => void;
  /** A clock in milliseconds. */
  readonly now?: () => number;
}

/** The cached answer of the cmux proxy lives for two seconds. */
export const PORT_CACHE_DEFAULTS = {
  ttlMs: 2000,
  negativeTtlMs: 500,
  timeoutMs: 5000,
  maxEntries: 1024,
} as const;

interface Entry {
  readonly answer: Promise<PortTarget | null>;
  /** Infinity while it is looked for. */
  expiresMs: number;
}

/** Asks a resolver once for all that want the same port at a time, and keeps what it said. */
export function cachedPorts(resolver: PortResolver, options: PortCacheOptions): PortLookup {
  const { ttlMs, negativeTtlMs, maxEntries, onFailed, now = () => performance.now() } = options;
  const entries = new Map<string, Entry>();
  return (ask) => {
    const key = `${ask.kind} ${portKey(ask)}`;
    const known = entries.get(key);
    if (known !== undefined && now() < known.expiresMs) return known.answer;
    entries.delete(key);
    makeRoom(entries, maxEntries);
    const answer = resolveInTime(resolver, ask, options);
    const entry: Entry = { answer, expiresMs: Infinity };
    entries.set(key, entry);
    answer.then(
      (target) => entry.expiresMs = now() + (target === null ? negativeTtlMs : ttlMs),
      (error: PortLookupError) => {
        entry.expiresMs = now() + negativeTtlMs;
        onFailed(ask, error.cause ?? error);
      },
    );
    return answer;
  };
}

/** Where `options` have ports looked up: in what is known, then by the program's own resolver. */
export function portLookupOf(
  { portLookup, resolvePort, resolveTtlMs: ttlMs = PORT_CACHE_DEFAULTS.ttlMs }: CmuxOptions,
  control: Pick<PortCacheOptions, "sweeper" | "onFailed">,
): PortLookup | null {
  if (resolvePort === undefined) return portLookup;
  const resolver: PortResolver = ({ kind, name, port }, signal) =>
    resolvePort(name, port, { kind, signal });
  const negativeTtlMs = Math.min(PORT_CACHE_DEFAULTS.negativeTtlMs, ttlMs);
  const cached = cachedPorts(resolver, {
    ...PORT_CACHE_DEFAULTS,
    ttlMs,
    negativeTtlMs,
    ...control,
  });
  if (portLookup === null) return cached;
  return async (ask) => await portLookup(ask) ?? await cached(ask);
}

function makeRoom(entries: Map<string, Entry>, maxEntries: number): void {
  if (entries.size < maxEntries) return;
  for (const [key, { expiresMs }] of entries) {
    if (expiresMs === Infinity) continue;
    entries.delete(key);
    return;
  }
  throw new PortLookupError(503, "too many port lookups");
}

async function resolveInTime(
  resolver: PortResolver,
  ask: PortAsk,
  { sweeper, timeoutMs }: PortCacheOptions,
): Promise<PortTarget | null> {
  const controller = new AbortController();
  const late = Promise.withResolvers<never>();
  const deadline = new Deadline(sweeper, timeoutMs, () => {
    const error = new PortLookupError(504, "port lookup timed out");
    controller.abort(error);
    late.reject(error);
  });
  try {
    return checked(await Promise.race([resolver(ask, controller.signal), late.promise]));
  } catch (error) {
    if (error instanceof PortLookupError) throw error;
    throw new PortLookupError(502, "port lookup failed", error);
  } finally {
    deadline.clear();
  }
}

/** A resolver may be plain JavaScript. */
function checked(found: string | PortTarget | null): PortTarget | null {
  if (found === null || found === undefined) return null;
  const target = typeof found === "string" ? parseTarget(found) ?? NaN : found;
  const port = typeof target === "object" && target.unixPath === undefined ? target.port : target;
  if (typeof port === "object" || (typeof port === "number" && isPort(port))) return target;
  throw new TypeError(`the resolver gave ${shown(found)}, which is no port`);
}
