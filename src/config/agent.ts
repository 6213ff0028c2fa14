import { endFlags, readTunnelFlags } from "./tunnel_flags.ts";
import { type ConfigOf, envFlag, type Environment, type FlagValues } from "./flags.ts";
import { choice, count, duration, optionalAddress, optionalFile } from "./kinds.ts";
import { logFlags } from "./gateway.ts";
import { outboundProxy } from "./proxy_kind.ts";
import {
  gatewayUrl,
  hostPattern,
  list,
  openPort,
  optionalLogin,
  optionalName,
  optionalToken,
  pin,
  service,
} from "./tunnel_kinds.ts";

/** A link that lived so long was none of several in a row that failed. */
export const STABLE_MS = 60_000;
/** The first wait before it connects again is up to this. */
export const MIN_DELAY_MS = 500;

/** Where it goes, and as whom. */
const way = {
  configFile: envFlag({
    name: "config",
    kind: optionalFile,
    default: "",
    meaning:
      "a YAML file whose section client says what flags and environment don't; what may be " +
      "reached, and who it is, are read again when it changes, and on SIGHUP",
  }),
  gateways: envFlag({
    name: "gateway",
    kind: list(gatewayUrl),
    default: "",
    meaning: "where to: wss://host:port, or several; may stand without --gateway",
  }),
  user: envFlag({
    name: "user",
    kind: optionalLogin,
    default: "",
    meaning: "who it is",
  }),
  token: envFlag({
    name: "token",
    kind: optionalToken,
    default: "",
    meaning: "the same by the token of a user, whatever --id is",
  }),
  caFile: envFlag({
    name: "ca",
    kind: optionalFile,
    default: "",
    meaning:
      "certificates in PEM that the gateway's may be signed by, beside the public ones, or its own " +
      "that signed itself; read again when they change",
  }),
  pins: envFlag({
    name: "pin",
    kind: list(pin),
    default: "",
    meaning:
      "SHA-256 of the gateway's certificate, or of several: it must have one of them, and then " +
      "whoever signed it will do",
  }),
  certFile: envFlag({
    name: "cert",
    kind: optionalFile,
    default: "",
    meaning:
      "a certificate in PEM that says who it is, over TCP; without --user and --token nothing " +
      "else does, and QUIC is left out",
  }),
  keyFile: envFlag({
    name: "key",
    kind: optionalFile,
    default: "",
    meaning: "its private key in PEM",
  }),
  proxy: envFlag({
    name: "proxy",
    kind: outboundProxy,
    default: "",
    meaning:
      "the way to the gateway: http://host:port or socks5://host:port, with user:password@ " +
      "before the host; QUIC is left out then, and it is the proxy that looks the name up",
  }),
  id: envFlag({
    name: "id",
    kind: optionalName,
    default: "",
    meaning: "its name: of those with one name a gateway keeps the newest; default the machine's " +
      "name and a few letters that stay the same",
  }),
  group: envFlag({
    name: "group",
    kind: optionalName,
    default: "",
    meaning: "the agents that stand in for each other; default the first of its user",
  }),
  transports: envFlag({
    name: "transport",
    kind: list(choice(["quic", "ws", "json"])),
    default: "quic,ws",
    meaning:
      "what is tried, in this order: QUIC, frames over a WebSocket (JSON where the gateway is " +
      "AnyProxy's), JSON alone",
  }),
};

/** What may be reached. */
const reach = {
  allowed: envFlag({
    name: "allow",
    kind: list(hostPattern),
    default: "",
    meaning:
      "what it connects to, and nothing else: names, /regexps/, addresses and ranges, each " +
      "with :port behind it if it should; without it all but this machine, link-local and other " +
      "special addresses",
  }),
  forbidden: envFlag({
    name: "forbid",
    kind: list(hostPattern),
    default: "",
    meaning: "what it does not connect to, whatever is allowed; the addresses of names count too",
  }),
  services: envFlag({
    name: "service",
    kind: list(service),
    default: "",
    meaning:
      "name=host:port, and then these alone, by that name or address; /udp behind it for UDP",
  }),
};

const ports = {
  openPorts: envFlag({
    name: "open-port",
    kind: list(openPort),
    default: "",
    meaning:
      "a port of the gateway that leads to a service: 8080=localhost:80, /udp behind it for " +
      "UDP; the gateway must allow it",
  }),
};

const limits = {
  replicas: envFlag({
    name: "replicas",
    kind: count({ max: 64 }),
    default: "1",
    meaning: "links to each gateway",
  }),
  maxStreams: envFlag({
    name: "max-conns",
    kind: count({ max: 65_536 }),
    default: "1000",
    meaning: "connections at once",
  }),
  connectTimeoutMs: envFlag({
    name: "connect-timeout",
    kind: duration(),
    default: "10s",
    meaning: "how long connecting to a target may take, and each step to a gateway",
  }),
  quicTimeoutMs: envFlag({
    name: "quic-timeout",
    kind: duration(),
    default: "1500ms",
    meaning: "how long QUIC may take before the next transport is tried",
  }),
  maxDelayMs: envFlag({
    name: "max-retry-interval",
    kind: duration({ min: MIN_DELAY_MS }),
    default: "30s",
    meaning: "the longest wait before it connects again; the first is up to 500 ms",
  }),
  idleTimeoutMs: envFlag({
    name: "idle-timeout",
    kind: duration({ min: 0 }),
    default: "2h",
    meaning: "a connection ends when no byte went either way for so long; 0 for never",
  }),
  ...endFlags,
  metrics: envFlag({
    name: "metrics",
    kind: optionalAddress,
    default: "127.0.0.1:9092",
    meaning: "TCP address of /metrics, /stats, /healthz and /readyz; off or empty for none",
  }),
};

/** The flags of `h3ws agent`, in the order of the help. */
export const agentFlags = { ...way, ...reach, ...ports, ...limits, ...logFlags };

/** All that `h3ws agent` can be told. */
export interface AgentConfig extends Omit<ConfigOf<typeof agentFlags>, "debug"> {
  /** Whether that is the user's wish: if not, that it is taken is no reason to fail. */
  metricsGiven: boolean;
}

/** As `readProxyConfig`. */
export function readAgentConfig(flags: FlagValues, env: Environment = {}): AgentConfig {
  return readTunnelFlags(agentFlags, flags, env);
}
