// Everything that Deno's QUIC does and does not do, as of 2.9.6, is known here and nowhere else.
//
// - Dropping a stream's writer sends FIN; there is no RESET_STREAM, and STOP_SENDING carries 0.
// - A writer's abort waits for the write under way, and that one waits for the peer's flow control:
//   a stream whose peer does not read can't be freed alone (see `QuicStream.abort`).
// - A stream or writer that nobody refers to is collected, which is a FIN: control streams are held.
// - Reading `remoteAddr` of a `QuicIncoming` uses it up: accept() then fails. Ask the connection.
// - `listener.stop()`, and the collection of an old listener, end the whole endpoint: all listeners
//   of an endpoint are held until it closes.
// - A closed endpoint keeps its UDP socket until it is collected: a client's are used again.
// - A connection's memory outside of V8's heap is freed by a collection, which V8, not knowing of it,
//   begins too late: so each holds a buffer of that size whose pages are never touched (a resizable
//   one; a fixed one may be zeroed). 3,000 connections one after the other: 175 MB, not 240 MB.
// - Every promise of a connection rejects when the peer is lost; each is handled where it is made.
import { isIPv4 } from "node:net";
import { setImmediate } from "node:timers";
import type { ByteStream } from "./byte_stream.ts";
import { messageOf, NetError, toNetError } from "./error.ts";
import { addressesOf, type Attempt, raceAddresses } from "./happy_eyeballs.ts";
import { ReadSize, UNI_READ_SIZE } from "./read_buffer.ts";

/** What QUIC is told of a connection (RFC 9000 §18.2). */
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

/** How a connection ended. */
export interface QuicCloseInfo {
  /** The peer's or our error code; -1 when the peer was lost. */
  code: number;
  /** In words; often empty. */
  reason: string;
  /** Whether the peer ended it, or was lost. */
  byPeer: boolean;
}

const MAX_UNI_STREAMS = 16;
/** What a connection holds outside of V8's heap, about. */
const NATIVE_BYTES = 128 * 1024;
const REMOTE_AGE_MS = 1_000;

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
}

/** Where to connect to by QUIC, and whom to trust. */
export interface QuicConnectOptions extends QuicTransport {
  /** A name or an IP address, IPv6 without brackets. */
  hostname: string;
  /** The UDP port. */
  port: number;
  /** SNI, and the name that the certificate must have; default the hostname. */
  serverName?: string;
  /** What ALPN offers (RFC 7301). */
  alpnProtocols: string[];
  /** PEM, beside the roots that Deno trusts. */
  caCerts?: string[];
  /** SHA-256 of certificates that are trusted whoever signed them. */
  certificateHashes?: Uint8Array[];
  /** Gives up the attempt; its reason is what is thrown then, as a `NetError`. */
  signal?: AbortSignal;
}

/** Connects to the first of the host's addresses that answers. Throws `NetError`. */
export async function connectQuic(options: QuicConnectOptions): Promise<QuicConnection> {
  try {
    // Deno takes the first address alone: "localhost" is often ::1, where nobody may listen.
    const addresses = await addressesOf(options.hostname);
    const attempt = (address: string) => attemptQuic(address, options);
    return new QuicConnection(await raceAddresses({ addresses, attempt, signal: options.signal }));
  } catch (error) {
    throw toNetError(error);
  }
}

/** UDP sockets of connections that are over, by the address they are bound to. */
const spareEndpoints: Record<string, Deno.QuicEndpoint[]> = { "0.0.0.0": [], "::": [] };
const MAX_SPARE_ENDPOINTS = 16;

function attemptQuic(address: string, options: QuicConnectOptions): Attempt<Deno.QuicConn> {
  const { hostname, port, serverName, alpnProtocols, caCerts, certificateHashes } = options;
  // Of an endpoint of its own, for only its end ends an attempt.
  const bound = isIPv4(address) ? "0.0.0.0" : "::";
  const spare = spareEndpoints[bound];
  const endpoint = spare.pop() ?? new Deno.QuicEndpoint({ hostname: bound, port: 0 });
  const connected = Deno.connectQuic<false>({
    endpoint,
    hostname: address,
    port,
    serverName: serverName ?? hostname,
    alpnProtocols,
    caCerts,
    ...(certificateHashes && {
      serverCertificateHashes: certificateHashes.map((value) => ({ algorithm: "sha-256", value })),
    }),
    ...transportOptions(options),
  });
  let closed = false;
  const close = () => {
    closed = true;
    endpoint.close();
  };
  // One that an attempt failed on may be broken itself.
  connected.then((conn) => conn.closed).then(() => {
    if (closed) return;
    if (spare.length < MAX_SPARE_ENDPOINTS) spare.push(endpoint);
    else close();
  }, close);
  return { connected, abort: close };
}

