import { checkNumbers, offAtZero } from "../net/numbers.ts";
import { CMUX_DEFAULTS, type CmuxOptions } from "../proxy/cmux.ts";
import type { ResolvePort } from "../proxy/cmux_ports.ts";
import type { Observer, SessionEnd, SessionStart } from "../proxy/observer.ts";
import type { ProxyOptions } from "../proxy/options.ts";
import type { Listener } from "../observe/told.ts";
import type { Log } from "../observe/log.ts";
import { parseCidrs } from "./cidr.ts";
import { proxyOptions, type ProxySetup } from "./proxy_options.ts";

/** What `createProxy` is told: the options of `proxyOptions`, and shorter words for some of them. */
export interface CreateProxyOptions extends Partial<Omit<ProxySetup, "observer">> {
  /**
   * `listen` or, without a certificate, `plainListen` at all addresses of the machine; 0 for any port
   * that is free.
   */
  listenPort?: number;
  /** Whether HTTP/2 is spoken. Default `true`. */
  enableHttp2?: boolean;
  /** Whether WebSockets and other tunnels are taken, 501 else. Default `true`. */
  enableWebsockets?: boolean;
  /** Connections at once over all doors. Default 1000. */
  maxConnections?: number;
  /** A connection ends when nothing was open on it for so long. Default 120 s. */
  idleTimeoutMs?: number;
  /**
   * Between packets that keep a QUIC connection open; 0 for none. Default 30 s, or half of
   * `idleTimeoutMs` if that is less.
   */
  keepaliveMs?: number;
  /**
   * Whether `X-Cmux-*` fields and host names choose ports, as with `h3ws proxy --cmux`, for clients
   * of loopback and private addresses. Default `false`. `cmux` instead says all of it.
   */
  headerRoutingEnabled?: boolean;
  /** With that: whether each workspace has a loopback address of its own. Default `true`. */
  workspaceIsolation?: boolean;
  /** With that: finds the ports of workspaces and containers. */
  resolvePort?: ResolvePort;
  /** Called once for each session that is open on both sides. */
  onOpen?: (session: SessionStart) => void | Promise<void>;
  /** Called once for each of them when it has ended; `session` is the one that `onOpen` got. */
  onClose?: (session: SessionStart, end: SessionEnd) => void | Promise<void>;
  /** Is told of as much as it has methods for. */
  observer?: Listener;
  /** Where lines go. Default: errors alone, to the console. */
  log?: Log;
  /** Stops the proxy, which then starts no more. */
  signal?: AbortSignal;
}

/** A client names ports of this machine: only those who are on it, or near it, may. */
const CLIENTS = parseCidrs("loopback, private");
const OWN: ReadonlySet<string> = new Set<Name>([
  ...["listenPort", "enableHttp2", "enableWebsockets", "headerRoutingEnabled"] as const,
  ...["workspaceIsolation", "resolvePort", "onOpen", "onClose", "log", "signal"] as const,
]);
const IDLE_TIMEOUT_MS = 120_000;
const KEEPALIVE_MS = 30_000;
const MAX_PORT = 65_535;
/** Times of which 0 is none. */
const TIMEOUTS = [
  ...["handshakeTimeoutMs", "readTimeoutMs", "writeTimeoutMs", "idleTimeoutMs"] as const,
  ...["dialTimeoutMs", "pongTimeoutMs"] as const,
];

/**
 * The options of `startProxy` for these.
 *
 * @throws {TypeError} for options that contradict each other, or a number that is none
 * @throws {UsageError} when `listen`, `plainListen`, `backend` or `path` is none
 */
