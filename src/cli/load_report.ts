import type { LoadHttp, LoadOptions } from "./load_options.ts";
import type { Recorder, Sessions } from "./load_recorder.ts";
import type { Interval } from "./load_timeline.ts";
import type { Bar, Times } from "./load_times.ts";

/** What a load did, as `--json` has it. All times with `Us` in their names are microseconds. */
export interface LoadReport {
  url: string;
  http: LoadHttp;
  /** When it began, in UTC. */
  startedAt: string;
  /** open: messages at a rate; closed: each after the echo of the one before. */
  model: "open" | "closed";
  /** How `latencyUs` is freed of coordinated omission. */
  correction: "schedule" | "expected-interval" | "none";
  connections: number;
  /** WebSockets that were opened at the beginning. */
  sockets: number;
  /** Those that were opened in the place of others, in a second. */
  openedAnewPerSecond: number;
  /** Payload of a message; the smallest of a range. */
  sizeBytes: number;
  maxSizeBytes: number;
  text: boolean;
  /** Sockets on which permessage-deflate was agreed on. */
  deflated: number;
  /** Measured, without the warmup. */
  seconds: number;
  /** Whether it was ended before its time. */
  stoppedEarly: boolean;
  roundTrips: number;
  roundTripsPerSecond: number;
  messages: {
    sent: number;
    received: number;
    unanswered: number;
    /** Of the open model: due while it ran; `null` in the closed one. */
    due: number | null;
  };
  bytesSent: number;
  bytesReceived: number;
  bytesSentPerSecond: number;
  bytesReceivedPerSecond: number;
  /** 10^6 bytes of payload a second, each way. */
  megabytesPerSecond: number;
  /** From when a message was due, or sent, to its echo. */
  latencyUs: Times;
  /** From when it was sent, uncorrected. */
  serviceUs: Times;
  /** TCP and TLS, or QUIC, up to SETTINGS. */
  connectUs: Times;
  /** The request for a WebSocket, up to its answer. */
  handshakeUs: Times;
  /** Both, for who opened a connection with it. */
  openUs: Times;
  /** From a Ping to its Pong. */
  pingUs: Times;
  sessionUs: Times;
  sessions: Sessions;
  /** All that went wrong, by its words and, where the server closed, by its code. */
  errors: number;
  errorTexts: Record<string, number>;
  closeCodes: Record<string, number>;
  intervalMs: number;
  intervals: Interval[];
  latencyPercentiles: [percentile: number, us: number][];
  latencyDistribution: Bar[];
}

/** What a report needs beside what was written down. */
export interface Outcome {
  startedAt: Date;
  /** Of the load's clock. */
  endedMs: number;
  sockets: number;
  connections: number;
  deflated: number;
  stoppedEarly: boolean;
  due: number | null;
}

/** Sums it up. */
export function reportOf(options: LoadOptions, recorder: Recorder, outcome: Outcome): LoadReport {
  const { url, http, sizeBytes, maxSizeBytes = sizeBytes, text } = options;
  const { startedAt, endedMs, sockets, connections, deflated, stoppedEarly } = outcome;
  const seconds = Math.max(0, endedMs - recorder.fromMs) / 1000;
  const model = options.ratePerSecond > 0 ? "open" : "closed";
  return {
    ...{ url, http, startedAt: startedAt.toISOString(), model },
    correction: correctionOf(options),
    ...{ connections, sockets, sizeBytes, maxSizeBytes, text, deflated },
    ...{ seconds, stoppedEarly },
    ...countsOf(recorder, seconds, outcome.due),
    ...timesOf(recorder),
    sessions: { ...recorder.sessions },
    errors: recorder.counts.errors,
    errorTexts: { ...recorder.errorTexts },
    closeCodes: { ...recorder.closeCodes },
    intervalMs: recorder.intervalMs,
    intervals: recorder.intervals(endedMs),
    latencyPercentiles: recorder.latency.curve(),
    latencyDistribution: recorder.latency.distribution(),
  };
}

function correctionOf(
  { ratePerSecond, expectedIntervalMs = 0 }: LoadOptions,
): LoadReport["correction"] {
  if (ratePerSecond > 0) return "schedule";
  return expectedIntervalMs > 0 ? "expected-interval" : "none";
}

function countsOf({ counts }: Recorder, seconds: number, due: number | null) {
  const { sent, roundTrips, unanswered, bytesSent, bytesReceived, openedAnew } = counts;
  const perSecond = (count: number) => seconds === 0 ? 0 : count / seconds;
  return {
    roundTrips,
    roundTripsPerSecond: perSecond(roundTrips),
    openedAnewPerSecond: perSecond(openedAnew),
    messages: { sent, received: roundTrips, unanswered, due },
    bytesSent,
    bytesReceived,
    bytesSentPerSecond: perSecond(bytesSent),
    bytesReceivedPerSecond: perSecond(bytesReceived),
    megabytesPerSecond: perSecond(bytesReceived) / 1e6,
  };
}

function timesOf(recorder: Recorder) {
  return {
    latencyUs: recorder.latency.times(),
    serviceUs: recorder.service.times(),
    connectUs: recorder.connect.times(),
    handshakeUs: recorder.handshake.times(),
    openUs: recorder.opening.times(),
    pingUs: recorder.ping.times(),
    sessionUs: recorder.session.times(),
  };
}
