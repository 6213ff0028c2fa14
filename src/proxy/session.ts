import { messageOf, NetError } from "../net/error.ts";
import type { Swept } from "../net/sweeper.ts";
import { CloseCode, WebSocketError } from "../protocol/websocket/close.ts";
import { encodeClose } from "../protocol/websocket/encoder.ts";
import { PeerError } from "../protocol/wire/error.ts";
import type { EndedBy } from "./observer.ts";
import { Pinger } from "./pinger.ts";
import { type End, lost, wellEnded } from "./session_end.ts";
import { meterOf, type SessionOptions } from "./session_options.ts";
import { Way } from "./way.ts";

/** How long a side that was told of the end may take to end its own. */
const LINGER_MS = 2_000;

const SHUTTING_DOWN = "server is shutting down";

/**
 * One WebSocket on its way through the proxy. It ends once: whoever comes first decides who ended
 * it and why; both sides are told, the record goes out, and what is still open gets `LINGER_MS`.
 */
export class Session implements Swept {
  readonly #options: SessionOptions;
  readonly #toBackend: Way;
  readonly #toClient: Way;
  readonly #startedMs = performance.now();
  #end: End | null = null;
  /** The Close that came first, and from which side. */
  #close: End | null = null;
  #clientFin = false;
  #backendFin = false;
  /** Ways that have not ended, and what is called when none is left. */
  #carried = 2;
  #over: () => void = () => {};
  #freeAtMs = Infinity;
  #closeAtMs = Infinity;
  #reads = 0;
  #lastReadMs: number;
  readonly #pinger: Pinger;

