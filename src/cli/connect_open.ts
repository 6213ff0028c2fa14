import { type ConnectOptions, connectWebSocket, UpgradeRefused } from "../client/connect.ts";
import { Connections } from "../client/connections.ts";
import type { Socket } from "../endpoint/socket.ts";
import type { ClientCertificate, Dial, TlsAbout } from "../net/dial.ts";
import type { HttpProxy } from "../net/http_proxy.ts";
import { type Field, getField } from "../protocol/wire/field.ts";
import type { OpenEvent } from "./connect_format.ts";
import { dialWith } from "./dial_with.ts";

/** What to connect to, and how. */
export interface Plan {
  readonly url: string;
  readonly http: "auto" | "1.1" | "2" | "3";
  readonly protocols: readonly string[];
  /** Those that belong to the URL's origin alone, such as Authorization, and all others. */
  readonly headers: readonly Field[];
  readonly host?: string;
  readonly caCerts?: string[];
  readonly insecure: boolean;
  readonly clientCertificate?: ClientCertificate;
  /** The proxy for a URL; `null` for none. */
  readonly proxyFor: (url: string) => HttpProxy | null;
  readonly followsRedirects: boolean;
  readonly timeoutMs: number;
}

export interface OpenHooks {
  readonly ways: Ways;
  /** Called before each attempt: redirects lead to others. */
  readonly onTry?: (plan: Plan) => void;
  readonly signal: AbortSignal;
  readonly onPing: (payload: Uint8Array) => void;
  readonly onPong: (payload: Uint8Array) => void;
}

export interface Opened {
  readonly socket: Socket;
  readonly about: OpenEvent;
}

/**
 * What is known of where HTTP/3 is spoken, for all that are opened one after the other. No connection
 * outlives its socket: one that was lost may be as dead as that.
 */
export class Ways {
  readonly connections: Connections = new Connections({ idleTimeoutMs: 0, idleQuicTimeoutMs: 0 });
  /** Of the TLS that was spoken last over TCP. */
  tls: TlsAbout | null = null;
  readonly #dials = new Map<string, Dial>();

  /** How a plan dials by TCP: the same function for the same way, as that is what is known by. */
  dialOf(plan: Plan): Dial {
    const { clientCertificate } = plan;
    const proxy = proxyOf(plan) ?? undefined;
    const key = JSON.stringify([proxy, clientCertificate]);
    const onSecure = (about: TlsAbout) => void (this.tls = about);
    const dial = this.#dials.get(key) ?? dialWith({ proxy, clientCertificate, onSecure });
    this.#dials.set(key, dial);
    return dial;
  }
}

/** A redirect that is not followed: why, in one line. */
export class RedirectError extends Error {
  override name = "RedirectError";
}

const MAX_REDIRECTS = 5;
// RFC 9110 §15.4: those that name another place for the same request.
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Opens the WebSocket of a plan.
 *
 * @throws {RedirectError} for a redirect that it does not follow although it may follow some
 * @throws what `connectWebSocket` throws
 */
export async function open(plan: Plan, hooks: OpenHooks): Promise<Opened> {
  let at = plan;
  for (let left = MAX_REDIRECTS;; left--) {
    hooks.onTry?.(at);
    try {
      return await openOne(at, hooks);
    } catch (error) {
      const next = plan.followsRedirects ? redirect(error, at.url) : null;
      if (next === null) throw error;
      if (left === 0) throw new RedirectError(`more than ${MAX_REDIRECTS} redirects, to ${next}`);
      at = { ...at, url: next, ...(!isSameOrigin(next, at.url) && withoutSecrets(at)) };
    }
  }
}

/** Where an answer leads; `null` if it is none that leads anywhere. Throws `RedirectError`. */
function redirect(error: unknown, from: string): string | null {
  if (!(error instanceof UpgradeRefused) || !REDIRECTS.has(error.status)) return null;
  const location = getField(error.fields, "location");
  const next = location === null ? null : URL.parse(location, from);
  if (next === null) return null;
  next.protocol = next.protocol.replace(/^http/, "ws");
  next.hash = "";
  if (!/^wss?:$/.test(next.protocol)) {
    throw new RedirectError(`it redirects to ${next.href}, which is no WebSocket`);
  }
  if (isSecure(from) && next.protocol === "ws:") {
    throw new RedirectError(`it redirects to ${next.href}, which is not secure any more`);
  }
  return next.href;
}

function isSecure(url: string): boolean {
  return /^(?:wss|https):/.test(url);
}

function isSameOrigin(one: string, other: string): boolean {
  const [a, b] = [new URL(one), new URL(other)];
  return a.host === b.host && isSecure(one) === isSecure(other);
}

// Fetch §4.4: they are for the origin that they were given for.
const SECRETS: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"]);

function withoutSecrets({ headers }: Plan): Partial<Plan> {
  return {
    headers: headers.filter(([name]) => !SECRETS.has(name)),
    host: undefined,
    clientCertificate: undefined,
  };
}

async function openOne(plan: Plan, { ways, signal, onPing, onPong }: OpenHooks): Promise<Opened> {
  const { url, http } = plan;
  const proxy = proxyOf(plan);
  ways.tls = null;
  const options: ConnectOptions = {
    ...{ connections: ways.connections, httpVersion: http, tcpOnly: isTcpOnly(plan) },
    ...pick(plan),
    ...{ signal, onPing, onPong, dial: ways.dialOf(plan) },
  };
  const startedMs = performance.now();
  const socket = await connectWebSocket(url, options);
  return {
    socket,
    about: {
      ...{ url, http: socket.http, tls: socket.http === "3" ? null : ways.tls },
      tookMs: performance.now() - startedMs,
      proxy: proxy === null ? null : `${proxy.hostname}:${proxy.port}`,
      ...{ protocol: socket.protocol, extensions: socket.extensions },
    },
  };
}

/** The proxy that it goes through; `null` for none. */
export function proxyOf({ url, http, proxyFor }: Plan): HttpProxy | null {
  return http === "3" ? null : proxyFor(url);
}

/** Whether it has what HTTP/3 can't have. */
export function isTcpOnly(plan: Plan): boolean {
  return plan.insecure || plan.clientCertificate !== undefined || proxyOf(plan) !== null;
}

function pick({ protocols, headers, host, caCerts, insecure, timeoutMs }: Plan): ConnectOptions {
  return { protocols, headers, host, caCerts, insecure, timeoutMs };
}
