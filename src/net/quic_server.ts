import { messageOf, NetError, toNetError } from "./error.ts";
import { QuicConnection, type QuicTransport, transportOptions } from "./quic.ts";

/** Where to listen, with which certificate. */
export interface QuicListenOptions extends QuicTransport {
  hostname: string;
  port: number;
  certPem: string;
  keyPem: string;
  alpnProtocols: string[];
}

/** One UDP socket that takes QUIC connections. */
export class QuicServer {
  /** `null` once it is closed: what is held keeps its port (see quic.ts). */
  #endpoint: Deno.QuicEndpoint | null;
  #listeners: Deno.QuicListener[] = [];
  #options: QuicListenOptions;
  /** Asked for once: it is an op. */
  readonly #address: { readonly hostname: string; readonly port: number };
  #closed = false;

  /** Throws a `NetError` when the port is taken or the key does not fit the certificate. */
  constructor(options: QuicListenOptions) {
    this.#options = options;
    try {
      this.#endpoint = new Deno.QuicEndpoint({ hostname: options.hostname, port: options.port });
      this.#address = this.#endpoint.addr;
    } catch (error) {
      throw toNetError(error);
    }
    try {
      this.#listen(options.certPem, options.keyPem);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get hostname(): string {
    return this.#address.hostname;
  }

  get port(): number {
    return this.#address.port;
  }

  /**
   * From now on new connections get this certificate; throws `NetError` if it is unusable. Each
   * change costs some 15 KB for as long as the server lives (see quic.ts); the same pair again,
   * nothing.
   */
  reload(certPem: string, keyPem: string): void {
    if (certPem === this.#options.certPem && keyPem === this.#options.keyPem) return;
    this.#listen(certPem, keyPem);
    this.#options = { ...this.#options, certPem, keyPem };
  }

  #listen(certPem: string, keyPem: string): void {
    try {
      if (this.#endpoint === null) return;
      this.#listeners.push(this.#endpoint.listen({
        cert: certPem,
        key: keyPem,
        alpnProtocols: this.#options.alpnProtocols,
        ...transportOptions(this.#options),
      }));
    } catch (error) {
      throw new NetError("tls", messageOf(error), error);
    }
  }

  /**
   * The next connection attempt: `accept` answers it, `refuse` turns it away with
   * CONNECTION_REFUSED, `ignore` without a word. `null` once the server is closed.
   */
  async incoming(): Promise<QuicAttempt | null> {
    try {
      return new QuicAttempt(await this.#listeners[0].incoming());
    } catch (error) {
      if (this.#closed) return null;
      throw toNetError(error);
    }
  }

  /** Ends every connection with `code`; the port is free once garbage is collected (`portFreed`). */
  close(code = 0, reason = ""): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endpoint?.close({ closeCode: code, reason });
    this.#endpoint = null;
    this.#listeners = [];
  }
}

/** A connection attempt that was not answered yet. */
export class QuicAttempt {
  readonly #incoming: Deno.QuicIncoming;

  constructor(incoming: Deno.QuicIncoming) {
    this.#incoming = incoming;
  }

  /**
   * Begins the handshake. The connection is there at once, so that it can be closed when the
   * handshake takes too long; nothing that comes on it may be served before `handshake` resolves,
   * or a replayed 0-RTT request would be (RFC 9001 §9.2). Throws `NetError` for a packet that only
   * looks like a client's first.
   */
  accept(): QuicConnection {
    try {
      return new QuicConnection(this.#incoming.accept<true>({ zeroRtt: true }));
    } catch (error) {
      throw toNetError(error);
    }
  }

  refuse(): void {
    this.#incoming.refuse();
  }

  /** Drops it: the client sends its first packet again in a second or so (RFC 9002 §6.2.2). */
  ignore(): void {
    this.#incoming.ignore();
  }
}
