import type { Address } from "../net/address.ts";
import type { Backend } from "./backend.ts";
import {
  envFlag,
  type Environment,
  type Flag,
  type FlagValues,
  givenFor,
  isGiven,
  readFlags,
  type Source,
} from "./flags.ts";
import type { IpPredicate } from "./cidr.ts";
import {
  address,
  altSvc,
  backend,
  choice,
  cidrs,
  count,
  duration,
  file,
  onOff,
  onOrOff,
  optionalAddress,
  optionalFile,
  pathRule,
  protocols,
  proxyVersion,
  size,
} from "./kinds.ts";
import type { PathRule } from "./path.ts";

export const LOG_LEVELS = ["debug", "info", "warning", "error", "off"] as const;
export const LOG_FORMATS = ["auto", "text", "json"] as const;

/** All that `h3ws proxy` can be told. */
export interface ProxyConfig {
  /** The configuration file. */
  configFile: string | null;
  listen: Address;
  /** Whether HTTP/2 and HTTP/1.1 over TLS are served at the same port. */
  tcp: boolean;
  plainListen: Address | null;
  certFile: string;
  keyFile: string;
  clientCaFile: string | null;
  proxyProtocol: boolean;
  backend: Backend;
  backendCaFile: string | null;
  backendInsecure: boolean;
  /** The version of the PROXY header that backends get. */
  backendProxyProtocol: 1 | 2 | null;
  path: PathRule;
  /** In lower case; `*` for any. */
  upgrades: readonly string[];
  /** Whether ordinary requests go to the backend too. */
  plain: boolean;
  /** Whether host names and X-Cmux-* fields choose ports of workspaces and containers. */
  cmux: boolean;
  /** Whether tunnels are taken, and by HTTP/2 and HTTP/3. */
  websocket: boolean;
  h2Websocket: boolean;
  h3Websocket: boolean;
  trustedProxies: IpPredicate;
  /** 0 for the port of `listen`, `null` for no Alt-Svc. */
  altSvcPort: number | null;
  metrics: Address | null;
  /** Whether that is the user's wish: if not, that it is taken is no reason to fail. */
  metricsGiven: boolean;
  maxFrameBytes: number;
  maxMessageBytes: number;
  maxSessions: number;
  maxConnections: number;
  /** Of one QUIC connection. */
  maxStreams: number;
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
  logLevel: typeof LOG_LEVELS[number];
  logFormat: typeof LOG_FORMATS[number];
}

// quinn holds the count in a varint; each stream is paid for when the connection begins.
const MAX_STREAMS = 65_536;

type ProxyFlags =
  & {
    readonly [K in Exclude<keyof ProxyConfig, "metricsGiven">]: Flag<ProxyConfig[K]>;
  }
  & {
    readonly debug: Flag<boolean>;
  };

