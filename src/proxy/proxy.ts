import type { Accepted } from "../ingress/door.ts";
import { H3Server } from "../ingress/h3_server.ts";
import type { HttpVersion } from "../ingress/offer.ts";
import { TcpDoor } from "../ingress/tcp_door.ts";
import type { Refusal } from "../net/accepted.ts";
import { Sweeper } from "../net/sweeper.ts";
import { TcpServer } from "../net/tcp_server.ts";
import { TlsServer } from "../net/tls_server.ts";
import type { PeerError } from "../protocol/wire/error.ts";
import type { CmuxRoutes } from "./cmux_routes.ts";
import { Handler } from "./handler.ts";
import { makeCmux, makeRoutes } from "./make_routes.ts";
import type { ErrorStage, Observer } from "./observer.ts";
import {
  type CertificatePair,
  type ListenAddress,
  ListenError,
  type Proxy,
  type ProxyOptions,
} from "./options.ts";
import type { Route } from "./route.ts";
import { closeForReload, MIN_SWEEP_MS, type Routes, sweepIntervalMs } from "./routes.ts";

/** Sessions get their Close within this part of a drain; the rest is for their answers. */
const DRAIN_SPREAD = 0.8;
/** Their deadlines are met this part of a drain late at most. */
const DRAIN_SWEEP = 0.05;
/** RFC 7838 §3: how long a client may remember it. */
const ALT_SVC_SECONDS = 86_400;
const MAX_HANDSHAKES = 1_024;

/** When any port will do, so many are tried until one is free for UDP and for TCP. */
const PORT_TRIES = 10;

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
      otherConnections: () => this.#tcp.served,
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
      h2cUpgrade: this.#options.h2cUpgrade,
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
      maxHandshakes: Math.max(MAX_HANDSHAKES, maxConnections),
      onHandshakeFailed: (refusal) => observer.handshakeFailed(refusal),
    });
  }

  #doorOptions(stage: ErrorStage) {
    const observer = this.#observer;
    return {
      sweeper: this.#sweeper,
      onOffer: (offer: Parameters<Handler["take"]>[0]) => this.#handler.take(offer),
      onHeadRefused: (status: number, client: string, message: string) => {
        const reason = status === 431 ? "header_size" : "bad_headers";
        observer.rejected({ reason, status, path: "", client, message });
      },
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
      maxHandshakes: MAX_HANDSHAKES,
      handshakeTimeoutMs,
      sweeper: this.#sweeper,
      onAccept: (conn: Accepted) => this.#tcp.take(conn),
      onRefused: (refusal: Refusal) => this.#observer.handshakeFailed(refusal),
      onBug: (where: string, error: unknown) => this.#observer.bug(where, error),
    };
  }

  #refused(client: string): void {
    const reason = this.#handler.draining ? "draining" : "max_connections";
    this.#observer.rejected({ reason, status: 0, path: "", client, message: "" });
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
    // All or nothing: QUIC changes once TCP is known to take every pair.
    const certificates = [{ certPem, keyPem }, ...others];
    const take = this.#tls?.prepare({ certificates });
    this.#h3.reload(certPem, keyPem);
    take?.();
  }

  reloadClientCa(clientCaPem: string): void {
    this.#tls?.prepare({ clientCaPem })();
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
