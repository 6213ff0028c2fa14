import type { Socket } from "../endpoint/socket.ts";
import { type Doors, listenDoors } from "../ingress/doors.ts";
import { expectedTunnel } from "../ingress/handshake.ts";
import type { OtherQuic } from "../ingress/h3_connection.ts";
import type { HttpVersion, Offer, OfferRequest } from "../ingress/offer.ts";
import { timerMs } from "../net/numbers.ts";
import { Sweeper } from "../net/sweeper.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import type { WebSocketHandler } from "./exchange.ts";
import { Fetches } from "./fetch.ts";
import { consoleLog, type Telling, tellingOf } from "./observer.ts";
import { readOptions, type ServeOptions, type ServerConfig } from "./options.ts";
import { Refuser } from "./refuse.ts";
import { Sockets } from "./sockets.ts";

/** Where a server listens. */
export interface ServerAddress {
  /** UDP for HTTP/3. */
  readonly transport: "udp" | "tcp";
  /** An IP address, IPv6 without brackets. */
  readonly hostname: string;
  /** Never 0. */
  readonly port: number;
  /** Whether TLS is spoken there. */
  readonly secure: boolean;
  /** The versions of HTTP that are served there. */
  readonly versions: readonly HttpVersion[];
}

/** A server that listens. */
export interface Server extends AsyncDisposable {
  /** The port of `listen`, by UDP and TCP; `null` where there is none. */
  readonly port: number | null;
  /** The port in clear text; `null` for none. */
  readonly plainPort: number | null;
  /** All that it listens at. */
  readonly addresses: readonly ServerAddress[];
  /**
   * Resolves once it has stopped, and its ports are free; but a UDP port that was any (0) only when
   * Deno next collects garbage.
   */
  readonly finished: Promise<void>;
  /** Connections that are open now, over all versions. */
  readonly connections: number;
  /** WebSockets that are open now. */
  readonly sockets: ReadonlySet<Socket>;
  /**
   * Takes nothing new, sends Close 1001 to every WebSocket, and stops when the last request is
   * answered and the last handler has returned, or after `forMs` (default 10 s, `Infinity` to wait for
   * them all). To dispose of the server does the same.
   */
  shutdown(forMs?: number): Promise<void>;
  /** Ends everything at once. */
  stop(): Promise<void>;
  /**
   * New connections get these certificates; throws `NetError` if one of them is unusable, and keeps
   * all of the old.
   */
  reload(certPem: string, keyPem: string, others?: readonly CertificatePair[]): void;
  /** The same for those who sign clients' certificates. */
  reloadClientCa(clientCaPem: string): void;
}

const SHUTDOWN_MS = 10_000;
const MIN_SWEEP_MS = 10;
const MAX_SWEEP_MS = 1000;

/**
 * Serves WebSockets, and ordinary requests where `options.fetch` is given, over HTTP/3, HTTP/2 and
 * HTTP/1.1. Resolves once it listens.
 *
 * The handler is called for each request for a WebSocket. It answers with `request.accept()` or
 * `request.reject()`, or else the client gets 500. Its socket is open for as long as the handler
 * runs: when it returns the socket is closed with 1000, when it throws with 1011, and the server
 * lives. Without a handler no WebSockets are taken.
 *
 * @throws {TypeError} for options that don't fit together
 * @throws {RangeError} for window bits of permessage-deflate that are none of 8 to 15
 * @throws {ListenError} when a port can't be listened at, or a certificate not be used; then
 * nothing is left
 */
export async function serve(
  options: ServeOptions,
  handler: WebSocketHandler | null = null,
): Promise<Server> {
  return await serveBeside(options, handler);
}

