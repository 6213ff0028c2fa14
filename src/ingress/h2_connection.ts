import { Slowness } from "../net/slowness.ts";
import { NetError } from "../net/error.ts";
import type { Swept } from "../net/sweeper.ts";
import { H2Code, type H2Error } from "../protocol/http2/codes.ts";
import { Http2Connection } from "../protocol/http2/connection.ts";
import { encodeResponse } from "../protocol/http2/fields.ts";
import type { LocalSettings } from "../protocol/http2/options.ts";
import type { Upgrade } from "../protocol/http2/upgrade.ts";
import { PeerError } from "../protocol/wire/error.ts";
import type { Accepted, ConnectionEnd, DoorOptions } from "./door.ts";
import { H2Drain } from "./h2_drain.ts";
import { H2Driver, type H2OwnEvent } from "./h2_driver.ts";
import { lost } from "./h2_output.ts";
import { H2Request } from "./h2_request.ts";
import type { H2Stream } from "./h2_stream.ts";
import { H2Times } from "./h2_times.ts";
import { readPast } from "./read_past.ts";

export interface H2DoorOptions extends DoorOptions {
  /** Streams at once, the windows, and whether RFC 8441 is spoken. */
  h2: Partial<LocalSettings>;
}

/** What a client sends behind our GOAWAY is read past, or an RST would take that from it. */
const LINGER_MS = 2_000;
const MAX_LINGER_MS = 30_000;

/** One HTTP/2 connection on the server's side, from its preface to its end. */
export class H2Connection implements Swept {
  readonly h2: Http2Connection;
  readonly #conn: Accepted;
  readonly #options: H2DoorOptions;
  readonly #driver: H2Driver;
  readonly #times: H2Times;
  readonly #drain: H2Drain;
  #lingersUntilMs = Infinity;
  /** Nothing more comes: FIN, or worse. */
  #peerEnded = false;
  #end: ConnectionEnd | null = null;
  readonly #slowness: Slowness;
  /** Whether its first request came by HTTP/1.1. */
  readonly #upgraded: boolean;

  /** `upgrade` is the request of HTTP/1.1 that it began with, if it did. */
  constructor(conn: Accepted, options: H2DoorOptions, upgrade?: Upgrade) {
    this.#conn = conn;
    this.#options = options;
    const { maxHeaderBytes } = options;
    const settings = { maxHeaderBytes, ...options.h2 };
    this.h2 = new Http2Connection({ role: "server", settings, upgrade });
    this.#upgraded = upgrade !== undefined;
    this.#drain = new H2Drain(this.h2);
    this.#times = new H2Times(this.h2, options, this.#upgraded);
    this.#driver = new H2Driver(conn.stream, this.h2, (event) => this.#take(event));
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
    this.#driver.flush();
    try {
      if (await this.#driver.read()) {
        this.#peerEnded = true;
        this.h2.end();
      }
    } catch (error) {
      this.#fail(error);
    }
    const end = this.#finish({ code: 0, reason: "", byPeer: true });
    const { writeTimeoutMs } = this.#options;
    this.#lingersUntilMs = performance.now() + Math.max(LINGER_MS, writeTimeoutMs);
    this.#driver.dropAll(lost());
    await this.#driver.close();
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
        return this.#drain.isAnswer(event.payload) ? this.#nameLast() : undefined;
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
    this.#times.idleSinceMs = Infinity;
    const { remote, local, secure, clientCertificate } = this.#conn;
    const received = this.#upgraded && streamId === 1 ? "1.1" : undefined;
    const request = new H2Request(head, {
      ...{ stream, wire: this.#driver, remote, local, secure, clientCertificate, received },
    });
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
        this.#times.idleSinceMs = performance.now();
        // An end that lingers has its own.
        if (this.h2.isDone && this.#end === null) this.#conclude();
      }
    }
  }

  #oversize(streamId: number, endStream: boolean): void {
    this.h2.sendHeaders(streamId, encodeResponse(431, []), true);
    if (!endStream) this.h2.reset(streamId, H2Code.NO_ERROR);
    this.#options.onHeadRefused(431, this.#conn.remote, "the field section is too long");
  }

  #streamError(streamId: number, error: H2Error): void {
    const { onHeadRefused, onPeerError } = this.#options;
    const { remote } = this.#conn;
    const known = this.#driver.streams.has(streamId);
    this.#driver.drop(streamId, error);
    // RFC 9113 §8.1.1: so a malformed head is told; what else breaks a stream behind its end is none.
    const isHead = !known && error.code === H2Code.PROTOCOL_ERROR;
    if (isHead) onHeadRefused(400, remote, error.message);
    else onPeerError(error, remote);
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
    this.#driver.over();
    this.#end ??= end;
    return this.#end;
  }

  sweep(nowMs: number): void {
    const { writeTimeoutMs, headTimeoutMs } = this.#options;
    this.h2.tick(nowMs);
    this.#slowness.sweep(Math.max(0, nowMs - this.#driver.writingSinceMs));
    if (this.#end !== null) {
      if (nowMs >= this.#lingersUntilMs) this.#conn.stream.abort();
    } else {
      const late = this.#times.late(nowMs);
      if (late !== null) return this.#late(late);
      const { contentTimeoutMs: readMs = headTimeoutMs } = this.#options;
      const limits = { readMs, writeMs: writeTimeoutMs };
      for (const stream of this.#driver.streams.values()) stream.sweep(nowMs, limits);
      if (this.#drain.isDue(nowMs)) this.#nameLast();
    }
  }

  #late(error: H2Error): void {
    // To be slow with a request is told of as all that is wrong with one.
    const isRequest = error.code === H2Code.ENHANCE_YOUR_CALM;
    if (isRequest) this.#options.onPeerError(error, this.#conn.remote);
    this.close(error.code as H2Code, error.message);
  }

  /** RFC 9113 §6.8: takes no new streams; the connection ends with its last one. */
  drain(): void {
    if (this.#end === null && this.#drain.begin()) this.#driver.flush();
  }

  #nameLast(): void {
    this.#drain.nameLast();
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
    void this.#driver.close();
  }
}

function resetByClient(): NetError {
  return new NetError("reset", "the client reset the stream");
}
