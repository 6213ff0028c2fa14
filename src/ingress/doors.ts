import type { Accepted, Refusal } from "../net/accepted.ts";
import type { QuicTransport } from "../net/quic.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { TcpServer } from "../net/tcp_server.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import { TlsServer } from "../net/tls_server.ts";
import type { PeerError } from "../protocol/wire/error.ts";
import type { ConnectionEnd } from "./door.ts";
import type { PrerequestReason } from "./h3_connection.ts";
import { H3Server } from "./h3_server.ts";
import { type ListenAddress, ListenError } from "./listen.ts";
import type { HttpVersion, Offer } from "./offer.ts";
import { TcpDoor } from "./tcp_door.ts";

/** What the doors tell of their connections. No method throws or waits. */
export interface DoorsObserver {
  /** Something was turned away at the door; a status of 0 where not even a request was read. */
  rejected(
    reason: "header_size" | "bad_headers" | "draining" | "max_connections",
    status: number,
    path: string,
    client: string,
  ): void;
  /** A client broke a rule of its version. */
  failed(stage: "h3_framing" | "http_framing", message: string, client: string): void;
  /** A TCP connection did not come to be. */
  handshakeFailed(refusal: Refusal): void;
  /** A client has connected. */
  connectionOpened(http: HttpVersion): void;
  /** A connection has ended: once for each `connectionOpened`. */
  connectionClosed(http: HttpVersion, info: ConnectionEnd & { durationMs: number }): void;
  /** A connection ended before any request was read from it. */
  prerequestClose(reason: PrerequestReason): void;
  /** Something was thrown that is not the peer's fault but ours. */
  bug(where: string, error: unknown): void;
}

export interface DoorsOptions extends QuicTransport {
  /** HTTP/3 by UDP; HTTP/2 and HTTP/1.1 over TLS by TCP at the same port number. */
  listen: ListenAddress;
  /** Whether HTTP/2 and HTTP/1.1 are served at `listen`. */
  tcp: boolean;
  /** HTTP/1.1 and HTTP/2 by prior knowledge in clear text; `null` for none. */
  plainListen: ListenAddress | null;
  certPem: string;
  keyPem: string;
  /** More certificates, chosen by SNI, for TCP. */
  certificates: readonly CertificatePair[];
  /** PEM of those who sign the certificates that clients over TCP must have; `null` for none. */
  clientCaPem: string | null;
  /** Whether TCP connections begin with a PROXY header. */
  proxyProtocol: boolean;
  /** By which versions the client is told that extended CONNECT may be used. */
  tunnels: { readonly h2: boolean; readonly h3: boolean };
  /** The port that Alt-Svc names; `null` for no Alt-Svc. 0 for that of `listen`. */
  altSvcPort: number | null;
  /** Connections at once over all doors; refused above it. */
  maxConnections: number;
  maxHeaderBytes: number;
  h2WindowBytes: { readonly stream: number; readonly connection: number };
  /** How long TLS, a PROXY header or a request's head may take. */
  handshakeTimeoutMs: number;
  /** How long the next bytes of content may take that is waited for. */
  readTimeoutMs: number;
  writeTimeoutMs: number;
  sweeper: Sweeper;
  observer: DoorsObserver;
  /** Takes each request; what it throws is a bug of ours. */
  onOffer: (offer: Offer) => Promise<void>;
}

/** RFC 7838 §3: how long a client may remember it. */
const ALT_SVC_SECONDS = 86_400;
const MAX_TLS_HANDSHAKES = 1_024;

/** When any port will do, so many are tried until one is free for UDP and for TCP. */
const PORT_TRIES = 10;

/**
 * Resolves once they listen; rejects with `ListenError`, and then nothing is left. `made` is told of
 * them before their first request can come, and again where another port is tried.
 */
export async function listenDoors(
  options: DoorsOptions,
  made: (doors: Doors) => void = () => {},
): Promise<Doors> {
  for (let left = PORT_TRIES;; left--) {
    const doors = new Doors(options);
    made(doors);
    try {
      await doors.listen();
      return doors;
    } catch (error) {
      await doors.stop();
      const taken = error instanceof ListenError && error.transport === "TCP" &&
        error.kind === "in_use" && options.listen.port === 0;
      if (!taken || left === 1) throw error;
    }
  }
}

/** All that listens for one server: QUIC and TLS at one port number, and clear text at another. */
export class Doors {
  readonly #options: DoorsOptions;
  readonly #h3: H3Server;
  readonly #tcp: TcpDoor;
  #tls: TlsServer | null = null;
  #plain: TcpServer | null = null;
  #draining = false;