/** The same, where something else is spoken over QUIC at the port of `listen`. */
export async function serveBeside(
  options: ServeOptions,
  handler: WebSocketHandler | null,
  otherQuic?: OtherQuic,
): Promise<Server> {
  const { signal } = options;
  signal?.throwIfAborted();
  const server = new HttpServer(options, handler, otherQuic);
  await server.listen();
  const stop = () => void server.stop();
  signal?.addEventListener("abort", stop, { once: true });
  void server.finished.then(() => signal?.removeEventListener("abort", stop));
  if (signal?.aborted) stop();
  try {
    options.onListen?.(server.addresses);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

class HttpServer implements Server {
  readonly finished: Promise<void>;
  readonly #config: ServerConfig;
  readonly #otherQuic: OtherQuic | undefined;
  readonly #sweeper: Sweeper;
  readonly #observer: Telling;
  readonly #refuser: Refuser;
  readonly #sockets: Sockets | null;
  readonly #fetches: Fetches | null;
  #listening: Doors | null = null;
  #stopping: Promise<void> | null = null;
  #finish!: () => void;

  constructor(options: ServeOptions, handler: WebSocketHandler | null, otherQuic?: OtherQuic) {
    this.#otherQuic = otherQuic;
    const config = this.#config = readOptions(options);
    const log = options.log ?? consoleLog;
    const sweeper = this.#sweeper = new Sweeper(sweepIntervalMs(config));
    const observer = this.#observer = tellingOf(options.observer ?? {}, log);
    const altSvc = (http: HttpVersion) => this.#listening?.altSvc(http) ?? null;
    const { writeTimeoutMs, fetch, onError } = config;
    const refuser = this.#refuser = new Refuser({ sweeper, writeTimeoutMs, observer, altSvc });
    const server = () => ({ address: this.#doors.hostname, port: this.#doors.port });
    this.#sockets = handler === null
      ? null
      : new Sockets({ config, handler, sweeper, observer, log, refuser, altSvc, server });
    this.#fetches = fetch === null ? null : new Fetches({ fetch, onError, altSvc, log });
    this.finished = new Promise((resolve) => this.#finish = resolve);
  }

  async listen(): Promise<void> {
    const { versions } = this.#config;
    const { h1, h2, h3 } = versions;
    const takes = this.#sockets !== null;
    await listenDoors({
      ...this.#config,
      quic: h3,
      tcp: h1 || h2,
      alpnProtocols: [...(h2 ? ["h2"] : []), ...(h1 ? ["http/1.1"] : [])],
      tunnels: { h2: takes && h2, h3: takes && h3 },
      // As `Deno.serve` has it: a handler is told.
      goneAtFin: true,
      otherQuic: this.#otherQuic,
      sweeper: this.#sweeper,
      observer: this.#observer,
      onOffer: (offer) => this.#take(offer),
    }, (doors) => this.#listening = doors).catch((error) => {
      this.#sweeper.stop();
      throw error;
    });
  }

  get #doors(): Doors {
    if (this.#listening === null) throw new Error("The server does not listen yet");
    return this.#listening;
  }

  async #take(offer: Offer): Promise<void> {
    const { request } = offer;
    if (!this.#serves(request.http)) {
      return await this.#refuser.refuse(offer, { status: 505, text: "this version is off" });
    }
    if (this.#sockets !== null && asksForWebSocket(request)) return await this.#sockets.take(offer);
    // RFC 9220 §3: 501 for a :protocol that is not known; RFC 9110 §9.3.6: this is no proxy.
    if (request.method === "CONNECT") {
      return await this.#refuser.refuse(offer, {
        ...{ status: 501, text: "no such tunnel", rejected: "protocol" },
      });
    }
    if (this.#fetches !== null) return await this.#fetches.take(offer);
    await this.#refuser.refuse(offer, expectedTunnel(request));
  }

  #serves(http: HttpVersion): boolean {
    const { h1, h2, h3 } = this.#config.versions;
    return http === "1.1" ? h1 : http === "2" ? h2 : h3;
  }

  get port(): number | null {
    return this.#doors.port || null;
  }

  get plainPort(): number | null {
    return this.#doors.plainPort;
  }

  get addresses(): readonly ServerAddress[] {
    const { hostname, port, plainPort, plainHostname, hasQuic, hasTls } = this.#doors;
    const overTcp = (["2", "1.1"] as const).filter((http) => this.#serves(http));
    const addresses: ServerAddress[] = [];
    if (hasQuic) {
      addresses.push({ transport: "udp", hostname, port, secure: true, versions: ["3"] });
    }
    const tcp = { transport: "tcp", versions: overTcp } as const;
    if (hasTls) addresses.push({ ...tcp, hostname, port, secure: true });
    if (plainPort !== null) {
      addresses.push({ ...tcp, hostname: plainHostname!, port: plainPort, secure: false });
    }
    return addresses;
  }

  get connections(): number {
    return this.#doors.connections;
  }

  get sockets(): ReadonlySet<Socket> {
    return this.#sockets?.open ?? new Set();
  }

  reload(certPem: string, keyPem: string, others?: readonly CertificatePair[]): void {
    this.#doors.reload(certPem, keyPem, others);
  }

  reloadClientCa(clientCaPem: string): void {
    this.#doors.reloadClientCa(clientCaPem);
  }

  async shutdown(forMs: number = SHUTDOWN_MS): Promise<void> {
    if (this.#stopping !== null) return await this.#stopping;
    const drained = this.#doors.drain();
    this.#sockets?.drain();
    const done = Promise.all([drained, this.#sockets?.idle()]);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, timerMs(forMs)));
    // Somebody may lose patience.
    await Promise.race([done, late, this.finished]);
    clearTimeout(timer);
    await this.stop();
  }

  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  async #stop(): Promise<void> {
    this.#sockets?.stop();
    await this.#doors.stop();
    this.#sweeper.stop();
    this.#finish();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }
}

/** RFC 9110 §7.8: of several protocols one may be taken, or none. RFC 6455 §4.2.1: in any case. */
function asksForWebSocket({ protocol }: OfferRequest): boolean {
  return protocol !== null &&
    protocol.split(",").some((one) => one.trim().toLowerCase() === "websocket");
}

/** As coarse as the shortest deadline allows. */
function sweepIntervalMs(config: ServerConfig): number {
  const shortest = Math.min(
    config.handshakeTimeoutMs,
    config.readTimeoutMs,
    config.writeTimeoutMs,
    config.idleTimeoutMs,
    config.pongTimeoutMs || Infinity,
    config.pingIntervalMs || Infinity,
  );
  return Math.min(MAX_SWEEP_MS, Math.max(MIN_SWEEP_MS, shortest / 8));
}