export function createProxyOptions(options: CreateProxyOptions, observer: Observer): ProxyOptions {
  const said = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as CreateProxyOptions;
  checkNumbers(said);
  const given = offAtZero(said, TIMEOUTS);
  checkPort(given);
  const { enableHttp2, enableWebsockets } = given;
  atMostOne(given, "enableHttp2", "http2");
  atMostOne(given, "enableWebsockets", "tunnels");
  const at = addressesOf(given);
  const cmux = cmuxOf(given);
  const idleTimeoutMs = given.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
  const all = proxyOptions({
    keepaliveMs: Math.min(KEEPALIVE_MS, Math.floor(idleTimeoutMs / 2)),
    ...setupOf(given),
    ...(enableHttp2 !== undefined && { http2: enableHttp2 }),
    ...(enableWebsockets === false && { tunnels: { h1: false, h2: false, h3: false } }),
    ...{ idleTimeoutMs, cmux, observer, routes: routesOf(given, cmux) },
    ...{ listen: at.listen ?? undefined, plainListen: at.plainListen },
    backend: given.backend ?? "ws://127.0.0.1",
    certPem: given.certPem ?? "",
    keyPem: given.keyPem ?? "",
  });
  return at.listen === null ? { ...all, listen: null } : all;
}

/** Those that `proxyOptions` knows. */
function setupOf(given: CreateProxyOptions): Partial<Omit<ProxySetup, "observer">> {
  return Object.fromEntries(Object.entries(given).filter(([name]) => !OWN.has(name)));
}

/** Where it listens; `listen` is `null` for nowhere but in clear text. */
function addressesOf(
  given: CreateProxyOptions,
): { listen: string | null; plainListen: string | undefined } {
  const { certPem, keyPem, listenPort, listen, plainListen } = given;
  if ((certPem === undefined) !== (keyPem === undefined)) {
    throw new TypeError("certPem and keyPem: one is of no use without the other");
  }
  atMostOne(given, "listenPort", "listen");
  const port = listenPort === undefined ? undefined : `:${listenPort}`;
  if (certPem !== undefined) return { listen: port ?? listen ?? ":443", plainListen };
  if (listen !== undefined) {
    throw new TypeError("listen: TLS and QUIC need certPem and keyPem; plainListen does without");
  }
  atMostOne(given, "listenPort", "plainListen", "where there is no certPem");
  if (port === undefined && plainListen === undefined) {
    throw new TypeError("listenPort, listen or plainListen: one of them must be given");
  }
  return { listen: null, plainListen: port ?? plainListen };
}

function cmuxOf(given: CreateProxyOptions): CmuxOptions | null {
  const { headerRoutingEnabled = false, workspaceIsolation = true, resolvePort } = given;
  const words = ["headerRoutingEnabled", "workspaceIsolation", "resolvePort"] as const;
  for (const word of words) atMostOne(given, word, "cmux");
  if (!headerRoutingEnabled) {
    const idle = words.slice(1).find((word) => given[word] !== undefined);
    if (idle === undefined) return given.cmux ?? null;
    throw new TypeError(`${idle}: is for headerRoutingEnabled: true alone`);
  }
  return {
    ...CMUX_DEFAULTS,
    workspaceIsolation,
    clients: CLIENTS,
    // Beside others, what asks for no port is theirs.
    required: given.backend === undefined && given.routes === undefined,
    ...(resolvePort !== undefined && { resolvePort }),
  };
}

/** None where there is nothing but ports of workspaces. */
function routesOf(given: CreateProxyOptions, cmux: CmuxOptions | null): ProxyOptions["routes"] {
  const { routes = null, backend } = given;
  if (routes !== null || backend !== undefined) {
    if (routes !== null) atMostOne(given, "backend", "routes");
    return routes;
  }
  if (cmux !== null) return [];
  throw new TypeError("backend, routes or headerRoutingEnabled: one of them must be given");
}

type Name = keyof CreateProxyOptions;

function atMostOne(given: CreateProxyOptions, one: Name, other: Name, where = ""): void {
  if (given[one] === undefined || given[other] === undefined) return;
  const end = where === "" ? "" : ` ${where}`;
  throw new TypeError(`${one} and ${other}: they contradict each other, give one of them${end}`);
}

/** Of numbers that are ports, besides. */
function checkPort({ listenPort = 0 }: CreateProxyOptions): void {
  if (Number.isInteger(listenPort) && listenPort <= MAX_PORT) return;
  throw new TypeError(`listenPort: ${listenPort} is not a port, 0 to ${MAX_PORT}`);
}
