import type { Accepted } from "../ingress/door.ts";
import { H3Server } from "../ingress/h3_server.ts";
import type { HttpVersion, OfferRequest } from "../ingress/offer.ts";
import { TcpDoor } from "../ingress/tcp_door.ts";
import type { Refusal } from "../net/accepted.ts";
import type { QuicTransport } from "../net/quic.ts";
import { NetError, toNetError } from "../net/error.ts";
import { Sweeper } from "../net/sweeper.ts";
import { TcpServer } from "../net/tcp_server.ts";
import { TlsServer } from "../net/tls_server.ts";
import type { PeerError } from "../protocol/wire/error.ts";
import { type Answer, pathMatches, type PathRule } from "./answers.ts";
import type { BackendTarget } from "./backend.ts";
import { type CmuxOptions, cmuxUnreachable } from "./cmux.ts";
import { CmuxRoutes } from "./cmux_routes.ts";
import { Handler } from "./handler.ts";
import type { ErrorStage, Observer } from "./observer.ts";
import type { Route } from "./route.ts";
import {
  closeForReload,
  MIN_SWEEP_MS,
  type RouteDefaults,
  Routes,
  sweepIntervalMs,
} from "./routes.ts";

/** Where something listens. */
export interface ListenAddress {
  /** A name or an IP address, IPv6 without brackets. */
  hostname: string;
  /** 0 for any that is free. */
  port: number;
}

/** Another certificate beside the first, for the names that it has. */
export interface CertificatePair {
  /** The chain in PEM, the server's own first. */
  certPem: string;
  /** Its private key in PEM. */
  keyPem: string;
}

/** All that `startProxy` is told; `proxyOptions` fills in the defaults. */
export interface ProxyOptions extends RouteDefaults, QuicTransport {
  /** HTTP/3 by UDP; HTTP/2 and HTTP/1.1 over TLS by TCP at the same port number. */
  listen: ListenAddress;
  /** Whether HTTP/2 and HTTP/1.1 are served at `listen`. */
  tcp: boolean;
  /** HTTP/1.1 and HTTP/2 by prior knowledge in clear text; `null` for none. */
  plainListen: ListenAddress | null;
  /** The certificate chain in PEM, the server's own first. */
  certPem: string;
  /** Its private key in PEM. */
  keyPem: string;
  /** More certificates, chosen by SNI, for TCP. QUIC has one alone. */
  certificates: readonly CertificatePair[];
  /** PEM of those who sign the certificates that clients over TCP must have; `null` for none. */
  clientCaPem: string | null;
  /** Whether TCP connections begin with a PROXY header. */
  proxyProtocol: boolean;
  /** Where sessions go, if there are no `routes`. */
  backend: BackendTarget;
  /** Which paths are tunnels, if there are no `routes`. */
  path: PathRule;
  /** The protocols that may be upgraded to, in lower case, if there are no `routes`; `*` for any. */
  upgrades: readonly string[];
  /** Rules by host, path and header. */
  routes: readonly Route[] | null;
  /** Ports of workspaces and containers are found by host names and fields; `null` for not. */
  cmux: CmuxOptions | null;
  /** Whether ordinary requests go to backends too. */
  plain: boolean;
  /** The versions by which tunnels are taken. */
  tunnels: { readonly h1: boolean; readonly h2: boolean; readonly h3: boolean };
  /** Whose X-Forwarded-* and Forwarded are believed, by IP address; `null` for nobody's. */
  trustedProxies: ((ip: string) => boolean) | null;
  /** The port that Alt-Svc names; `null` for no Alt-Svc. 0 for that of `listen`. */
  altSvcPort: number | null;
  /** Sessions at once, with those that are being dialled; 503 above it. */
  maxSessions: number;
  /** Connections at once over all doors; refused above it. */
  maxConnections: number;
  /** Of one request's fields; 431 above it. */
  maxHeaderBytes: number;
  /** Of HTTP/2: how much a client may send that was not passed on, by stream and by connection. */
  h2WindowBytes: { readonly stream: number; readonly connection: number };
  /** Is told what happens. */
  observer: Observer;
  /** Answers ordinary requests before the router does; `null` leaves them to it. */
  page?: (request: OfferRequest) => Answer | null;
}