export class QuicConnection {
  readonly #conn: Deno.QuicConn;
  readonly #weight = new ArrayBuffer(NATIVE_BYTES, { maxByteLength: NATIVE_BYTES });
  #bidi: ReadableStreamDefaultReader<Deno.QuicBidirectionalStream> | null = null;
  #uni: ReadableStreamDefaultReader<Deno.QuicReceiveStream> | null = null;
  #closing: QuicCloseInfo | null = null;
  #remote = "unknown";
  #remoteAtMs = -Infinity;

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

  /** The peer's address, "ip:port", not older than a second: it may change (RFC 9000 §9). */
  get remote(): string {
    const nowMs = performance.now();
    if (nowMs - this.#remoteAtMs < REMOTE_AGE_MS) return this.#remote;
    try {
      const { hostname, port } = this.#conn.remoteAddr;
      this.#remote = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
      this.#remoteAtMs = nowMs;
    } catch {
      // The connection is gone: what was last known stands.
    }
    return this.#remote;
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
    for (;;) {
      let value: Deno.QuicBidirectionalStream | undefined;
      try {
        ({ value } = await this.#bidi.read());
      } catch {
        return null;
      }
      if (value === undefined) return null;
      try {
        return new QuicStream(value.readable, value.writable);
      } catch {
        // It went before it was seen, as all do that wait when a connection is lost.
      }
    }
  }

  /** The next one-way stream that the peer opens; `null` when the connection is over. */
  async acceptUniStream(): Promise<QuicReceiveStream | null> {
    this.#uni ??= this.#conn.incomingUnidirectionalStreams.getReader();
    try {
      const { value } = await this.#uni.read();
      return value
        ? new QuicReceiveStream(value, new ReadSize(UNI_READ_SIZE, UNI_READ_SIZE))
        : null;
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
  /** RFC 9000 §2.1. Asked for at once: of a stream that is gone Deno throws. */
  readonly id: number;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(stream: Deno.QuicSendStream) {
    this.id = Number(stream.id);
    this.#writer = stream.getWriter();
    this.#writer.closed.catch(ignore);
    this.#writer.ready.catch(ignore);
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

  /**
   * Drops what was not handed over yet and sends FIN, once the write under way is through: then it
   * resolves. Never rejects.
   */
  abortWrite(): Promise<void> {
    return this.#writer.abort().catch(ignore);
  }
}

/** The receiving side of a stream. */
export class QuicReceiveStream {
  readonly #reader: ReadableStreamBYOBReader;
  readonly #size: ReadSize;
  #buffer: ArrayBuffer | null = null;
  #stopped = false;

  constructor(stream: Deno.QuicReceiveStream, size: ReadSize = new ReadSize()) {
    this.#reader = stream.getReader({ mode: "byob" });
    this.#reader.closed.catch(ignore);
    this.#size = size;
  }

  /** The next bytes; valid until the next read. `null` at FIN; rejects once it is stopped. */
  async read(): Promise<Uint8Array | null> {
    // While much comes, a turn of the loop lets more of it arrive: fewer reads, fewer writes behind.
    if (this.#size.busy) await nextTurn();
    const size = this.#size.size;
    let buffer = this.#buffer;
    if (buffer === null || buffer.byteLength !== size) buffer = new ArrayBuffer(size);
    this.#buffer = null;
    try {
      const { value, done } = await this.#reader.read(new Uint8Array(buffer));
      // What our own end of it cuts short is no FIN of the peer's.
      if (done && this.#stopped) throw new NetError("aborted", "reading was stopped");
      if (done || value === undefined) return null;
      this.#buffer = value.buffer;
      this.#size.took(value.length);
      return value;
    } catch (error) {
      throw toNetError(error);
    }
  }

  /** Reads no more: what was not read is dropped, and the peer gets STOP_SENDING. */
  stopReading(): void {
    this.#stopped = true;
    this.#reader.cancel().catch(ignore);
  }
}

/** A stream in both directions. */
export class QuicStream implements ByteStream {
  readonly headroom = 0;
  readonly #send: QuicSendStream;
  readonly #receive: QuicReceiveStream;

  constructor(readable: Deno.QuicReceiveStream, writable: Deno.QuicSendStream) {
    this.#send = new QuicSendStream(writable);
    this.#receive = new QuicReceiveStream(readable);
  }

  get id(): number {
    return this.#send.id;
  }

  read(): Promise<Uint8Array | null> {
    return this.#receive.read();
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
   * and its stream go with the connection, or when the peer reads on. Resolves then; never rejects.
   */
  abort(): Promise<void> {
    this.#receive.stopReading();
    return this.#send.abortWrite();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Whatever ends a stream is told where it is read or written. */
function ignore(): void {}
