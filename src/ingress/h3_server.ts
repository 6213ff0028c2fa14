import { messageOf, NetError } from "../net/error.ts";
import { type QuicConnection, type QuicTransport } from "../net/quic.ts";
import { portFreed } from "../net/quic_port.ts";
import { type QuicAttempt, QuicServer } from "../net/quic_server.ts";
import { H3Code } from "../protocol/http3/codes.ts";
import { H3Connection, type H3ConnectionOptions } from "./h3_connection.ts";

export interface H3ServerOptions extends H3ConnectionOptions, QuicTransport {
  hostname: string;
  port: number;
  certPem: string;
  keyPem: string;
  /** Connections at once; one more is refused. Handshakes are not among them. */
  maxConnections: number;
  /** Connections of other doors, which take from the same number. */
  otherConnections?: () => number;
  /** Its handshake is over. One whose handshake fails is told of by `onPrerequestClose` alone. */
  onConnectionOpened: (remote: string) => void;
  onConnectionClosed: (
    info: { code: number; reason: string; byPeer: boolean; durationMs: number },
  ) => void;
  /**
   * An attempt found no room; one that was only dropped may come again, and is told of again. Its
   * address can't be read without using the attempt up (see net/quic.ts).
   */
  onConnectionRefused: () => void;
}

/** RFC 9114 §3.1: the ALPN token of HTTP/3. */
const ALPN_H3 = "h3";

/** RFC 9000 §21.2: anyone can begin handshakes, and so many go on at once: this part of all. */
const HANDSHAKES_PER_CONNECTION = 1 / 4;
const MIN_HANDSHAKES = 16;
/** Above that, one that takes longer makes room for the next. */
const HANDSHAKE_GIVES_WAY_MS = 1_000;

/** The HTTP/3 door: one UDP socket, many connections, each with many streams. */
export class H3Server {
  readonly #quic: QuicServer;
  readonly #options: H3ServerOptions;
  readonly #connections = new Set<H3Connection>();
  /** Those whose handshake is not over, oldest first, and when it began. */
  readonly #handshakes = new Map<H3Connection, number>();
  readonly #maxHandshakes: number;
  #draining = false;
  #idle: (() => void) | null = null;
  readonly #loop: Promise<void>;
  #freed: Promise<void> | null = null;

  /** Listens at once; throws `NetError` when it can't. */
  constructor(options: H3ServerOptions) {
    this.#options = options;
    const handshakes = Math.ceil(options.maxConnections * HANDSHAKES_PER_CONNECTION);
    this.#maxHandshakes = Math.max(MIN_HANDSHAKES, handshakes);
    const alpnProtocols = [ALPN_H3, ...(options.otherQuic?.alpnProtocols ?? [])];
    this.#quic = new QuicServer({ ...options, alpnProtocols });
    this.#loop = this.#accept();
  }

  get hostname(): string {
    return this.#quic.hostname;
  }

  get port(): number {
    return this.#quic.port;
  }

  /** Those whose handshake is over. */
  get connections(): number {
    return this.#connections.size;
  }

  /** New connections get this certificate; throws `NetError`, and the old one stays, if unusable. */
  reload(certPem: string, keyPem: string): void {
    this.#quic.reload(certPem, keyPem);
  }

  async #accept(): Promise<void> {
    for (;;) {
      let attempt: QuicAttempt | null;
      try {
        attempt = await this.#quic.incoming();
      } catch (error) {
        this.#options.onBug("http/3 accept", error);
        return;
      }
      if (attempt === null) return;
      try {
        this.#take(attempt);
      } catch (error) {
        // One attempt that can't be answered does not end the loop.
        if (!(error instanceof NetError)) this.#options.onBug("http/3 accept", messageOf(error));
      }
    }
  }

  #take(attempt: QuicAttempt): void {
    if (this.#isFull()) {
      attempt.refuse();
      this.#options.onConnectionRefused();
    } else if (this.#handshakes.size >= this.#maxHandshakes && !this.#giveWay()) {
      // Refused, a client would be told that there is no room, and a flood be answered.
      attempt.ignore();
      this.#options.onConnectionRefused();
    } else {
      void this.#run(attempt.accept());
    }
  }

  #isFull(): boolean {
    const { maxConnections, otherConnections } = this.#options;
    const others = otherConnections?.() ?? 0;
    return this.#draining || this.#connections.size + others >= maxConnections;
  }

  /** Ends the oldest handshake, if it has had its time. */
  #giveWay(): boolean {
    for (const [connection, startedMs] of this.#handshakes) {
      if (performance.now() - startedMs < HANDSHAKE_GIVES_WAY_MS) return false;
      this.#handshakes.delete(connection);
      connection.close();
      return true;
    }
    return false;
  }

  async #run(quic: QuicConnection): Promise<void> {
    const connection = new H3Connection(quic, this.#options);
    this.#handshakes.set(connection, performance.now());
    let openedMs = 0;
    const info = await connection.run(() => {
      this.#handshakes.delete(connection);
      // Others may have come first since this one was let in.
      if (this.#isFull()) {
        this.#options.onConnectionRefused();
        return false;
      }
      this.#connections.add(connection);
      openedMs = performance.now();
      this.#options.onConnectionOpened(quic.remote);
      return true;
    });
    this.#handshakes.delete(connection);
    if (!this.#connections.delete(connection)) return;
    this.#options.onConnectionClosed({ ...info, durationMs: performance.now() - openedMs });
    if (this.#connections.size === 0) this.#idle?.();
  }

  /** Sends GOAWAY everywhere and takes nothing new; resolves when the last connection is gone. */
  drain(): Promise<void> {
    this.#draining = true;
    for (const connection of this.#handshakes.keys()) connection.close();
    for (const connection of this.#connections) connection.drain();
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle = resolve);
  }

  /** Ends every connection and frees the port, but for one that was any: nobody asks for it. */
  async close(): Promise<void> {
    const { hostname, port } = this.#quic;
    this.#quic.close(H3Code.H3_NO_ERROR, "");
    await this.#loop;
    if (this.#options.port !== 0) await (this.#freed ??= portFreed({ hostname, port }));
  }
}