/** A proxy that listens. */
export interface Proxy {
  /** The address that it listens at. */
  readonly hostname: string;
  /** The port that it listens at, by UDP, and by TCP if it does. */
  readonly port: number;
  /** The port in clear text; `null` for none. */
  readonly plainPort: number | null;
  /** Sessions that are open now. */
  readonly sessions: number;
  /** Connections that are open now. */
  readonly connections: number;
  /** New connections get these certificates; throws `NetError` if unusable, and keeps the old. */
  reload(certPem: string, keyPem: string, others?: readonly CertificatePair[]): void;
  /**
   * From now on these routes. Sockets of routes that say the same as before stay; those of others
   * get Close 1012. Throws `SyntaxError` for a regular expression that can't be used, and keeps the
   * old.
   */
  replaceRoutes(routes: readonly Route[]): void;
  /** Takes nothing new, closes every session within `forMs`, then frees the port. */
  drain(forMs: number): Promise<void>;
  /** Ends everything at once. */
  stop(): Promise<void>;
}

/** Sessions get their Close within this part of a drain; the rest is for their answers. */
const DRAIN_SPREAD = 0.8;
/** Their deadlines are met this part of a drain late at most. */
const DRAIN_SWEEP = 0.05;
/** RFC 7838 §3: how long a client may remember it. */
const ALT_SVC_SECONDS = 86_400;
const MAX_TLS_HANDSHAKES = 1_024;

/** When any port will do, so many are tried until one is free for UDP and for TCP. */
const PORT_TRIES = 10;

/** A port can't be listened at, or a certificate not be used there. */
export class ListenError extends NetError {
  /** The name of the class. */
  override name = "ListenError";
  /** What was to be listened at: `listen` is both. */
  readonly transport: "UDP" | "TCP";
  /** Where. */
  readonly address: ListenAddress;

  /** An error whose kind and message are those of its cause. */
  constructor(transport: "UDP" | "TCP", address: ListenAddress, cause: unknown) {
    const { kind, message } = toNetError(cause);
    super(kind, message, cause);
    this.transport = transport;
    this.address = address;
  }
}

