import { Slowness } from "../net/slowness.ts";
import { NetError } from "../net/error.ts";
import type { Swept } from "../net/sweeper.ts";
import { H2Code, type H2Error } from "../protocol/http2/codes.ts";
import { Http2Connection } from "../protocol/http2/connection.ts";
import type { H2Event } from "../protocol/http2/events.ts";
import { encodeResponse } from "../protocol/http2/fields.ts";
import type { LocalSettings } from "../protocol/http2/options.ts";
import { PeerError } from "../protocol/wire/error.ts";
import type { Accepted, ConnectionEnd, DoorOptions } from "./door.ts";
import { H2Output, HIGH_WATER_BYTES, lost } from "./h2_output.ts";
import { H2Request } from "./h2_request.ts";
import { H2Stream, type H2Wire } from "./h2_stream.ts";
import { readPast } from "./read_past.ts";

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

/** One HTTP/2 connection on the server's side, from its preface to its end. */
export class H2Connection implements H2Wire, Swept {
  readonly h2: Http2Connection;
  readonly #conn: Accepted;
  readonly #options: H2DoorOptions;
  readonly #streams = new Map<number, H2Stream>();
  /** Streams that something came on in the chunk at hand. */
  readonly #touched = new Set<H2Stream>();
  readonly #output: H2Output;
  #idleSinceMs = performance.now();
  #draining = false;
  #nameLastAtMs = Infinity;
  #lingersUntilMs = Infinity;
  /** Nothing more comes: FIN, or worse. */
  #peerEnded = false;
  #end: ConnectionEnd | null = null;
  readonly #slowness: Slowness;

