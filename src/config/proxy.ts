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
  file,
  onOff,
  onOrOff,
  optionalAddress,
  optionalFile,
  pathRule,
  protocols,
  proxyVersion,
} from "./kinds.ts";
import type { PathRule } from "./path.ts";
import { limitFlags, type ProxyLimits } from "./proxy_limits.ts";

export const LOG_LEVELS = ["debug", "info", "warning", "error", "off"] as const;
export const LOG_FORMATS = ["auto", "text", "json"] as const;

/** All that `h3ws proxy` can be told. */
export interface ProxyConfig extends ProxyLimits {
  /** The configuration file. */
  configFile: string | null;
  listen: Address;
  /** Whether HTTP/2 and HTTP/1.1 over TLS are served at the same port. */
  tcp: boolean;
  plainListen: Address | null;
  /** Whether HTTP/1.1 may switch to HTTP/2 there, by `Upgrade: h2c`. */
  h2cUpgrade: boolean;
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
  logLevel: typeof LOG_LEVELS[number];
  logFormat: typeof LOG_FORMATS[number];
}

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
  h2cUpgrade: envFlag({
    name: "h2c-upgrade",
    kind: onOff,
    default: "false",
    meaning: "take Upgrade: h2c (RFC 7540 §3.2) at --plain-listen; else it is ignored",
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
  ...limitFlags,
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
    meaning: "which lines are written: those of this level and above it",
  }),
  logFormat: envFlag({
    name: "log-format",
    kind: choice(LOG_FORMATS),
    default: "auto",
    meaning: "auto: text on a terminal, json else",
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
  const metricsGiven = isGiven(proxyFlags.metrics, flags, env);
  const logLevel = debug ? debugLevel(rest.logLevel, flags, env) : rest.logLevel;
  return { ...rest, logLevel, metricsGiven };
}

/** What `--debug` makes of a level: it goes before one that was said further from the user. */
export function debugLevel(
  level: ProxyConfig["logLevel"],
  flags: FlagValues,
  env: Environment,
): ProxyConfig["logLevel"] {
  const ofDebug = givenFor(proxyFlags.debug, flags, env).source;
  const ofLevel = givenFor(proxyFlags.logLevel, flags, env).source;
  return RANK[ofDebug] >= RANK[ofLevel] ? "debug" : level;
}
