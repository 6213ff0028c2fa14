// Everything that Deno's QUIC does and does not do, as of 2.9.6, is known here, in the files quic*.ts, and nowhere else.
//
// - Dropping a stream's writer sends FIN; there is no RESET_STREAM, and STOP_SENDING carries 0.
// - A writer's abort waits for the write under way, and that one waits for the peer's flow control:
//   a stream whose peer does not read can't be freed alone (see `QuicStream.abort`).
// - A stream or writer that nobody refers to is collected, which is a FIN: control streams are held.
// - Reading `remoteAddr` of a `QuicIncoming` uses it up: accept() then fails. Ask the connection.
// - `listener.stop()`, and the collection of an old listener, end the whole endpoint: all listeners
//   of an endpoint are held until it closes.
// - A closed endpoint keeps its UDP socket until it is collected: a client's are used again,
//   and a server that stops has garbage collected (quic_port.ts).
// - A connection's memory outside of V8's heap is freed by a collection, which V8, not knowing of it,
//   begins too late: so one in eight holds a buffer of the size of all eight, whose pages are never
//   touched (a resizable one; a fixed one may be zeroed). 3,000 connections one after the other:
//   175 MB, not 240 MB.
// - A server's streams may be opened before the handshake is over, and what they carry goes out with
//   its first flight. But until all of the client's hello is here there is no credit for them, and who
//   waits for it then is never woken: a hello with ML-KEM takes two packets.
// - A server's handshake resolves when the client is lost in it, too; `closed` settles in the same
//   turn of the event loop, and tells them apart.
// - Every promise of a connection rejects when the peer is lost; each is handled where it is made.
import { messageOf, NetError, toNetError } from "./error.ts";
import { timerMs } from "./numbers.ts";
import {
  nextTurn,
  QuicReceiveStream,
  QuicSendStream,
  QuicStream,
  type QuicStreamOptions,
} from "./quic_stream.ts";
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
/** One connection in so many carries the weight of all: each buffer costs two system calls. */
const WEIGHED = 8;
let unweighed = 0;
const REMOTE_AGE_MS = 1_000;

/** The same in Deno's words. */
export function transportOptions(options: QuicTransport): Deno.QuicTransportOptions {
  return {
    maxConcurrentBidirectionalStreams: options.maxStreams,
    maxConcurrentUnidirectionalStreams: MAX_UNI_STREAMS,
    maxIdleTimeout: timerMs(options.idleTimeoutMs),
    ...(options.keepaliveMs > 0 ? { keepAliveInterval: timerMs(options.keepaliveMs) } : {}),
  };
}

function weight(): ArrayBuffer | null {
  if (++unweighed < WEIGHED) return null;
  unweighed = 0;
  return new ArrayBuffer(WEIGHED * NATIVE_BYTES, { maxByteLength: WEIGHED * NATIVE_BYTES });
}

export class QuicConnection {
  readonly #conn: Deno.QuicConn;
  readonly #weight = weight();
  #bidi: ReadableStreamDefaultReader<Deno.QuicBidirectionalStream> | null = null;
  #uni: ReadableStreamDefaultReader<Deno.QuicReceiveStream> | null = null;
  #closing: QuicCloseInfo | null = null;
  #remote = "unknown";
  #remoteAtMs = -Infinity;
  #isOver = false;

  /** Resolves when the connection is gone, whoever ended it. Never rejects. */
  readonly closed: Promise<QuicCloseInfo>;

  constructor(conn: Deno.QuicConn) {
    this.#conn = conn;
    this.closed = conn.closed.then(
      (info) =>
        this.#closing ?? { code: Number(info.closeCode), reason: info.reason, byPeer: true },
      (error) => this.#closing ?? { code: -1, reason: messageOf(error), byPeer: true },
    );
    void this.closed.then(() => this.#isOver = true);
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

  /**
   * Resolves when the TLS handshake is over; then 0-RTT data can no longer be a replay. Throws
   * `NetError` when the peer is lost before.
   */
  async handshake(): Promise<void> {
    try {
      await this.#conn.handshake;
    } catch (error) {
      throw toNetError(error);
    }
    await nextTurn();
    if (this.#isOver) throw new NetError("lost", (await this.closed).reason);
  }

  /** What ALPN chose (RFC 7301); known once the handshake is over. */
  get alpn(): string | undefined {
    return this.#conn.protocol;
  }

  /** The next stream that the peer opens; `null` when the connection is over. */
  async acceptStream(options?: QuicStreamOptions): Promise<QuicStream | null> {
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
        return new QuicStream(value.readable, value.writable, options);
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
        ? new QuicReceiveStream(value, { size: new ReadSize(UNI_READ_SIZE, UNI_READ_SIZE) })
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

  /** The same at once; `null` where the peer has given no credit for one more (RFC 9000 §4.6). */
  async tryOpenStream(options?: QuicStreamOptions): Promise<QuicStream | null> {
    try {
      const stream = await this.#conn.createBidirectionalStream({ waitUntilAvailable: false });
      return new QuicStream(stream.readable, stream.writable, options);
    } catch (error) {
      if (/maximum number of concurrent/.test(messageOf(error))) return null;
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

  /** The same at once; `null` where there is no credit for it yet. */
  async tryOpenUniStream(): Promise<QuicSendStream | null> {
    try {
      const waitUntilAvailable = false;
      return new QuicSendStream(
        await this.#conn.createUnidirectionalStream({ waitUntilAvailable }),
      );
    } catch (error) {
      if (/maximum number of concurrent/.test(messageOf(error))) return null;
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