  constructor(conn: Accepted, options: H2DoorOptions) {
    this.#conn = conn;
    this.#options = options;
    const { maxHeaderBytes } = options;
    this.h2 = new Http2Connection({ role: "server", settings: { maxHeaderBytes, ...options.h2 } });
    this.#output = new H2Output(this.h2, conn.stream);
    this.#slowness = new Slowness(conn.stream, options.writeTimeoutMs, () => {
      this.#finish({ code: H2Code.CANCEL, reason: "client reads too slowly", byPeer: false });
      this.#conn.stream.abort();
    });
  }

  /** Resolves when the connection is gone and told of. Never rejects. */
  async run(): Promise<ConnectionEnd> {
    const { sweeper } = this.#options;
    this.h2.tick(performance.now());
    sweeper.add(this);
    this.flush();
    try {
      await this.#read();
    } catch (error) {
      this.#fail(error);
    }
    const end = this.#finish({ code: 0, reason: "", byPeer: true });
    const { writeTimeoutMs } = this.#options;
    this.#lingersUntilMs = performance.now() + Math.max(LINGER_MS, writeTimeoutMs);
    for (const stream of this.#streams.values()) stream.fail(lost());
    this.#streams.clear();
    await this.#flushed();
    if (!this.#peerEnded) await this.#linger();
    sweeper.delete(this);
    this.#conn.stream.abort();
    return end;
  }

  async #read(): Promise<void> {
    const { stream } = this.#conn;
    for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) {
      this.h2.push(chunk);
      for (let event = this.h2.next(); event !== null; event = this.h2.next()) this.#take(event);
      for (const touched of this.#touched) touched.deliver();
      this.#touched.clear();
      if (this.h2.outputBytes > 0) this.flush();
      // Answers to what a peer asks for must not pile up: it waits until they are taken.
      if (this.h2.outputBytes > HIGH_WATER_BYTES) await this.room();
      if (this.h2.isDone) return;
    }
    this.#peerEnded = true;
    this.h2.end();
  }

  #take(event: H2Event): void {
    switch (event.type) {
      case "data":
        return this.#data(event.streamId, event.bytes, event.endStream);
      case "request":
        return this.#request(event);
      case "oversize":
        return this.#oversize(event.streamId, event.endStream);
      case "trailers":
        return this.#touch(event.streamId, (stream) => stream.end(event.fields));
      case "reset":
        return this.#drop(event.streamId, new NetError("reset", "the client reset the stream"));
      case "streamError":
        return this.#streamError(event.streamId, event.error);
      case "window":
        return this.#opened(event.streamId);
      case "settings":
        return this.#opened(0);
      case "pong":
        return this.#pong(event.payload);
      case "goaway":
      case "response":
      case "informational":
        return;
      default:
        event satisfies never;
    }
  }

  #request({ streamId, head, endStream }: Extract<H2Event, { type: "request" }>): void {
    const stream = new H2Stream(streamId, this);
    if (endStream) stream.end();
    this.#streams.set(streamId, stream);
    this.#idleSinceMs = Infinity;
    const { remote, local, secure } = this.#conn;
    const request = new H2Request(head, { stream, wire: this, remote, local, secure });
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
      this.#streams.delete(stream.id);
      if (this.#streams.size === 0) {
        this.#idleSinceMs = performance.now();
        // An end that lingers has its own.
        if (this.h2.isDone && this.#end === null) this.#conclude();
      }
    }
  }

  #data(streamId: number, bytes: Uint8Array, endStream: boolean): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      this.h2.consumed(streamId, bytes.length);
      return;
    }
    stream.receive(bytes);
    if (endStream) stream.end();
    this.#touched.add(stream);
  }

  #touch(streamId: number, change: (stream: H2Stream) => void): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    change(stream);
    this.#touched.add(stream);
  }

  #drop(streamId: number, error: Error): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    this.#streams.delete(streamId);
    stream.fail(error);
  }

  #oversize(streamId: number, endStream: boolean): void {
    this.h2.sendHeaders(streamId, encodeResponse(431, []), true);
    if (!endStream) this.h2.reset(streamId, H2Code.NO_ERROR);
    this.#options.onHeadRefused(431, this.#conn.remote, "the field section is too long");
  }

  #streamError(streamId: number, error: H2Error): void {
    const { onHeadRefused, onPeerError } = this.#options;
    const { remote } = this.#conn;
    const known = this.#streams.has(streamId);
    this.#drop(streamId, error);
    // RFC 9113 §8.1.1: so a malformed head is told; what else breaks a stream behind its end is none.
    const isHead = !known && error.code === H2Code.PROTOCOL_ERROR;
    if (isHead) onHeadRefused(400, remote, error.message);
    else onPeerError(error, remote);
  }

  /** RFC 9113 §6.9: more may be sent. */
  #opened(streamId: number): void {
    if (streamId !== 0) return this.#streams.get(streamId)?.opened();
    for (const stream of this.#streams.values()) stream.opened();
  }

  room(): Promise<void> | null {
    return this.#output.room();
  }

  flush(): void {
    this.#output.flush();
  }

  /** The last words, GOAWAY among them, as far as the peer takes them. */
  async #flushed(): Promise<void> {
    await this.#output.flushNow();
    await this.#conn.stream.closeWrite().catch(() => {});
  }

  async #linger(): Promise<void> {
    const { stream } = this.#conn;
    const lastMs = performance.now() + MAX_LINGER_MS;
    this.#lingersUntilMs = performance.now() + LINGER_MS;
    await readPast(() => stream.read(), () => {
      // Who still says something still reads, maybe what was sent last.
      this.#lingersUntilMs = Math.min(lastMs, performance.now() + LINGER_MS);
    });
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
    this.#output.end();
    this.#end ??= end;
    return this.#end;
  }

  sweep(nowMs: number): void {
    const { writeTimeoutMs, idleTimeoutMs, headTimeoutMs } = this.#options;
    this.h2.tick(nowMs);
    this.#slowness.sweep(Math.max(0, nowMs - this.#output.writingSinceMs));
    if (this.#end !== null) {
      if (nowMs >= this.#lingersUntilMs) this.#conn.stream.abort();
    } else if (!this.h2.settingsAcknowledged && nowMs - this.#idleSinceMs >= headTimeoutMs) {
      // RFC 9113 §6.5.3: SETTINGS_TIMEOUT; and a client that never says anything.
      this.close(H2Code.SETTINGS_TIMEOUT, "no SETTINGS in time");
    } else if (nowMs - this.#idleSinceMs >= idleTimeoutMs) {
      this.close(H2Code.NO_ERROR, "idle");
    } else {
      const { contentTimeoutMs: readMs = headTimeoutMs } = this.#options;
      const limits = { readMs, writeMs: writeTimeoutMs };
      for (const stream of this.#streams.values()) stream.sweep(nowMs, limits);
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
    this.flush();
  }

  #pong(payload: Uint8Array): void {
    if (payload.every((byte, i) => byte === DRAIN_PING[i])) this.#nameLast();
  }

  #nameLast(): void {
    this.#nameLastAtMs = Infinity;
    this.h2.goaway();
    this.flush();
    if (this.h2.isDone) this.#conclude();
  }

  /** Ends the connection, with all its streams. */
  close(code: H2Code = H2Code.NO_ERROR, reason = ""): void {
    if (this.#end !== null) return this.#conn.stream.abort();
    this.h2.goaway(code);
    this.#finish({ code, reason, byPeer: false });
    void this.#output.flushNow().then(() => this.#conn.stream.abort());
  }

  /** The last stream is over: what waits is sent, and what still comes is read past. */
  #conclude(): void {
    this.#finish({ code: H2Code.NO_ERROR, reason: "", byPeer: false });
    this.#lingersUntilMs = performance.now() + LINGER_MS;
    void this.#flushed();
  }
}
