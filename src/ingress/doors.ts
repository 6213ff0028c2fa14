import type { Accepted, Refusal } from "../net/accepted.ts";
import { TcpServer } from "../net/tcp_server.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import { TlsServer } from "../net/tls_server.ts";
import type { PeerError } from "../protocol/wire/error.ts";
import type { DoorsOptions } from "./doors_options.ts";
import { H3Server } from "./h3_server.ts";
import { type ListenAddress, ListenError } from "./listen.ts";
import type { HttpVersion } from "./offer.ts";
import { TcpDoor } from "./tcp_door.ts";

/** RFC 7838 §3: how long a client may remember it. */
const ALT_SVC_SECONDS = 86_400;
const MAX_HANDSHAKES = 1_024;

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
        error.kind === "in_use" && options.listen?.port === 0 && doors.hasQuic;
      // That of clear text is taken whatever port the others have.
      if (!taken || error.address === options.plainListen || left === 1) throw error;
    }
  }
}

/** All that listens for one server: QUIC and TLS at one port number, and clear text at another. */
export class Doors {
  readonly #options: DoorsOptions;
  readonly #h3: H3Server | null;
  readonly #tcp: TcpDoor;
  #tls: TlsServer | null = null;
  #plain: TcpServer | null = null;
  #draining = false;

  /** Listens for HTTP/3. */
  constructor(options: DoorsOptions) {
    this.#options = options;
    this.#tcp = this.#tcpDoor();
    const { listen, quic = true } = options;
    try {
      this.#h3 = listen === null || !quic ? null : this.#h3Server(listen);
    } catch (error) {
      throw new ListenError("UDP", listen!, error);
    }
  }

  /** Listens for the other versions. */
  async listen(): Promise<void> {
    const { tcp, listen, plainListen } = this.#options;
    if (tcp && listen !== null) {
      await this.#listenTls({ ...listen, port: this.#h3?.port ?? listen.port });
    }
    if (plainListen === null) return;
    try {
      this.#plain = new TcpServer(this.#acceptOptions(plainListen));
    } catch (error) {
      throw new ListenError("TCP", plainListen, error);
    }
  }

  async #listenTls(address: ListenAddress): Promise<void> {
    const { certPem, keyPem, certificates, clientCaPem, alpnProtocols } = this.#options;
    try {
      this.#tls = await TlsServer.listen({
        ...this.#acceptOptions(address),
        certificates: [{ certPem, keyPem }, ...certificates],
        clientCaPem,
        alpnProtocols,
      });
    } catch (error) {
      throw new ListenError("TCP", address, error);
    }
  }

  #h3Server(listen: ListenAddress): H3Server {
    const { handshakeTimeoutMs, readTimeoutMs, tunnels, observer } = this.#options;
    return new H3Server({
      ...this.#options,
      ...listen,
      enableConnectProtocol: tunnels.h3,
      otherConnections: () => this.#tcp.served,
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
      goneAtFin: this.#options.goneAtFin,
      h2cUpgrade: this.#options.h2cUpgrade,
      h2: {
        maxConcurrentStreams: maxStreams,
        initialWindowBytes: h2WindowBytes.stream,
        connectionWindowBytes: h2WindowBytes.connection,
        enableConnectProtocol: tunnels.h2,
        // It gets the 501 that it gets over the other versions.
        givesUnaskedProtocol: true,
      },
      maxConnections: () => maxConnections - this.#h3Connections,
      onConnectionOpened: (http) => observer.connectionOpened(http),
      onConnectionClosed: (http, end) => observer.connectionClosed(http, end),
      onConnectionRefused: (remote) => this.#refused(remote),
      maxHandshakes: Math.max(MAX_HANDSHAKES, maxConnections),
      onHandshakeFailed: (refusal) => observer.handshakeFailed(refusal),
    });
  }

  #doorOptions(stage: "h3_framing" | "http_framing") {
    const { sweeper, onOffer, observer } = this.#options;
    return {
      sweeper,
      onOffer,
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
    const { proxyProtocol, handshakeTimeoutMs, sweeper, observer } = this.#options;
    return {
      ...address,
      proxyProtocol,
      maxHandshakes: MAX_HANDSHAKES,
      handshakeTimeoutMs,
      sweeper,
      onAccept: (conn: Accepted) => this.#tcp.take(conn),
      onRefused: (refusal: Refusal) => observer.handshakeFailed(refusal),
      onBug: (where: string, error: unknown) => observer.bug(where, error),
    };
  }

  #refused(client: string): void {
    const reason = this.#draining ? "draining" : "max_connections";
    this.#options.observer.rejected({ reason, status: 0, path: "", client, message: "" });
  }

  /** RFC 7838: HTTP/3 is here too; `clear` while nothing new is taken. */
  altSvc(http: HttpVersion): string | null {
    const { altSvcPort, tcp } = this.#options;
    if (http === "3" || altSvcPort === null || !tcp || this.#h3 === null) return null;
    if (this.#draining) return "clear";
    return `h3=":${altSvcPort || this.#h3.port}"; ma=${ALT_SVC_SECONDS}`;
  }

  get hasQuic(): boolean {
    return this.#h3 !== null;
  }

  get hasTls(): boolean {
    return this.#tls !== null;
  }

  /** The address of `listen`, or else of what is served in clear text. */
  get hostname(): string {
    return (this.#h3 ?? this.#tls ?? this.#plain)!.hostname;
  }

  /** By UDP, and by TCP if it is served there; 0 where nothing is. */
  get port(): number {
    return (this.#h3 ?? this.#tls)?.port ?? 0;
  }

  /** In clear text; `null` for none. */
  get plainPort(): number | null {
    return this.#plain?.port ?? null;
  }

  get plainHostname(): string | null {
    return this.#plain?.hostname ?? null;
  }

  /** Those that are open now, over all doors. */
  get connections(): number {
    return this.#h3Connections + this.#tcp.connections;
  }

  get #h3Connections(): number {
    return this.#h3?.connections ?? 0;
  }

  /**
   * New connections get these certificates; throws `NetError` if one of them is unusable, and keeps
   * all of the old.
   */
  reload(certPem: string, keyPem: string, others: readonly CertificatePair[] = []): void {
    // All or nothing: QUIC changes once TCP is known to take every pair.
    const certificates = [{ certPem, keyPem }, ...others];
    const take = this.#tls?.prepare({ certificates });
    this.#h3?.reload(certPem, keyPem);
    take?.();
  }

  /** New connections over TLS by TCP must have a certificate of these; throws `NetError`. */
  reloadClientCa(clientCaPem: string): void {
    this.#tls?.prepare({ clientCaPem })();
  }

  /** Takes nothing new; resolves when the last connection is gone. */
  async drain(): Promise<void> {
    this.#shut();
    await Promise.all([this.#h3?.drain(), this.#tcp.drain()]);
  }

  /** Ends every connection and frees the ports. */
  async stop(): Promise<void> {
    this.#shut();
    this.#tcp.close();
    await Promise.all([this.#plain?.close(), this.#h3?.close()]);
  }

  #shut(): void {
    this.#draining = true;
    this.#tls?.close();
    this.#plain?.close();
  }
}
