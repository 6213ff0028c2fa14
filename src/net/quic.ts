// Everything that Deno's QUIC does and does not do, as of 2.9.6, is known here and nowhere else.
//
// - Dropping a stream's writer sends FIN; there is no RESET_STREAM, and STOP_SENDING carries 0.
// - A writer's abort waits for the write under way, and that one waits for the peer's flow control:
//   a stream whose peer does not read can't be freed alone (see `QuicStream.abort`).
// - A stream or writer that nobody refers to is collected, which is a FIN: control streams are held.
// - Reading `remoteAddr` of a `QuicIncoming` uses it up: accept() then fails. Ask the connection.
// - `listener.stop()`, and the collection of an old listener, end the whole endpoint: all listeners
//   of an endpoint are held until it closes.
// - Every promise of a connection rejects when the peer is lost; each is handled where it is made.
import type { ByteStream } from "./byte_stream.ts";
import { messageOf, NetError, toNetError } from "./error.ts";
import { HEADROOM, ReadSize } from "./read_buffer.ts";

export interface QuicTransport {
  /** Bidirectional streams the peer may have open at once; paid in advance, about 1 KB each. */
  maxStreams: number;
  /** Milliseconds without a packet after which the connection is lost. */
  idleTimeoutMs: number;
  /** Milliseconds between our own PINGs; 0 for none. */
  keepaliveMs: number;
}

export interface QuicListenOptions extends QuicTransport {
  hostname: string;
  port: number;
  certPem: string;
  keyPem: string;
  alpnProtocols: string[];
}

export interface QuicCloseInfo {
  code: number;
  reason: string;
  byPeer: boolean;
}

const MAX_UNI_STREAMS = 16;

function transportOptions(options: QuicTransport): Deno.QuicTransportOptions {
  return {
    maxConcurrentBidirectionalStreams: options.maxStreams,
    maxConcurrentUnidirectionalStreams: MAX_UNI_STREAMS,
    maxIdleTimeout: options.idleTimeoutMs,
    ...(options.keepaliveMs > 0 ? { keepAliveInterval: options.keepaliveMs } : {}),
  };
}

/** One UDP socket that takes QUIC connections. */
export class QuicServer {
  readonly #endpoint: Deno.QuicEndpoint;
  readonly #listeners: Deno.QuicListener[] = [];
  #options: QuicListenOptions;
  #closed = false;

  /** Throws a `NetError` when the port is taken or the key does not fit the certificate. */
  constructor(options: QuicListenOptions) {
    this.#options = options;
    try {
      this.#endpoint = new Deno.QuicEndpoint({ hostname: options.hostname, port: options.port });
    } catch (error) {
      throw toNetError(error);
    }
    try {
      this.reload(options.certPem, options.keyPem);
    } catch (error) {
      this.#endpoint.close();
      throw error;
    }
  }

  get hostname(): string {
    return this.#endpoint.addr.hostname;
  }

  get port(): number {
    return this.#endpoint.addr.port;
  }

