import { NetError } from "../net/error.ts";
import type { Swept } from "../net/sweeper.ts";
import { H2Code, type H2Error } from "../protocol/http2/codes.ts";
import { Http2Connection } from "../protocol/http2/connection.ts";
import { encodeResponse } from "../protocol/http2/fields.ts";
import type { LocalSettings } from "../protocol/http2/options.ts";
import { PeerError } from "../protocol/wire/error.ts";
import type { Accepted, ConnectionEnd, DoorOptions } from "./door.ts";
import { H2Driver, type H2OwnEvent, lost } from "./h2_driver.ts";
import { H2Request } from "./h2_request.ts";
import type { H2Stream } from "./h2_stream.ts";

export interface H2DoorOptions extends DoorOptions {
  /** Streams at once, the windows, and whether RFC 8441 is spoken. */
  h2: Partial<LocalSettings>;
}

/** RFC 9113 §6.8: GOAWAY's second step comes a round trip after the first, or so much later. */
const DRAIN_PING = new Uint8Array([0x68, 0x33, 0x77, 0x73, 1, 1, 1, 1]);
const DRAIN_PING_MS = 1_000;
/** What a client sends behind our GOAWAY is read past, or an RST would take that from it. */
const LINGER_MS = 2_000;
const MAX_LINGER_MS = 30_000;
const LINGER_BYTES = 8 * 1024 * 1024;

/** One HTTP/2 connection on the server's side, from its preface to its end. */
export class H2Connection implements Swept {
  readonly h2: Http2Connection;
  readonly #conn: Accepted;
  readonly #options: H2DoorOptions;
  readonly #driver: H2Driver;
  #idleSinceMs = performance.now();
  #draining = false;
  #nameLastAtMs = Infinity;
  #lingersUntilMs = Infinity;
  /** Nothing more comes: FIN, or worse. */
  #peerEnded = false;
  #end: ConnectionEnd | null = null;

  constructor(conn: Accepted, options: H2DoorOptions) {
    this.#conn = conn;
    this.#options = options;
    const { maxHeaderBytes } = options;
    this.h2 = new Http2Connection({ role: "server", settings: { maxHeaderBytes, ...options.h2 } });
    this.#driver = new H2Driver(conn.stream, this.h2, (event) => this.#take(event));
  }

  /** Resolves when the connection is gone and told of. Never rejects. */
  async run(): Promise<ConnectionEnd> {
    const { sweeper } = this.#options;
    this.h2.tick(performance.now());
    sweeper.add(this);
    this.#driver.flush();
    try {
      this.#peerEnded = await this.#driver.read();
      if (this.#peerEnded) this.h2.end();
    } catch (error) {
      this.#fail(error);
    }
    const end = this.#finish({ code: 0, reason: "", byPeer: true });
    const { writeTimeoutMs } = this.#options;
    this.#lingersUntilMs = performance.now() + Math.max(LINGER_MS, writeTimeoutMs);
    this.#driver.dropAll(lost());
    await this.#flushed();
    if (!this.#peerEnded) await this.#linger();
    sweeper.delete(this);
    this.#conn.stream.abort();
    return end;
  }

  #take(event: H2OwnEvent): void {
    switch (event.type) {
      case "request":
        return this.#request(event);
      case "oversize":
        return this.#oversize(event.streamId, event.endStream);
      case "reset":
        return this.#driver.drop(event.streamId, resetByClient());
      case "streamError":
        return this.#streamError(event.streamId, event.error);
      case "pong":
        return this.#pong(event.payload);
      case "settings":
      case "goaway":
      case "response":
      case "informational":
        return;
      default:
        event satisfies never;
    }
  }

  #request({ streamId, head, endStream }: Extract<H2OwnEvent, { type: "request" }>): void {
    const stream = this.#driver.add(streamId);
    if (endStream) stream.end();
    this.#idleSinceMs = Infinity;
    const { remote, local, secure } = this.#conn;
    const request = new H2Request(head, { stream, wire: this.#driver, remote, local, secure });
    void this.#serve(request, stream);
  }

  async #serve(request: H2Request, stream: H2Stream): Promise<void> {
    try {
      await this.#options.onOffer(request);
    } catch (error) {
      stream.reset(H2Code.INTERNAL_ERROR);
      if (!(error instanceof NetError || error instanceof PeerError)) {
        this.#options.onBug("http/2 request", error);
      }
    } finally {
      stream.abort();
      this.#driver.streams.delete(stream.id);
      if (this.#driver.streams.size === 0) {
        this.#idleSinceMs = performance.now();
        // An end that lingers has its own.
        if (this.h2.isDone && this.#end === null) this.#conclude();
      }
    }
  }

  #oversize(streamId: number, endStream: boolean): void {
    this.h2.sendHeaders(streamId, encodeResponse(431, []), true);
    if (!endStream) this.h2.reset(streamId, H2Code.NO_ERROR);
    this.#options.onHeadRefused(431, this.#conn.remote);
  }

  #streamError(streamId: number, error: H2Error): void {
    const known = this.#driver.streams.has(streamId);
    this.#driver.drop(streamId, error);
    this.#options.onPeerError(error, this.#conn.remote);
    if (!known) this.#options.onHeadRefused(400, this.#conn.remote);
  }

