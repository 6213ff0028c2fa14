import type { Refusal } from "../net/accepted.ts";
import { NetError } from "../net/error.ts";
import { type Handshake, Handshakes } from "../net/handshakes.ts";
import { PeerError } from "../protocol/wire/error.ts";
import type { Accepted, ConnectionEnd, DoorOptions } from "./door.ts";
import { H1Connection } from "./h1_connection.ts";
import { H2Connection, type H2DoorOptions } from "./h2_connection.ts";
import type { HttpVersion } from "./offer.ts";
import { unread } from "../net/unread.ts";

export interface TcpDoorOptions extends DoorOptions, H2DoorOptions {
  /** Connections at once; one more is closed. */
  maxConnections: () => number;
  onConnectionOpened: (http: HttpVersion) => void;
  onConnectionClosed: (http: HttpVersion, end: ConnectionEnd & { durationMs: number }) => void;
  onConnectionRefused: (remote: string) => void;
  /** Connections in clear text at once that have not shown what they speak. */
  maxHandshakes: number;
  /** One of them never did, or made room for the next. */
  onHandshakeFailed: (refusal: Refusal) => void;
}

/** What both versions have in common. */
interface Connection {
  run(): Promise<ConnectionEnd>;
  drain(): void;
  close(): void;
}

/** RFC 7301: the ALPN token of HTTP/2. */
const ALPN_H2 = "h2";
/** RFC 9113 §3.4: what the connection preface begins with, and no request does. */
const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n");

/** The door of HTTP/1.1 and HTTP/2: TCP connections, with TLS and without. */
export class TcpDoor {
  readonly #options: TcpDoorOptions;
  readonly #connections = new Set<Connection>();
  /** Those of which it is not known yet what they speak. */
  readonly #unknown: Handshakes;
  #draining = false;
  #idle: (() => void) | null = null;

  constructor(options: TcpDoorOptions) {
    this.#options = options;
    this.#unknown = new Handshakes({
      maxHandshakes: options.maxHandshakes,
      handshakeTimeoutMs: options.headTimeoutMs,
      sweeper: options.sweeper,
      onRefused: options.onHandshakeFailed,
    });
  }

  /** Those that are served. */
  get served(): number {
    return this.#connections.size;
  }

  get connections(): number {
    return this.#connections.size + this.#unknown.size;
  }

  /** Takes a connection; what it speaks is told by ALPN, or else by its first bytes. */
  take(conn: Accepted): void {
    if (this.#isFull(conn)) return;
    if (conn.alpn === ALPN_H2) void this.#serve("2", conn);
    else if (conn.secure) void this.#serve("1.1", conn);
    else void this.#tellApart(conn);
  }

  /** Whether there is no room for a connection: then it is gone. */
  #isFull(conn: Accepted): boolean {
    if (!this.#draining && this.served < this.#options.maxConnections()) return false;
    conn.stream.abort();
    this.#options.onConnectionRefused(conn.remote);
    return true;
  }

  /** RFC 9113 §3.3: prior knowledge, which the connection preface shows. */
  async #tellApart(conn: Accepted): Promise<void> {
    // Anyone can open one and say nothing: those who speak must not have to wait for it.
    const unknown = this.#unknown.begin(conn.remote, () => conn.stream.abort());
    if (unknown === null) return;
    const first = await firstOf(conn, unknown);
    if (first === null || this.#isFull(conn)) {
      conn.stream.abort();
      if (this.connections === 0) this.#idle?.();
      return;
    }
    const version = startsWith(first, PREFACE) ? "2" : "1.1";
    await this.#serve(version, { ...conn, stream: unread(conn.stream, first) });
  }

  async #serve(http: HttpVersion, conn: Accepted): Promise<void> {
    const { onConnectionOpened, onConnectionClosed, onBug } = this.#options;
    const startedMs = performance.now();
    onConnectionOpened(http);
    const connection: Connection = http === "2"
      ? new H2Connection(conn, this.#options)
      : new H1Connection(conn, this.#options);
    this.#connections.add(connection);
    let end: ConnectionEnd = { code: -1, reason: "internal error", byPeer: false };
    try {
      end = await connection.run();
    } catch (error) {
      conn.stream.abort();
      if (!(error instanceof NetError || error instanceof PeerError)) onBug(`http/${http}`, error);
    }
    this.#connections.delete(connection);
    onConnectionClosed(http, { ...end, durationMs: performance.now() - startedMs });
    if (this.connections === 0) this.#idle?.();
  }

  /** Takes nothing new; resolves when the last connection is gone. */
  drain(): Promise<void> {
    this.#draining = true;
    this.#unknown.cut();
    for (const connection of this.#connections) connection.drain();
    if (this.connections === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle = resolve);
  }

  /** Ends every connection. */
  close(): void {
    this.#draining = true;
    this.#unknown.cut();
    for (const connection of this.#connections) connection.close();
  }
}

/** What came first; `null` when there was nothing, or it was given up before. */
async function firstOf(conn: Accepted, unknown: Handshake): Promise<Uint8Array | null> {
  try {
    const first = await beginning(conn);
    return unknown.finish() ? first : null;
  } catch {
    unknown.cut();
    return null;
  }
}

/** As many bytes as tell the two apart; `null` when there were none. */
async function beginning({ stream }: Accepted): Promise<Uint8Array | null> {
  let bytes = new Uint8Array(0);
  for (;;) {
    const chunk = await stream.read();
    if (chunk === null) return bytes.length === 0 ? null : bytes;
    const grown = new Uint8Array(bytes.length + chunk.length);
    grown.set(bytes);
    grown.set(chunk, bytes.length);
    bytes = grown;
    if (bytes.length >= PREFACE.length || !startsWith(bytes, PREFACE)) return bytes;
  }
}

/** Whether `bytes` are a beginning of `text`, or begin with it. */
function startsWith(bytes: Uint8Array, text: Uint8Array): boolean {
  const length = Math.min(bytes.length, text.length);
  for (let i = 0; i < length; i++) {
    if (bytes[i] !== text[i]) return false;
  }
  return true;
}
