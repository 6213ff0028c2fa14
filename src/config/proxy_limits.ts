import { envFlag, type Flag } from "./flags.ts";
import { count, duration, size } from "./kinds.ts";

/** What `h3ws proxy` takes at most, and how long it waits. */
export interface ProxyLimits {
  maxFrameBytes: number;
  maxMessageBytes: number;
  maxSessions: number;
  /** Of one client; 0 for no limit. */
  maxSessionsPerClient: number;
  maxConnections: number;
  /** Of one QUIC connection. */
  maxStreams: number;
  /** Ordinary requests of one client at once; 0 for no limit. */
  maxRequestsPerClient: number;
  readTimeoutMs: number;
  writeTimeoutMs: number;
  /** 0 for no Pings. */
  pingIntervalMs: number;
  pongTimeoutMs: number;
  dialTimeoutMs: number;
  handshakeTimeoutMs: number;
  maxHeaderBytes: number;
  /** Of HTTP/2: what a client may send that was not passed on. */
  h2StreamWindowBytes: number;
  h2WindowBytes: number;
  idleTimeoutMs: number;
  /** 0 for none. */
  keepaliveMs: number;
  /** 0 to end at once. */
  drainMs: number;
}

// quinn holds the count in a varint; each stream is paid for when the connection begins.
const MAX_STREAMS = 65_536;

/** The flags of the limits, in the order of the help. */
export const limitFlags: { readonly [K in keyof ProxyLimits]: Flag<ProxyLimits[K]> } = {
  maxFrameBytes: envFlag({
    name: "max-frame",
    kind: size(),
    default: "1MiB",
    meaning: "payload of one frame as it is sent, compressed or not; above it Close 1009",
  }),
  maxMessageBytes: envFlag({
    name: "max-message",
    kind: size(),
    default: "8MiB",
    meaning: "payload of one message over all its frames as they are sent; above it Close 1009",
  }),
  maxSessions: envFlag({
    name: "max-conns",
    kind: count(),
    default: "2000",
    meaning: "sessions at once; 503 above it",
  }),
  maxSessionsPerClient: envFlag({
    name: "max-conns-per-client",
    kind: count({ min: 0 }),
    default: "0",
    meaning: "sessions at once from one IPv4 address or IPv6 /64 that is not one of " +
      "--trusted-proxies; 429 above it, 0 for no limit",
  }),
  maxConnections: envFlag({
    name: "max-connections",
    kind: count(),
    default: "1000",
    meaning: "connections at once, beside a quarter as many QUIC handshakes",
  }),
  maxStreams: envFlag({
    name: "max-streams",
    kind: count({ max: MAX_STREAMS }),
    default: "128",
    meaning: "streams at once on one connection; over QUIC each costs memory in advance",
  }),
  maxRequestsPerClient: envFlag({
    name: "max-requests-per-client",
    kind: count({ min: 0 }),
    default: "512",
    meaning: "ordinary requests at once from one IPv4 address or IPv6 /64 that is not one of " +
      "--trusted-proxies; " +
      "429 above it, 0 for no limit",
  }),
  readTimeoutMs: envFlag({
    name: "read-timeout",
    kind: duration(),
    default: "120s",
    meaning: "a session ends (Close 1001) when neither side sent a byte for so long",
  }),
  writeTimeoutMs: envFlag({
    name: "write-timeout",
    kind: duration(),
    default: "15s",
    meaning: "a session ends when a write made no progress for so long",
  }),
  pingIntervalMs: envFlag({
    name: "ping-interval",
    kind: duration({ min: 0 }),
    default: "0",
    meaning:
      "a Ping of the proxy's own to the client when neither side sent a byte for so long; 0 for none",
  }),
  pongTimeoutMs: envFlag({
    name: "pong-timeout",
    kind: duration(),
    default: "20s",
    meaning: "how long to wait for that Ping's Pong",
  }),
  dialTimeoutMs: envFlag({
    name: "dial-timeout",
    kind: duration(),
    default: "10s",
    meaning: "how long connecting to the backend may take, with TLS",
  }),
  handshakeTimeoutMs: envFlag({
    name: "handshake-timeout",
    kind: duration(),
    default: "10s",
    meaning: "how long the backend may take to answer the upgrade",
  }),
  maxHeaderBytes: envFlag({
    name: "max-header-bytes",
    kind: size({ max: 16 * 1024 * 1024 }),
    default: "16KiB",
    meaning: "fields of one request (431 above it) or answer of the backend's (502)",
  }),
  h2StreamWindowBytes: envFlag({
    name: "h2-stream-window",
    kind: size({ min: 1024, max: 2 ** 31 - 1 }),
    default: "256KiB",
    meaning: "what a client may send on one HTTP/2 stream that was not passed on yet",
  }),
  h2WindowBytes: envFlag({
    name: "h2-window",
    kind: size({ min: 65_535, max: 2 ** 31 - 1 }),
    default: "32MiB",
    meaning:
      "the same on all streams of one HTTP/2 connection together; less than streams times their " +
      "window lets slow backends hold up others",
  }),
  idleTimeoutMs: envFlag({
    name: "idle-timeout",
    kind: duration(),
    default: "60s",
    meaning:
      "a connection ends when no stream or request was open for so long, or, over QUIC, no packet came",
  }),
  keepaliveMs: envFlag({
    name: "keepalive",
    kind: duration({ min: 0 }),
    default: "20s",
    meaning: "between the proxy's own packets that keep a QUIC connection open; 0 for none",
  }),
  drainMs: envFlag({
    name: "drain",
    kind: duration({ min: 0 }),
    default: "10s",
    meaning:
      "time for the sessions to end after SIGTERM or SIGINT; a second signal ends all at once",
  }),
};
