import { messageOf, NetError } from "../net/error.ts";
import { type QuicTransport } from "../net/quic.ts";
import { type QuicAttempt, QuicServer } from "../net/quic_server.ts";
import { H3Code } from "../protocol/http3/codes.ts";
import { H3Connection, type H3ConnectionOptions } from "./h3_connection.ts";

export interface H3ServerOptions extends H3ConnectionOptions, QuicTransport {
  hostname: string;
  port: number;
  certPem: string;
  keyPem: string;
  /** Connections at once; one more is refused. */
  maxConnections: number;
  onConnectionOpened: (remote: string) => void;
  onConnectionClosed: (
    info: { code: number; reason: string; byPeer: boolean; durationMs: number },
  ) => void;
  /** Its address can't be read without using the attempt up (see net/quic.ts). */
  onConnectionRefused: () => void;
}

/** RFC 9114 §3.1: the ALPN token of HTTP/3. */
const ALPN_H3 = "h3";

/** The HTTP/3 door: one UDP socket, many connections, each with many streams. */
export class H3Server {
  readonly #quic: QuicServer;
  readonly #options: H3ServerOptions;
  readonly #connections = new Set<H3Connection>();
  #draining = false;
  #idle: (() => void) | null = null;
  readonly #loop: Promise<void>;

  /** Listens at once; throws `NetError` when it can't. */
  constructor(options: H3ServerOptions) {
    this.#options = options;
    this.#quic = new QuicServer({ ...options, alpnProtocols: [ALPN_H3] });
    this.#loop = this.#accept();
  }

  get hostname(): string {
    return this.#quic.hostname;
  }

  get port(): number {
    return this.#quic.port;
  }

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
    if (this.#draining || this.#connections.size >= this.#options.maxConnections) {
      attempt.refuse();
      this.#options.onConnectionRefused();
      return;
    }
    const quic = attempt.accept();
    const connection = new H3Connection(quic, this.#options);
    const startedMs = performance.now();
    this.#connections.add(connection);
    this.#options.onConnectionOpened(quic.remote);
    void connection.run().then((info) => {
      this.#connections.delete(connection);
      this.#options.onConnectionClosed({ ...info, durationMs: performance.now() - startedMs });
      if (this.#connections.size === 0) this.#idle?.();
    });
  }

  /** Sends GOAWAY everywhere and takes nothing new; resolves when the last connection is gone. */
  drain(): Promise<void> {
    this.#draining = true;
    for (const connection of this.#connections) connection.drain();
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle = resolve);
  }

  /** Ends every connection and frees the port. */
  async close(): Promise<void> {
    this.#quic.close(H3Code.H3_NO_ERROR, "");
    await this.#loop;
  }
}