  constructor(options: SessionOptions) {
    const { client, backend, limits, observer } = options;
    this.#options = options;
    this.#lastReadMs = options.sweeper.nowMs;
    const watchPong = limits.pingIntervalMs > 0;
    const fromClient = { masked: true, watchPong, traffic: observer.toBackend };
    const fromBackend = { masked: false, watchPong: false, traffic: observer.toClient };
    const { writeTimeoutMs } = limits;
    this.#toBackend = new Way({
      ...{ from: client, to: backend, writeTimeoutMs, meter: meterOf(options, fromClient) },
      onSlow: () => this.#slow("backend"),
    });
    this.#toClient = new Way({
      ...{ from: backend, to: client, writeTimeoutMs, meter: meterOf(options, fromBackend) },
      onSlow: () => this.#slow("client"),
    });
    this.#pinger = new Pinger(limits, { toBackend: this.#toBackend, toClient: this.#toClient });
  }

  /** Whether no frames are known: any protocol but WebSocket. */
  get #isRaw(): boolean {
    return this.#options.allowedRsv === null;
  }

  /** Carries bytes both ways until both sides have ended. Never rejects. */
  async run(): Promise<void> {
    const { sweeper, observer, start } = this.#options;
    observer.sessionOpened(start);
    sweeper.add(this);
    const over = new Promise<void>((resolve) => this.#over = resolve);
    this.#options.client.onReset = (error) => this.#clientLost(error);
    void this.#carry(this.#toBackend);
    void this.#carry(this.#toClient);
    await over;
    this.#finish({ by: "proxy:error", code: CloseCode.INTERNAL_ERROR, reason: "no end was told" });
    this.#options.backend.abort();
    sweeper.delete(this);
  }

  async #carry(way: Way): Promise<void> {
    await this.#pump(way);
    if (way === this.#toBackend) this.#clientEnded();
    else this.#backendEnded();
    if (way.mayHaveMore) await way.drain();
    if (--this.#carried === 0) this.#over();
  }

  /** read, meter, write, read: no queue between the two sides. */
  async #pump(way: Way): Promise<void> {
    const { from, to, meter } = way;
    try {
      for (let chunk = await from.read(); chunk !== null; chunk = await from.read()) {
        way.reads++;
        // After the end what still comes is read only to see it end.
        if (this.#end !== null && !way.open) continue;
        meter.push(chunk);
        for (let event = meter.next(); event !== null; event = meter.next()) {
          if (event.type === "pong" && this.#pinger.isOurs(event.payload)) continue;
          const headroom = way.headroomOf(event.bytes, chunk);
          way.writes.began();
          await to.write(event.bytes, headroom);
          way.writes.ended();
          if (event.type === "close") this.#closed(way, event.code, event.reason);
        }
      }
    } catch (error) {
      way.fail(error);
    }
  }

  /** A Close has passed; with the second one the WebSocket is over. */
  #closed(way: Way, code: number, reason: string): void {
    const by = way === this.#toBackend ? "client" : "backend";
    this.#close ??= { by, code, reason };
    if (!this.#toBackend.meter.closed || !this.#toClient.meter.closed) return;
    this.#finish(this.#close);
    // RFC 6455 §7.1.1: the server ends TCP first, so the backend is waited for.
    this.#toClient.closeWrite();
    this.#linger();
  }

  /** The way to the backend has ended: FIN, or something broke on either side of it. */
  #clientEnded(): void {
    const way = this.#toBackend;
    const { error } = way;
    if (this.#end !== null) return;
    if (error === null) {
      // A client FIN goes on as FIN; what the backend still sends arrives.
      this.#clientFin = true;
      way.closeWrite();
      if (this.#backendFin) this.#finish(wellEnded("backend"));
    } else if (way.writeFailed) {
      // The backend is gone; its own way tells more.
    } else if (error instanceof WebSocketError) {
      this.#fault(way, error);
    } else if (error instanceof NetError || error instanceof PeerError) {
      this.#clientLost(error);
    } else {
      this.#bug(error);
    }
  }

  #clientLost(error: Error): void {
    this.#finish(this.#close ?? lost("client", `client: ${error.message}`));
    this.#abort();
  }

  #backendEnded(): void {
    const way = this.#toClient;
    const { error } = way;
    if (this.#end !== null) {
      if (!this.#toClient.open) this.#options.backend.abort();
      return;
    }
    if (way.writeFailed) {
      this.#finish(this.#close ?? lost("client", `client: ${messageOf(error)}`));
      this.#abort();
    } else if (error instanceof WebSocketError) {
      this.#fault(way, error);
    } else if (error === null && this.#isRaw) {
      // Half-closed: the client may go on.
      this.#backendFin = true;
      way.closeWrite();
      if (this.#clientFin) this.#finish(wellEnded("client"));
    } else if (error instanceof NetError && this.#isRaw) {
      // RFC 8441 §5: RST is RST_STREAM with CANCEL; after FIN the tunnel would look whole.
      this.#finish(lost("backend", `backend: ${error.message}`));
      this.#abort();
    } else if (error === null || error instanceof NetError || error instanceof PeerError) {
      this.#backendLost(error);
    } else {
      this.#bug(error);
    }
  }

  /** The backend's connection is over, with or without a Close before. */
  #backendLost(error: Error | null): void {
    const { meter } = this.#toClient;
    if (this.#close !== null) {
      this.#finish(this.#close);
    } else if (this.#clientFin) {
      this.#finish(lost("client", "client ended its stream without Close"));
    } else {
      const reason = error === null ? "backend ended without Close" : `backend: ${error.message}`;
      this.#finish(lost("backend", reason));
      if (!meter.closed) {
        this.#toClient.put(encodeClose(CloseCode.INTERNAL_ERROR, "backend connection lost"));
      }
    }
    this.#toClient.closeWrite();
    this.#options.backend.abort();
    this.#linger();
  }

  /** A side broke a rule of RFC 6455, or a limit. */
  #fault(way: Way, error: WebSocketError): void {
    const fromClient = way === this.#toBackend;
    const side = fromClient ? "client" : "backend";
    const by = error.oversize === null ? "proxy:error" : "proxy:limit";
    const toClient = fromClient || error.oversize !== null ? error.code : CloseCode.BAD_GATEWAY;
    this.#finish({ by, code: error.code, reason: `${side}: ${error.message}` });
    this.#tell(toClient, error.code, error.message);
  }

  /** Ends the session from our side. */
  close(by: EndedBy, code: number, reason: string): void {
    if (this.#end !== null) return;
    this.#finish({ by, code, reason });
    this.#tell(code, code, reason);
  }

  /** Ends it now: both sides are told as far as they take it at once, none is waited for. */
  stop(): void {
    this.close("proxy:drain", CloseCode.GOING_AWAY, SHUTTING_DOWN);
    this.#abort();
  }

  /** Ends the session at that time, for a drain that does not end all in one instant. */
  closeAt(atMs: number): void {
    this.#closeAtMs = atMs;
  }

  #tell(toClient: number, toBackend: number, reason: string): void {
    // RFC 8441 §5: without a Close of its own what is cut off must not look whole.
    if (this.#isRaw) return this.#abort();
    this.#toClient.put(encodeClose(toClient, reason));
    this.#toBackend.put(encodeClose(toBackend, reason, randomBytes(4)));
    this.#toClient.closeWrite();
    this.#toBackend.closeWrite();
    this.#linger();
  }

  #bug(error: unknown): void {
    this.#options.observer.bug("session", error);
    this.close("proxy:error", CloseCode.INTERNAL_ERROR, "internal error");
  }

  /** The one record of how it ended. */
  #finish(end: End): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#options.observer.sessionClosed({
      ...this.#options.start,
      ...end,
      durationMs: performance.now() - this.#startedMs,
      toBackend: this.#toBackend.counts(),
      toClient: this.#toClient.counts(),
    });
  }

  #linger(): void {
    this.#freeAtMs = Math.min(this.#freeAtMs, performance.now() + LINGER_MS);
  }

  #abort(): void {
    this.#freeAtMs = Infinity;
    this.#options.backend.abort();
    this.#options.client.abort();
    // A write to a client that does not read outlasts its abort (see net/quic.ts).
    this.#over();
  }

  sweep(nowMs: number): void {
    if (nowMs >= this.#freeAtMs) return this.#abort();
    if (this.#end !== null) return;
    if (nowMs >= this.#closeAtMs) {
      return this.close("proxy:drain", CloseCode.GOING_AWAY, SHUTTING_DOWN);
    }
    const { readTimeoutMs } = this.#options.limits;
    this.#toBackend.sweep(nowMs);
    this.#toClient.sweep(nowMs);
    const reads = this.#toBackend.reads + this.#toClient.reads;
    if (reads !== this.#reads) {
      this.#reads = reads;
      this.#lastReadMs = nowMs;
    } else if (nowMs - this.#lastReadMs >= readTimeoutMs) {
      return this.close("proxy:idle", CloseCode.GOING_AWAY, "idle");
    }
    if (!this.#pinger.sweep(nowMs, this.#lastReadMs)) {
      this.close("proxy:ping", CloseCode.GOING_AWAY, "no Pong from the client");
    }
  }

  #slow(side: string): void {
    this.close("proxy:slow", CloseCode.POLICY_VIOLATION, `${side} reads too slowly`);
  }
}

function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}