  /** Listens for HTTP/3. */
  constructor(options: DoorsOptions) {
    this.#options = options;
    this.#tcp = this.#tcpDoor();
    try {
      this.#h3 = this.#h3Server();
    } catch (error) {
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
    const { listen, handshakeTimeoutMs, readTimeoutMs, tunnels, observer } = this.#options;
    return new H3Server({
      ...this.#options,
      ...listen,
      enableConnectProtocol: tunnels.h3,
      otherConnections: () => this.#tcp.connections,
      ...this.#doorOptions("h3_framing"),
      headTimeoutMs: handshakeTimeoutMs,
      contentTimeoutMs: readTimeoutMs,
      onPrerequestClose: (reason) => observer.prerequestClose(reason),
      onConnectionOpened: () => observer.connectionOpened("3"),
      onConnectionClosed: (info) => observer.connectionClosed("3", info),
      onConnectionRefused: () => this.#refused(""),
    });
  }

  #tcpDoor(): TcpDoor {
    const { tunnels, maxConnections, maxHeaderBytes, maxStreams, h2WindowBytes, observer } =
      this.#options;
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

  #doorOptions(stage: "h3_framing" | "http_framing") {
    const { sweeper, onOffer, observer } = this.#options;
    return {
      sweeper,
      onOffer,
      onHeadRefused: (status: number, remote: string) =>
        observer.rejected(status === 431 ? "header_size" : "bad_headers", status, "", remote),
      onPeerError: (error: PeerError, remote: string) =>
        observer.failed(stage, error.message, remote),
      onBug: (where: string, error: unknown) => observer.bug(where, error),
    };
  }

  #acceptOptions(address: ListenAddress) {
    const { proxyProtocol, handshakeTimeoutMs, sweeper, observer } = this.#options;
    return {
      ...address,
      proxyProtocol,
      maxHandshakes: MAX_TLS_HANDSHAKES,
      handshakeTimeoutMs,
      sweeper,
      onAccept: (conn: Accepted) => this.#tcp.take(conn),
      onRefused: (refusal: Refusal) => observer.handshakeFailed(refusal),
      onBug: (where: string, error: unknown) => observer.bug(where, error),
    };
  }

  #refused(remote: string): void {
    const reason = this.#draining ? "draining" : "max_connections";
    this.#options.observer.rejected(reason, 0, "", remote);
  }

  /** RFC 7838: HTTP/3 is here too; `clear` while nothing new is taken. */
  altSvc(http: HttpVersion): string | null {
    const { altSvcPort, tcp } = this.#options;
    if (http === "3" || altSvcPort === null || !tcp) return null;
    if (this.#draining) return "clear";
    return `h3=":${altSvcPort || this.#h3.port}"; ma=${ALT_SVC_SECONDS}`;
  }

  /** The address of HTTP/3. */
  get hostname(): string {
    return this.#h3.hostname;
  }

  /** By UDP, and by TCP if it is served there. */
  get port(): number {
    return this.#h3.port;
  }

  /** In clear text; `null` for none. */
  get plainPort(): number | null {
    return this.#plain?.port ?? null;
  }

  /** Those that are open now, over all doors. */
  get connections(): number {
    return this.#h3.connections + this.#tcp.connections;
  }

  /**
   * New connections get these certificates; throws `NetError` if one of them is unusable, and keeps
   * all of the old.
   */
  reload(certPem: string, keyPem: string, others: readonly CertificatePair[] = []): void {
    // All or nothing: QUIC changes once TCP is known to take every pair.
    const certificates = [{ certPem, keyPem }, ...others];
    const take = this.#tls?.prepare({ certificates });
    this.#h3.reload(certPem, keyPem);
    take?.();
  }

  /** New connections over TLS by TCP must have a certificate of these; throws `NetError`. */
  reloadClientCa(clientCaPem: string): void {
    this.#tls?.prepare({ clientCaPem })();
  }

  /** Takes nothing new; resolves when the last connection is gone. */
  async drain(): Promise<void> {
    this.#shut();
    await Promise.all([this.#h3.drain(), this.#tcp.drain()]);
  }

  /** Ends every connection and frees the ports. */
  async stop(): Promise<void> {
    this.#shut();
    this.#tcp.close();
    await this.#h3.close();
  }

  #shut(): void {
    this.#draining = true;
    this.#tls?.close();
    this.#plain?.close();
  }
}
