import { UsageError } from "../config/error.ts";
import { type ConfigOf, plainFlag } from "../config/flags.ts";
import { choice, count, onOff, optionalFile } from "../config/kinds.ts";
import { sizes } from "./bench_kinds.ts";
import {
  checkClientCertificate,
  clientCertificateFlags,
  handshakeFlags,
} from "./handshake_flags.ts";
import { seconds } from "./time_kinds.ts";
import { url } from "./url_kind.ts";

const off = { kind: onOff, default: "false" } as const;
const none = { kind: optionalFile, default: "" } as const;
const noTime = { kind: seconds({ min: 0 }), default: "0" } as const;

const way = {
  url: plainFlag({
    ...{ name: "url", kind: url, default: "" },
    meaning: "what echoes: wss:// over any version, ws:// over HTTP/1.1, or 2 by prior knowledge",
  }),
  http: plainFlag({
    ...{ name: "http", kind: choice(["auto", "1.1", "2", "3"] as const), default: "auto" },
    meaning: "HTTP version; auto: for wss:// the highest that serves, for ws:// 1.1",
  }),
  http1: plainFlag({ ...off, name: "http1.1", short: "1", meaning: "the same as --http 1.1" }),
  http2: plainFlag({ ...off, name: "http2", short: "2", meaning: "the same as --http 2" }),
  http3: plainFlag({ ...off, name: "http3", short: "3", meaning: "the same as --http 3" }),
  connections: plainFlag({
    ...{ name: "connections", short: "c", kind: count({ max: 1_000_000 }), default: "10" },
    meaning: "connections at once",
  }),
  streams: plainFlag({
    ...{ name: "streams", kind: count({ max: 1_000_000 }), default: "1" },
    meaning: "WebSockets on each of them; over HTTP/1.1 each is a connection of its own",
  }),
  connectRate: plainFlag({
    ...{ name: "connect-rate", kind: count({ min: 0 }), default: "0" },
    meaning: "WebSockets to open in a second, anew too; 0 for 32 at a time",
  }),
  openTimeoutMs: plainFlag({
    ...{ name: "timeout", kind: seconds({ max: 600_000 }), default: "10s" },
    meaning: "how long a connection may take to open, and each WebSocket on it",
  }),
  ...handshakeFlags,
  caFile: plainFlag({
    ...{ ...none, name: "ca" },
    meaning: "certificates in PEM to trust, beside the public ones",
  }),
  ...clientCertificateFlags,
  insecure: plainFlag({
    ...{ ...off, name: "insecure" },
    meaning: "take any certificate (HTTP/1.1 and HTTP/2 only)",
  }),
};

const load = {
  durationMs: plainFlag({
    ...{ name: "duration", short: "d", kind: seconds(), default: "10s" },
    meaning: "how long to measure",
  }),
  warmupMs: plainFlag({
    ...{ ...noTime, name: "warmup" },
    meaning: "how long to send before that without counting",
  }),
  messages: plainFlag({
    ...{ name: "messages", kind: count({ min: 0 }), default: "0" },
    meaning: "messages over all sockets after which it ends; 0 for no such end",
  }),
  ratePerSecond: plainFlag({
    ...{ name: "rate", short: "R", kind: count({ min: 0, max: 10_000_000 }), default: "0" },
    meaning: "messages a second over all sockets, whether echoes come or not; 0: each socket " +
      "sends when it has its echo",
  }),
  rampMs: plainFlag({
    ...{ ...noTime, name: "ramp" },
    meaning: "how long the rate grows from nothing; without --rate, how long sockets join in",
  }),
  thinkMs: plainFlag({
    ...{ ...noTime, name: "think" },
    meaning: "without --rate: pause between an echo and the next message",
  }),
  expectedIntervalMs: plainFlag({
    ...{ ...noTime, name: "expected-interval" },
    meaning: "without --rate: corrects latency for messages that a slow echo held back",
  }),
  sessionMs: plainFlag({
    ...{ ...noTime, name: "session-time" },
    meaning: "how long a WebSocket lives until it is closed and another opened; 0: to the end",
  }),
  sessionMessages: plainFlag({
    ...{ name: "session-messages", kind: count({ min: 0 }), default: "0" },
    meaning: "the same after so many messages; 0 for any number",
  }),
  newConnections: plainFlag({
    ...{ ...off, name: "new-connections" },
    meaning: "the other one gets a connection of its own too, over HTTP/2 and HTTP/3 as well",
  }),
  sizes: plainFlag({
    ...{ name: "size", kind: sizes, default: "64" },
    meaning: "payload of a message, or a range (64-4KiB)",
  }),
  text: plainFlag({ ...off, name: "text", meaning: "text messages: words" }),
  binary: plainFlag({ ...off, name: "binary", meaning: "binary messages, the default: noise" }),
  compress: plainFlag({ ...off, name: "compress", meaning: "offer permessage-deflate" }),
  pingIntervalMs: plainFlag({
    ...{ name: "ping-interval", kind: seconds({ min: 0 }), default: "1s" },
    meaning: "a Ping so often, on one socket after the other; 0 for none",
  }),
};