/** The flags of `h3ws proxy`, by their fields in `ProxyConfig`, in the order of the help. */
export const proxyFlags: ProxyFlags = {
  configFile: envFlag({
    name: "config",
    kind: optionalFile,
    default: "",
    meaning:
      "a YAML file with routes and whatever flags and environment don't say; read again when it " +
      "changes, and on SIGHUP",
  }),
  listen: envFlag({
    name: "listen",
    kind: address,
    default: ":443",
    meaning: "UDP address of HTTP/3, and TCP address of HTTP/2 and HTTP/1.1 over TLS",
  }),
  tcp: envFlag({
    name: "tcp",
    kind: onOrOff,
    default: "on",
    meaning: "serve HTTP/2 and HTTP/1.1 over TLS at the TCP port of the same number",
  }),
  plainListen: envFlag({
    name: "plain-listen",
    kind: optionalAddress,
    default: "off",
    meaning: "TCP address of HTTP/1.1 and HTTP/2 (by prior knowledge) in clear text",
  }),
  certFile: envFlag({
    name: "cert",
    kind: file,
    default: "cert.pem",
    meaning:
      "certificate chain in PEM; read again when it changes, the old one stays while the new one " +
      "is unusable",
  }),
  keyFile: envFlag({
    name: "key",
    kind: file,
    default: "key.pem",
    meaning: "private key in PEM; read again when it changes",
  }),
  clientCaFile: envFlag({
    name: "client-ca",
    kind: optionalFile,
    default: "",
    meaning:
      "certificates in PEM that clients over TCP must have one of, or one signed by, read again when " +
      "they change; QUIC has none",
  }),
  proxyProtocol: envFlag({
    name: "proxy-protocol",
    kind: onOff,
    default: "false",
    meaning: "each TCP connection begins with a PROXY header, version 1 or 2",
  }),
  backend: envFlag({
    name: "backend",
    kind: backend,
    default: "ws://127.0.0.1:8080",
    meaning:
      "ws://, wss:// (or http://, https://) or ws+unix:/path.sock:/path; its path, if it has one, is " +
      "used instead of that of a tunnel's request, whose query is kept, and before that of others",
  }),
  backendCaFile: envFlag({
    name: "backend-ca",
    kind: optionalFile,
    default: "",
    meaning:
      "certificates in PEM that a wss:// backend's may be signed by, beside the public ones; read " +
      "again when they change",
  }),
  backendInsecure: envFlag({
    name: "backend-insecure",
    kind: onOff,
    default: "false",
    meaning: "take any certificate from a wss:// backend",
  }),
  backendProxyProtocol: envFlag({
    name: "backend-proxy-protocol",
    kind: proxyVersion,
    default: "off",
    meaning:
      "each connection to the backend begins with a PROXY header that tells of the client: v1, v2 " +
      "or off; before TLS, if there is some",
  }),
  path: envFlag({
    name: "path",
    kind: pathRule,
    default: "/ws",
    meaning:
      "path of the tunnels: exact, or a regular expression if it begins with ^, one that takes " +
      "linear time",
  }),
  upgrades: envFlag({
    name: "upgrade",
    kind: protocols,
    default: "*",
    meaning: "what may be upgraded to: names with commas between them, or * for any; 501 else",
  }),
  plain: envFlag({
    name: "requests",
    kind: onOff,
    default: "false",
    meaning: "pass ordinary requests for the path on too, not only tunnels",
  }),
  cmux: envFlag({
    name: "cmux",
    kind: onOff,
    default: "false",
    meaning:
      "X-Cmux-* fields and names like workspace-8080.localhost choose a local port, for clients of " +
      "loopback and private addresses; where the file has a section cmux, that says how, this whether",
  }),
  websocket: envFlag({
    name: "websocket",
    kind: onOrOff,
    default: "on",
    meaning: "take tunnels at all; 501 else",
  }),
  h2Websocket: envFlag({
    name: "h2-websocket",
    kind: onOrOff,
    default: "on",
    meaning: "take tunnels over HTTP/2 (RFC 8441)",
  }),
  h3Websocket: envFlag({
    name: "h3-websocket",
    kind: onOrOff,
    default: "on",
    meaning: "take tunnels over HTTP/3 (RFC 9220)",
  }),
  trustedProxies: envFlag({
    name: "trusted-proxies",
    kind: cidrs,
    default: "",
    meaning:
      "clients whose X-Forwarded-* and Forwarded are added to; those of all others are overwritten",
  }),
  altSvcPort: envFlag({
    name: "alt-svc",
    kind: altSvc,
    default: "on",
    meaning:
      "tell clients over TCP of HTTP/3 (RFC 7838): at the port of --listen, at another, or not",
  }),
  metrics: envFlag({
    name: "metrics",
    kind: optionalAddress,
    default: "127.0.0.1:9090",
    meaning: "TCP address of /metrics, /stats, /healthz and /readyz; off or empty for none",
  }),
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
  debug: envFlag({
    name: "debug",
    kind: onOff,
    default: "false",
    meaning: "the same as --log-level debug",
  }),
  logLevel: envFlag({
    name: "log-level",
    kind: choice(LOG_LEVELS),
    default: "info",
    meaning: LOG_LEVELS.join(", "),
  }),
  logFormat: envFlag({
    name: "log-format",
    kind: choice(LOG_FORMATS),
    default: "auto",
    meaning: "text, json, or auto: text on a terminal, json else",
  }),
};

const RANK: Readonly<Record<Source, number>> = { default: 0, env: 1, flag: 2 };

/**
 * The config of `h3ws proxy`. A flag goes before the environment, the environment before the
 * default; an empty variable is unset, but for those that may be empty (`H3WS_METRICS`).
 * Throws `UsageError` for the first value that can't be used.
 */
export function readProxyConfig(flags: FlagValues, env: Environment = {}): ProxyConfig {
  const { debug, ...rest } = readFlags(proxyFlags, flags, env);
  const config = { ...rest, metricsGiven: isGiven(proxyFlags.metrics, flags, env) };
  if (debug) {
    const ofDebug = givenFor(proxyFlags.debug, flags, env).source;
    const ofLevel = givenFor(proxyFlags.logLevel, flags, env).source;
    if (RANK[ofDebug] >= RANK[ofLevel]) config.logLevel = "debug";
  }
  return config;
}
