import { quote } from "../config/error.ts";
import type { SocketEnd } from "../endpoint/socket.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import { type Interval, Timeline } from "./load_timeline.ts";
import { TimesHistogram } from "./load_times.ts";

const MAX_ERROR_TEXTS = 16;
const OTHER_ERRORS = "other errors";

/** Sums of what a load did. */
export interface LoadCounts {
  /** WebSockets that were opened in the place of others. */
  openedAnew: number;
  /** Messages that were sent, and echoes that came. */
  sent: number;
  roundTrips: number;
  bytesSent: number;
  bytesReceived: number;
  /** Messages that were sent and had no echo, whatever the reason. */
  unanswered: number;
  errors: number;
}

/** The sessions of a load. */
export interface Sessions {
  opened: number;
  /** Ended by us, at the end. */
  closed: number;
  /** Ended by the server, or broken. */
  lost: number;
  /** Never opened. */
  failed: number;
}

/** One message and its echo, in milliseconds of the load's clock. */
export interface RoundTrip {
  /** When it should have been sent. */
  dueMs: number;
  /** When it was. */
  sentMs: number;
  nowMs: number;
  bytes: number;
}

export interface RecorderOptions {
  intervalMs: number;
  /** Of the closed model: corrects for coordinated omission; 0 for not. */
  expectedIntervalMs: number;
}

/** All that a load writes down. What was due before the warmup is over is not. */
export class Recorder {
  readonly latency = new TimesHistogram();
  readonly service = new TimesHistogram();
  readonly connect = new TimesHistogram();
  readonly handshake = new TimesHistogram();
  readonly opening = new TimesHistogram();
  readonly ping = new TimesHistogram();
  readonly session = new TimesHistogram();
  readonly counts: LoadCounts = {
    ...{ sent: 0, roundTrips: 0, bytesSent: 0, bytesReceived: 0, unanswered: 0, errors: 0 },
    openedAnew: 0,
  };
  readonly sessions: Sessions = { opened: 0, closed: 0, lost: 0, failed: 0 };
  readonly errorTexts: Record<string, number> = {};
  readonly closeCodes: Record<string, number> = {};
  readonly #expectedIntervalMs: number;
  readonly #timeline: Timeline;
  #fromMs = Infinity;
  #lastEchoMs = -Infinity;

  constructor({ intervalMs, expectedIntervalMs }: RecorderOptions) {
    this.#expectedIntervalMs = expectedIntervalMs;
    this.#timeline = new Timeline({ intervalMs, expectedIntervalMs, sockets: () => this.open });
  }

  /** WebSockets that are open. */
  get open(): number {
    return this.sessions.opened - this.sessions.closed - this.sessions.lost;
  }

  get intervalMs(): number {
    return this.#timeline.intervalMs;
  }

  /** Messages count from now on; what is due before `ms` is the warmup. */
  begin(ms: number): void {
    this.#fromMs = ms;
  }

  get fromMs(): number {
    return this.#fromMs;
  }

  /** When the last echo that counts came. */
  get lastEchoMs(): number {
    return this.#lastEchoMs;
  }

  #isCounted(dueMs: number): boolean {
    return dueMs >= this.#fromMs;
  }

  /** Milliseconds since the warmup. */
  #since(ms: number): number {
    return Math.max(0, ms - this.#fromMs);
  }

  sent(dueMs: number, nowMs: number, bytes: number): void {
    if (!this.#isCounted(dueMs)) return;
    this.counts.sent++;
    this.counts.bytesSent += bytes;
    this.#timeline.sent(this.#since(nowMs), bytes);
  }

  answered({ dueMs, sentMs, nowMs, bytes }: RoundTrip): void {
    if (!this.#isCounted(dueMs)) return;
    this.counts.roundTrips++;
    this.counts.bytesReceived += bytes;
    this.#lastEchoMs = nowMs;
    this.latency.record(nowMs - dueMs, this.#expectedIntervalMs);
    this.service.record(nowMs - sentMs);
    this.#timeline.answered(this.#since(nowMs), bytes, nowMs - dueMs);
  }

  unanswered(dueMs: number): void {
    if (this.#isCounted(dueMs)) this.counts.unanswered++;
  }

  /** A WebSocket was opened in the place of another. */
  openedAnew(nowMs: number): void {
    if (this.#isCounted(nowMs)) this.counts.openedAnew++;
  }

  /** Something went wrong, at `ms` of the load's clock; `text` says what. */
  failed(text: string, ms: number, times = 1): void {
    if (times === 0) return;
    this.counts.errors += times;
    const { errorTexts } = this;
    const known = text in errorTexts || Object.keys(errorTexts).length < MAX_ERROR_TEXTS;
    const key = known ? text : OTHER_ERRORS;
    errorTexts[key] = (errorTexts[key] ?? 0) + times;
    this.#timeline.failed(this.#since(ms), times);
  }

  /** A session is over, by us as it should be. */
  closed(lastedMs: number): void {
    this.session.record(lastedMs);
    this.sessions.closed++;
  }

  /** A session is over that should go on. */
  lost(end: SocketEnd, lastedMs: number, nowMs: number): void {
    this.session.record(lastedMs);
    this.sessions.lost++;
    this.closeCodes[end.code] = (this.closeCodes[end.code] ?? 0) + 1;
    // It is the server's, and may be anything.
    const reason = end.reason === "" ? "" : ` ${quote(end.reason)}`;
    // RFC 6455 §7.1.7: what breaks a rule we end ourselves.
    const how = end.by === "us" && end.code !== CloseCode.ABNORMAL_CLOSURE
      ? "the server broke a rule of WebSocket:"
      : "closed with";
    this.failed(`${how} ${end.code}${reason}`, nowMs);
  }

  /** What happened over time, up to `ms` of the load's clock. */
  intervals(ms: number): Interval[] {
    return this.#fromMs === Infinity ? [] : this.#timeline.intervals(this.#since(ms));
  }
}