const output = {
  json: plainFlag({ ...off, name: "json", meaning: "the report as one JSON object on stdout" }),
  htmlFile: plainFlag({
    ...{ ...none, name: "html" },
    meaning: "write a page with charts, which needs nothing else",
  }),
  k6File: plainFlag({
    ...{ ...none, name: "summary-export" },
    meaning: "write a summary in JSON with k6's names",
  }),
  quiet: plainFlag({ ...off, name: "quiet", short: "q", meaning: "tell nothing while it runs" }),
  maxErrors: plainFlag({
    ...{ name: "max-errors", kind: count({ min: 0 }), default: "0" },
    meaning: "exit code 1 above so many errors",
  }),
};

/** The flags of `h3ws bench`, in the order of the help. */
export const benchFlags = { ...way, ...load, ...output };

export type BenchConfig = ConfigOf<typeof benchFlags>;

/** The version that is asked for. Throws `UsageError` for what goes against each other. */
export function versionOf(config: BenchConfig): "auto" | "1.1" | "2" | "3" {
  const { http, http1, http2, http3 } = config;
  const asked = new Set<"1.1" | "2" | "3">();
  if (http !== "auto") asked.add(http);
  if (http1) asked.add("1.1");
  if (http2) asked.add("2");
  if (http3) asked.add("3");
  const [one = "auto", ...more] = asked;
  if (more.length > 0) {
    throw against("--http", `HTTP/${one} and HTTP/${more[0]} are both asked for`, "one version");
  }
  return one;
}

/** Throws `UsageError` for flags that go against each other. */
export function checkFlags(config: BenchConfig): void {
  const { ratePerSecond, thinkMs, expectedIntervalMs, text, binary } = config;
  checkClientCertificate(config);
  if (text && binary) throw against("--text", "goes against --binary", "one of the two");
  checkSessions(config);
  if (ratePerSecond === 0) return;
  const why = "with --rate messages go when they are due";
  if (thinkMs > 0) throw against("--think", "goes against --rate", `without --rate: ${why}`);
  if (expectedIntervalMs > 0) {
    const corrected = "with --rate latency is corrected by the schedule";
    throw against("--expected-interval", "goes against --rate", `without --rate: ${corrected}`);
  }
}

function checkSessions(config: BenchConfig): void {
  const { newConnections, sessionMs, sessionMessages, streams } = config;
  if (!newConnections) return;
  const key = "--new-connections";
  if (sessionMs === 0 && sessionMessages === 0) {
    const allowed = "--session-time or --session-messages with it";
    throw against(key, "is for what is opened anew", allowed);
  }
  // A connection ends with all that is on it.
  if (streams > 1) throw against(key, "goes against --streams", "one WebSocket on each connection");
}

function against(key: string, problem: string, allowed: string): UsageError {
  return new UsageError({ key, value: null, problem, allowed });
}