/** Resolves once it listens; rejects with `ListenError`, and then nothing is left. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  for (let left = PORT_TRIES;; left--) {
    const proxy = new ProxyServer(options);
    try {
      await proxy.listen();
      return proxy;
    } catch (error) {
      await proxy.stop();
      const taken = error instanceof ListenError && error.transport === "TCP" &&
        error.kind === "in_use" && options.listen.port === 0;
      if (!taken || left === 1) throw error;
    }
  }
}

class ProxyServer implements Proxy {
  readonly #options: ProxyOptions;
  readonly #observer: Observer;
  readonly #sweeper: Sweeper;
  readonly #routes: Routes;
  readonly #cmux: CmuxRoutes | null;
  readonly #handler: Handler;
  readonly #h3: H3Server;
  readonly #tcp: TcpDoor;
  #tls: TlsServer | null = null;
  #plain: TcpServer | null = null;

  /** Listens for HTTP/3. */
  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#observer = options.observer;
    this.#sweeper = new Sweeper(sweepIntervalMs(options));
    this.#routes = makeRoutes(options, this.#sweeper);
    this.#cmux = makeCmux(options, { sweeper: this.#sweeper, proxy: this });
    this.#handler = new Handler({
      ...options,
      cmux: this.#cmux,
      trustedProxies: options.trustedProxies ?? undefined,
      routes: this.#routes,
      sweeper: this.#sweeper,
      altSvc: (http) => this.#altSvc(http),
    });
    this.#tcp = this.#tcpDoor();
    try {
      this.#h3 = this.#h3Server();
    } catch (error) {
      this.#routes.stop();
      this.#sweeper.stop();
      throw new ListenError("UDP", options.listen, error);
    }
  }

  /** Listens for the other versions. */
  async listen(): Promise<void> {
    const { tcp, certPem, keyPem, certificates, clientCaPem, listen, plainListen } = this.#options;
    if (tcp) {
      const address = { hostname: listen.hostname, port: this.#h3.port };
      this.#tls = await TlsServer.listen({
        ...this.#acceptOptions(address),
        certificates: [{ certPem, keyPem }, ...certificates],
        clientCaPem,
      }).catch((error) => {
        throw new ListenError("TCP", address, error);
      });
    }
    if (plainListen === null) return;
    try {
      this.#plain = new TcpServer(this.#acceptOptions(plainListen));
    } catch (error) {
      throw new ListenError("TCP", plainListen, error);
    }
  }

  #h3Server(): H3Server {
    const { listen, handshakeTimeoutMs, tunnels } = this.#options;
    const observer = this.#observer;
    return new H3Server({
      ...this.#options,
      ...listen,
      enableConnectProtocol: tunnels.h3,
      otherConnections: () => this.#tcp.connections,
      ...this.#doorOptions("h3_framing"),
      headTimeoutMs: handshakeTimeoutMs,
      contentTimeoutMs: this.#options.readTimeoutMs,
      onPrerequestClose: (reason) => observer.prerequestClose(reason),
      onConnectionOpened: () => observer.connectionOpened("3"),
      onConnectionClosed: (info) => observer.connectionClosed("3", info),
      onConnectionRefused: () => this.#refused(""),
    });
  }

  #tcpDoor(): TcpDoor {
    const { tunnels, maxConnections, maxHeaderBytes, maxStreams, h2WindowBytes } = this.#options;
    const observer = this.#observer;
    return new TcpDoor({
      ...this.#doorOptions("http_framing"),
      maxHeaderBytes,
      headTimeoutMs: this.#options.handshakeTimeoutMs,
      contentTimeoutMs: this.#options.readTimeoutMs,
      idleTimeoutMs: this.#options.idleTimeoutMs,
      writeTimeoutMs: this.#options.writeTimeoutMs,
      h2: {
        maxConcurrentStreams: maxStreams,
        initialWindowBytes: h2WindowBytes.stream,
        connectionWindowBytes: h2WindowBytes.connection,
        enableConnectProtocol: tunnels.h2,
        // It gets the 501 that it gets over the other versions.
        givesUnaskedProtocol: true,
      },
      maxConnections: () => maxConnections - this.#h3.connections,
      onConnectionOpened: (http) => observer.connectionOpened(http),
      onConnectionClosed: (http, end) => observer.connectionClosed(http, end),
      onConnectionRefused: (remote) => this.#refused(remote),
    });
  }

  #doorOptions(stage: ErrorStage) {
    const observer = this.#observer;
    return {
      sweeper: this.#sweeper,
      onOffer: (offer: Parameters<Handler["take"]>[0]) => this.#handler.take(offer),
      onHeadRefused: (status: number, remote: string) =>
        observer.rejected(status === 431 ? "header_size" : "bad_headers", status, "", remote),
      onPeerError: (error: PeerError, remote: string) =>
        observer.failed(stage, error.message, remote),
      onBug: (where: string, error: unknown) => observer.bug(where, error),
    };
  }

  #acceptOptions(address: ListenAddress) {
    const { proxyProtocol, handshakeTimeoutMs } = this.#options;
    return {
      ...address,
      proxyProtocol,
      maxHandshakes: MAX_TLS_HANDSHAKES,
      handshakeTimeoutMs,
      sweeper: this.#sweeper,
      onAccept: (conn: Accepted) => this.#tcp.take(conn),
      onRefused: (refusal: Refusal) => this.#observer.handshakeFailed(refusal),
      onBug: (where: string, error: unknown) => this.#observer.bug(where, error),
    };
  }

  #refused(remote: string): void {
    const reason = this.#handler.draining ? "draining" : "max_connections";
    this.#observer.rejected(reason, 0, "", remote);
  }

  /** RFC 7838: HTTP/3 is here too; `clear` while nothing new is taken. */
  #altSvc(http: HttpVersion): string | null {
    const { altSvcPort, tcp } = this.#options;
    if (http === "3" || altSvcPort === null || !tcp) return null;
    if (this.#handler.draining) return "clear";
    return `h3=":${altSvcPort || this.#h3.port}"; ma=${ALT_SVC_SECONDS}`;
  }

  get hostname(): string {
    return this.#h3.hostname;
  }

  get port(): number {
    return this.#h3.port;
  }

  get plainPort(): number | null {
    return this.#plain?.port ?? null;
  }

  get sessions(): number {
    return this.#handler.sessions;
  }

  get connections(): number {
    return this.#h3.connections + this.#tcp.connections;
  }

  reload(certPem: string, keyPem: string, others: readonly CertificatePair[] = []): void {
    // First where a bad pair is told of in words that fit.
    this.#h3.reload(certPem, keyPem);
    this.#tls?.reload([{ certPem, keyPem }, ...others]);
  }

  replaceRoutes(routes: readonly Route[]): void {
    for (const { sessions } of this.#routes.replace(routes)) {
      for (const session of sessions) closeForReload(session);
    }
  }

  async drain(forMs: number): Promise<void> {
    this.#handler.drain();
    this.#tls?.close();
    this.#plain?.close();
    const drained = Promise.all([this.#h3.drain(), this.#tcp.drain()]);
    const nowMs = performance.now();
    this.#sweeper.quicken(Math.max(MIN_SWEEP_MS, forMs * DRAIN_SWEEP));
    for (const session of this.#sessions()) {
      session.closeAt(nowMs + Math.random() * forMs * DRAIN_SPREAD);
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, forMs));
    await Promise.race([drained, late]);
    clearTimeout(timer);
    await this.stop();
  }

  *#sessions() {
    for (const { sessions } of this.#routes.live) yield* sessions;
    for (const { sessions } of this.#cmux?.live ?? []) yield* sessions;
  }

  async stop(): Promise<void> {
    this.#handler.drain();
    // Before their connections end, for which the clients would be recorded.
    for (const session of this.#sessions()) session.stop();
    this.#tls?.close();
    this.#plain?.close();
    this.#tcp.close();
    await this.#h3.close();
    this.#routes.stop();
    this.#cmux?.stop();
    this.#sweeper.stop();
  }
}

function makeCmux(
  options: ProxyOptions,
  { sweeper, proxy }: { sweeper: Sweeper; proxy: Proxy },
): CmuxRoutes | null {
  const { cmux, listen, plainListen, maxHeaderBytes } = options;
  if (cmux === null) return null;
  // A port that is ours would lead back here.
  const own = () => [
    { hostname: listen.hostname, port: proxy.port },
    ...(plainListen === null || proxy.plainPort === null
      ? []
      : [{ hostname: plainListen.hostname, port: proxy.plainPort }]),
  ];
  return new CmuxRoutes({ ...cmux, listening: () => [...cmux.listening(), ...own()] }, {
    defaults: options,
    sweeper,
    maxHeaderBytes,
    onBackend: () => {},
    unreachable: cmuxUnreachable,
  });
}

/** The routes that were given, or the one that `backend` and `path` are. */
function makeRoutes(options: ProxyOptions, sweeper: Sweeper): Routes {
  const { observer, backend, path, upgrades } = options;
  const common = {
    defaults: options,
    sweeper,
    onBackend: (_: Route, { url, up, reason }: { url: string; up: boolean; reason: string }) =>
      observer.backendChanged(url, up, reason),
  };
  if (options.routes !== null) return new Routes({ ...common, routes: options.routes });
  const route: Route = {
    name: "default",
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
  return new Routes({
    ...common,
    routes: [route],
    match: (request) =>
      pathMatches(path, request.path) ? { kind: "route", route, path: request.path } : null,
  });
}