  /** The last words, GOAWAY among them, as far as the peer takes them. */
  async #flushed(): Promise<void> {
    await this.#driver.flushed();
    await this.#conn.stream.closeWrite().catch(() => {});
  }

  async #linger(): Promise<void> {
    const { stream } = this.#conn;
    const lastMs = performance.now() + MAX_LINGER_MS;
    this.#lingersUntilMs = performance.now() + LINGER_MS;
    try {
      let left = LINGER_BYTES;
      for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) {
        left -= chunk.length;
        if (left < 0) return;
        // Who still says something still reads, maybe what was sent last.
        this.#lingersUntilMs = Math.min(lastMs, performance.now() + LINGER_MS);
      }
    } catch {
      // It ends in any case.
    }
  }

  /** RFC 9113 §5.4.1: one place turns what was thrown into the connection's end. */
  #fail(error: unknown): void {
    if (error instanceof PeerError) {
      this.#options.onPeerError(error, this.#conn.remote);
      this.#finish({ code: error.code, reason: error.message, byPeer: false });
    } else if (error instanceof NetError) {
      this.#peerEnded = true;
      this.#finish({ code: -1, reason: error.message, byPeer: true });
    } else {
      this.#options.onBug("http/2 connection", error);
      this.h2.goaway(H2Code.INTERNAL_ERROR);
      this.#finish({ code: H2Code.INTERNAL_ERROR, reason: "internal error", byPeer: false });
    }
  }

  #finish(end: ConnectionEnd): ConnectionEnd {
    this.#end ??= end;
    this.#driver.over();
    return this.#end;
  }

  sweep(nowMs: number): void {
    const { writeTimeoutMs, idleTimeoutMs, headTimeoutMs } = this.#options;
    this.h2.tick(nowMs);
    if (nowMs - this.#driver.writingSinceMs >= writeTimeoutMs) {
      this.#finish({ code: H2Code.CANCEL, reason: "client reads too slowly", byPeer: false });
      this.#conn.stream.abort();
    } else if (this.#end !== null) {
      if (nowMs >= this.#lingersUntilMs) this.#conn.stream.abort();
    } else if (!this.h2.settingsAcknowledged && nowMs - this.#idleSinceMs >= headTimeoutMs) {
      // RFC 9113 §6.5.3: SETTINGS_TIMEOUT; and a client that never says anything.
      this.close(H2Code.SETTINGS_TIMEOUT, "no SETTINGS in time");
    } else if (nowMs - this.#idleSinceMs >= idleTimeoutMs) {
      this.close(H2Code.NO_ERROR, "idle");
    } else {
      const { contentTimeoutMs: readMs = headTimeoutMs } = this.#options;
      const limits = { readMs, writeMs: writeTimeoutMs };
      for (const stream of this.#driver.streams.values()) stream.sweep(nowMs, limits);
      if (nowMs >= this.#nameLastAtMs) this.#nameLast();
    }
  }

  /** RFC 9113 §6.8: takes no new streams; the connection ends with its last one. */
  drain(): void {
    if (this.#draining || this.#end !== null) return;
    this.#draining = true;
    this.#nameLastAtMs = performance.now() + DRAIN_PING_MS;
    this.h2.drain();
    this.h2.ping(DRAIN_PING);
    this.#driver.flush();
  }

  #pong(payload: Uint8Array): void {
    if (payload.every((byte, i) => byte === DRAIN_PING[i])) this.#nameLast();
  }

  #nameLast(): void {
    this.#nameLastAtMs = Infinity;
    this.h2.goaway();
    this.#driver.flush();
    if (this.h2.isDone) this.#conclude();
  }

  /** Ends the connection, with all its streams. */
  close(code: H2Code = H2Code.NO_ERROR, reason = ""): void {
    if (this.#end !== null) return this.#conn.stream.abort();
    this.h2.goaway(code);
    this.#finish({ code, reason, byPeer: false });
    void this.#driver.flushed().then(() => this.#conn.stream.abort());
  }

  /** The last stream is over: what waits is sent, and what still comes is read past. */
  #conclude(): void {
    this.#finish({ code: H2Code.NO_ERROR, reason: "", byPeer: false });
    this.#lingersUntilMs = performance.now() + LINGER_MS;
    void this.#flushed();
  }
}

function resetByClient(): NetError {
  return new NetError("reset", "the client reset the stream");
}
