import { TimesHistogram } from "./load_times.ts";

/** What happened in one interval of a load. Times are in microseconds, `null` without an answer. */
export interface Interval {
  /** When it began: milliseconds after the warmup. */
  atMs: number;
  roundTrips: number;
  bytesSent: number;
  bytesReceived: number;
  errors: number;
  /** WebSockets that were open at its end. */
  sockets: number;
  latencyUs: { p50: number; p90: number; p99: number; p999: number; max: number } | null;
}

/** As many intervals as this, or a few more, are a line that can be read. */
const INTERVALS = 120;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const LENGTHS_MS = [
  ...[100, 250, 500, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND],
  ...[MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, 60 * MINUTE, 360 * MINUTE],
];

/** How long an interval of a load is that lasts for so long. */
export function intervalFor(durationMs: number): number {
  return LENGTHS_MS.find((ms) => ms * INTERVALS >= durationMs) ?? LENGTHS_MS.at(-1)!;
}

export interface TimelineOptions {
  readonly intervalMs: number;
  /** Of the closed model: corrects for coordinated omission; 0 for not. */
  readonly expectedIntervalMs: number;
  /** How many WebSockets are open now. */
  readonly sockets: () => number;
}

/** What happens over time, in intervals of one length. Times are milliseconds after the warmup. */
export class Timeline {
  readonly intervalMs: number;
  readonly #done: Interval[] = [];
  readonly #histogram = new TimesHistogram();
  readonly #expectedIntervalMs: number;
  readonly #sockets: () => number;
  #now: Interval;

  constructor({ intervalMs, expectedIntervalMs, sockets }: TimelineOptions) {
    this.intervalMs = intervalMs;
    this.#expectedIntervalMs = expectedIntervalMs;
    this.#sockets = sockets;
    this.#now = this.#empty(0);
  }

  #empty(atMs: number): Interval {
    return {
      ...{ atMs, roundTrips: 0, bytesSent: 0, bytesReceived: 0, errors: 0, sockets: 0 },
      latencyUs: null,
    };
  }

  /** Closes the intervals that are over. */
  #goTo(ms: number): void {
    while (ms >= this.#now.atMs + this.intervalMs) {
      this.#done.push(this.#closed());
      this.#histogram.reset();
      this.#now = this.#empty(this.#now.atMs + this.intervalMs);
    }
  }

  #closed(): Interval {
    const at = (percentile: number) => this.#histogram.at(percentile);
    const latencyUs = this.#histogram.count === 0
      ? null
      : { p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: at(100) };
    return { ...this.#now, sockets: this.#sockets(), latencyUs };
  }

  sent(ms: number, bytes: number): void {
    this.#goTo(ms);
    this.#now.bytesSent += bytes;
  }

  /** An echo came, after `latencyMs`. */
  answered(ms: number, bytes: number, latencyMs: number): void {
    this.#goTo(ms);
    this.#now.roundTrips++;
    this.#now.bytesReceived += bytes;
    this.#histogram.record(latencyMs, this.#expectedIntervalMs);
  }

  failed(ms: number, times: number): void {
    // What fails before the load begins is told with its beginning.
    this.#goTo(ms);
    this.#now.errors += times;
  }

  /** All intervals up to `ms`, the last of which may be cut short. */
  intervals(ms: number): Interval[] {
    this.#goTo(ms);
    const isCut = ms > this.#now.atMs || this.#now.errors + this.#now.roundTrips > 0;
    return isCut ? [...this.#done, this.#closed()] : [...this.#done];
  }
}