  /** From now on new connections get this certificate; throws `NetError` if it is unusable. */
  reload(certPem: string, keyPem: string): void {
    try {
      this.#listeners.push(this.#endpoint.listen({
        cert: certPem,
        key: keyPem,
        alpnProtocols: this.#options.alpnProtocols,
        ...transportOptions(this.#options),
      }));
    } catch (error) {
      throw new NetError("tls", messageOf(error), error);
    }
    this.#options = { ...this.#options, certPem, keyPem };
  }

  /**
   * The next connection attempt: `accept` answers it, `refuse` turns it away with
   * CONNECTION_REFUSED. `null` once the server is closed.
   */
  async incoming(): Promise<QuicAttempt | null> {
    try {
      return new QuicAttempt(await this.#listeners[0].incoming());
    } catch (error) {
      if (this.#closed) return null;
      throw toNetError(error);
    }
  }

  /** Ends every connection with `code` and frees the port. */
  close(code = 0, reason = ""): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endpoint.close({ closeCode: code, reason });
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
   * or a replayed 0-RTT request would be (RFC 9001 §9.2).
   */
  accept(): QuicConnection {
    return new QuicConnection(this.#incoming.accept<true>({ zeroRtt: true }));
  }

  refuse(): void {
    this.#incoming.refuse();
  }
}

export interface QuicConnectOptions extends QuicTransport {
  hostname: string;
  port: number;
  serverName?: string;
  alpnProtocols: string[];
  /** PEM, beside the roots that Deno trusts. */
  caCerts?: string[];
  /** SHA-256 of certificates that are trusted whoever signed them. */
  certificateHashes?: Uint8Array[];
}

export async function connectQuic(options: QuicConnectOptions): Promise<QuicConnection> {
  const { hostname, port, serverName, alpnProtocols, caCerts, certificateHashes } = options;
  try {
    const conn = await Deno.connectQuic<false>({
      hostname,
      port,
      serverName: serverName ?? hostname,
      alpnProtocols,
      caCerts,
      ...(certificateHashes && {
        serverCertificateHashes: certificateHashes.map((value) => ({
          algorithm: "sha-256",
          value,
        })),
      }),
      ...transportOptions(options),
    });
    return new QuicConnection(conn);
  } catch (error) {
    throw toNetError(error);
  }
}

export class QuicConnection {
  readonly #conn: Deno.QuicConn;
  #bidi: ReadableStreamDefaultReader<Deno.QuicBidirectionalStream> | null = null;
  #uni: ReadableStreamDefaultReader<Deno.QuicReceiveStream> | null = null;
  #closing: QuicCloseInfo | null = null;
  #address: string | null = null;

  /** Resolves when the connection is gone, whoever ended it. Never rejects. */
  readonly closed: Promise<QuicCloseInfo>;

  constructor(conn: Deno.QuicConn) {
    this.#conn = conn;
    this.closed = conn.closed.then(
      (info) =>
        this.#closing ?? { code: Number(info.closeCode), reason: info.reason, byPeer: true },
      (error) => this.#closing ?? { code: -1, reason: messageOf(error), byPeer: true },
    );
  }

  /** The peer's address now, "ip:port"; it may change while the connection lives. */
  get remote(): string {
    try {
      const { hostname, port } = this.#conn.remoteAddr;
      this.#address = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
    } catch {
      // The connection is gone: what was last known stands.
    }
    return this.#address ?? "unknown";
  }

  /** Resolves when the TLS handshake is over; then 0-RTT data can no longer be a replay. */
  async handshake(): Promise<void> {
    try {
      await this.#conn.handshake;
    } catch (error) {
      throw toNetError(error);
    }
  }

  /** The next stream that the peer opens; `null` when the connection is over. */
  async acceptStream(): Promise<QuicStream | null> {
    this.#bidi ??= this.#conn.incomingBidirectionalStreams.getReader();
    try {
      const { value } = await this.#bidi.read();
      return value ? new QuicStream(value.readable, value.writable) : null;
    } catch {
      return null;
    }
  }

  /** The next one-way stream that the peer opens; `null` when the connection is over. */
  async acceptUniStream(): Promise<QuicReceiveStream | null> {
    this.#uni ??= this.#conn.incomingUnidirectionalStreams.getReader();
    try {
      const { value } = await this.#uni.read();
      return value ? new QuicReceiveStream(value) : null;
    } catch {
      return null;
    }
  }

  /** Opens a stream; rejects with `NetError` when the connection is lost. Waits for credit. */
  async openStream(): Promise<QuicStream> {
    try {
      const stream = await this.#conn.createBidirectionalStream({ waitUntilAvailable: true });
      return new QuicStream(stream.readable, stream.writable);
    } catch (error) {
      throw toNetError(error);
    }
  }

  /** Opens a one-way stream. Hold it while the connection lives: collecting it is a FIN. */
  async openUniStream(): Promise<QuicSendStream> {
    try {
      return new QuicSendStream(
        await this.#conn.createUnidirectionalStream({ waitUntilAvailable: true }),
      );
    } catch (error) {
      throw toNetError(error);
    }
  }

  close(code: number, reason = ""): void {
    this.#closing ??= { code, reason, byPeer: false };
    try {
      this.#conn.close({ closeCode: code, reason });
    } catch {
      // Already gone.
    }
  }
}

/** The sending side of a stream. */
export class QuicSendStream {
  readonly #stream: Deno.QuicSendStream;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(stream: Deno.QuicSendStream) {
    this.#stream = stream;
    this.#writer = stream.getWriter();
    this.#writer.closed.catch(() => {});
    this.#writer.ready.catch(() => {});
  }

  get id(): number {
    return Number(this.#stream.id);
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#writer.write(bytes);
    } catch (error) {
      throw toNetError(error);
    }
  }

  async closeWrite(): Promise<void> {
    try {
      await this.#writer.close();
    } catch (error) {
      throw toNetError(error);
    }
  }

  /** Drops what was not handed over yet and sends FIN, once the write under way is through. */
  abortWrite(): void {
    this.#writer.abort().catch(() => {});
  }
}

/** The receiving side of a stream. */
export class QuicReceiveStream {
  readonly #reader: ReadableStreamBYOBReader;
  #buffer: ArrayBuffer | null = null;

  constructor(stream: Deno.QuicReceiveStream) {
    this.#reader = stream.getReader({ mode: "byob" });
    this.#reader.closed.catch(() => {});
  }

  /** Up to `size` bytes; valid until the next read. `null` at FIN. */
  async read(size: number): Promise<Uint8Array | null> {
    const total = HEADROOM + size;
    const buffer = this.#buffer?.byteLength === total ? this.#buffer : new ArrayBuffer(total);
    this.#buffer = null;
    try {
      const { value, done } = await this.#reader.read(new Uint8Array(buffer, HEADROOM, size));
      if (done || value === undefined) return null;
      this.#buffer = value.buffer;
      return value;
    } catch (error) {
      throw toNetError(error);
    }
  }

  /** Reads no more: what was not read is dropped, and the peer gets STOP_SENDING. */
  stopReading(): void {
    this.#reader.cancel().catch(() => {});
  }
}

/** A stream in both directions. */
export class QuicStream implements ByteStream {
  readonly headroom = HEADROOM;
  readonly #send: QuicSendStream;
  readonly #receive: QuicReceiveStream;
  readonly #size = new ReadSize();

  constructor(readable: Deno.QuicReceiveStream, writable: Deno.QuicSendStream) {
    this.#send = new QuicSendStream(writable);
    this.#receive = new QuicReceiveStream(readable);
  }

  get id(): number {
    return this.#send.id;
  }

  async read(): Promise<Uint8Array | null> {
    const chunk = await this.#receive.read(this.#size.size);
    if (chunk !== null) this.#size.took(chunk.length);
    return chunk;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#send.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#send.closeWrite();
  }

  stopReading(): void {
    this.#receive.stopReading();
  }

  /**
   * STOP_SENDING and FIN. A write that waits for the peer's flow control can't be taken back: it
   * and its stream go with the connection, or when the peer reads on.
   */
  abort(): void {
    this.#receive.stopReading();
    this.#send.abortWrite();
  }
}
