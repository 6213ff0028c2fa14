import { endFlags, readTunnelFlags } from "./tunnel_flags.ts";
import { clusterFlags } from "./cluster_flags.ts";
import { type ConfigOf, envFlag, type Environment, type FlagValues } from "./flags.ts";
import {
  address,
  choice,
  count,
  duration,
  onOff,
  onOrOff,
  optionalAddress,
  optionalFile,
  size,
} from "./kinds.ts";
import { proxyFlags } from "./proxy.ts";
import {
  forward,
  list,
  optionalHttpUrl,
  optionalName,
  optionalUser,
  plainPath,
  portRange,
} from "./tunnel_kinds.ts";

/** What an operator sees of a gateway or an agent: the flags of the proxy's log. */
export const logFlags = {
  debug: proxyFlags.debug,
  logLevel: proxyFlags.logLevel,
  logFormat: proxyFlags.logFormat,
};

/** Where agents come in, and clients. */
const doors = {
  configFile: envFlag({
    name: "config",
    kind: optionalFile,
    default: "",
    meaning: "a YAML file whose sections gateway and proxy.socks5 say what flags and environment " +
      "don't; its users are read again when it changes, and on SIGHUP",
  }),
  listen: envFlag({
    name: "listen",
    kind: address,
    default: ":8443",
    meaning: "address of agents: UDP for those by QUIC, TCP for those by WebSocket over TLS",
  }),
  certFile: envFlag({
    name: "cert",
    kind: optionalFile,
    default: "",
    meaning:
      "certificate chain in PEM, read again when it changes; without it one is made, with a " +
      "CA that agents can trust until the gateway ends",
  }),
  keyFile: envFlag({
    name: "key",
    kind: optionalFile,
    default: "",
    meaning: "its private key in PEM",
  }),
  clientCaFile: envFlag({
    name: "client-ca",
    kind: optionalFile,
    default: "",
    meaning: "certificates in PEM that agents must have one of, or one signed by; QUIC can't ask " +
      "for one, and is off then; read again when they change: all agents are closed, and may come " +
      "again, when one is gone",
  }),
  path: envFlag({
    name: "path",
    kind: plainPath,
    default: "/ws",
    meaning: "path of the agents' WebSocket; all others are 404",
  }),
  json: envFlag({
    name: "json",
    kind: onOrOff,
    default: "on",
    meaning: "take agents of AnyProxy too; off hides from strangers that there is a WebSocket",
  }),
  socks: envFlag({
    name: "socks",
    kind: optionalAddress,
    default: "127.0.0.1:1080",
    meaning: "TCP address where clients ask for connections by SOCKS5; off or empty for none",
  }),
  http: envFlag({
    name: "http",
    kind: optionalAddress,
    default: "off",
    meaning: "TCP address of an HTTP proxy for clients: CONNECT, and requests with a whole URL",
  }),
  mixed: envFlag({
    name: "mixed",
    kind: optionalAddress,
    default: "off",
    meaning: "TCP address of both, told apart by what comes first",
  }),
  forwards: envFlag({
    name: "forward",
    kind: list(forward),
    default: "",
    meaning:
      "a port that leads to one service: :5432=db.internal:5432, /udp behind it for UDP, and " +
      "a group before it where it is not that of --group (:53=home/10.0.0.1:53/udp); whoever " +
      "reaches the port is let in",
  }),
  openPorts: envFlag({
    name: "open-ports",
    kind: list(portRange),
    default: "",
    meaning:
      "ports, and ranges of them, that agents may ask for, at the host of --listen; the file " +
      "of --users may say others of a user",
  }),
};

const who = {
  user: envFlag({
    name: "user",
    kind: optionalUser,
    default: "",
    meaning: "a user: what agents and clients say who they are with",
  }),
  usersFile: envFlag({
    name: "users",
    kind: optionalFile,
    default: "",
    meaning:
      "a YAML file of users, with hashes of h3ws passwd; read again when it changes, and on " +
      "SIGHUP: agents of a user that is gone or changed are closed",
  }),
  authUrl: envFlag({
    name: "auth-url",
    kind: optionalHttpUrl,
    default: "",
    meaning: "an HTTP server that says who may come in, in place of users: it is asked with " +
      "Authorization and X-Forwarded-For, -Method and -Uri; a 2xx lets in, and JSON in it may " +
      "have user, groups and expires_at",
  }),
  authTimeoutMs: envFlag({
    name: "auth-timeout",
    kind: duration(),
    default: "5s",
    meaning: "how long its answer may take; nobody is let in without one",
  }),
  authCacheMs: envFlag({
    name: "auth-cache",
    kind: duration({ min: 0 }),
    default: "10s",
    meaning: "for so long who was let in is not asked about again",
  }),
  clientUser: envFlag({
    name: "client-user",
    kind: optionalUser,
    default: "",
    meaning: "a user for clients alone; that of --user is one for agents alone then",
  }),
  anonymous: envFlag({
    name: "anonymous",
    kind: onOff,
    default: "false",
    meaning: "take clients without asking who they are: whoever reaches --socks, --http or " +
      "--mixed reaches what the agents reach",
  }),
  group: envFlag({
    name: "group",
    kind: optionalName,
    default: "",
    meaning: "whose agents serve clients that have no group of their own; default is default",
  }),
  balance: envFlag({
    name: "balance",
    kind: choice(["round-robin", "least-sessions", "failover"]),
    default: "round-robin",
    meaning: "which agent of a group is tried first",
  }),
};

/** Of each user, each agent, each target: 0 for no end. */
function limitsOf(of: string) {
  return {
    maxConnections: envFlag({
      name: `${of}-max-conns`,
      kind: count({ min: 0 }),
      default: "0",
      meaning: `connections of one ${of} at once; 0 for no limit`,
    }),
    newPerSecond: envFlag({
      name: `${of}-new-conns`,
      kind: count({ min: 0 }),
      default: "0",
      meaning: `new connections of one ${of} a second; 0 for no limit`,
    }),
    bytesPerSecond: envFlag({
      name: `${of}-rate`,
      kind: size({ min: 0 }),
      default: "0",
      meaning: `bytes of one ${of} a second, both ways of all its connections; 0 for no limit`,
    }),
  };
}

const [ofUser, ofAgent, ofTarget] = ["user", "agent", "target"].map(limitsOf);
const shares = {
  ...{ userMaxConnections: ofUser.maxConnections, userNewPerSecond: ofUser.newPerSecond },
  ...{ userBytesPerSecond: ofUser.bytesPerSecond, agentMaxConnections: ofAgent.maxConnections },
  ...{ agentNewPerSecond: ofAgent.newPerSecond, agentBytesPerSecond: ofAgent.bytesPerSecond },
  ...{ targetMaxConnections: ofTarget.maxConnections, targetNewPerSecond: ofTarget.newPerSecond },
  targetBytesPerSecond: ofTarget.bytesPerSecond,
};

const limits = {
  maxConnections: envFlag({
    name: "max-connections",
    kind: count(),
    default: "20000",
    meaning: "connections through the tunnel at once, and TCP connections at each address",
  }),
  maxStreamsPerAgent: envFlag({
    name: "max-conns-per-agent",
    kind: count({ max: 65_536 }),
    default: "10000",
    meaning: "connections at once through one link of an agent, if it does not ask for less",
  }),
  connectTimeoutMs: envFlag({
    name: "connect-timeout",
    kind: duration(),
    default: "15s",
    meaning: "how long agents may take to connect to a target, all that are tried together",
  }),
  idleTimeoutMs: envFlag({
    name: "idle-timeout",
    kind: duration({ min: 0 }),
    default: "2h",
    meaning: "a connection ends when no byte went either way for so long; 0 for never",
  }),
  handshakeTimeoutMs: envFlag({
    name: "handshake-timeout",
    kind: duration(),
    default: "10s",
    meaning: "how long an agent or a client may take to say who it is and what it wants",
  }),
  heartbeatMs: envFlag({
    name: "heartbeat",
    kind: duration({ min: 1000 }),
    default: "5s",
    meaning: "between Pings to agents; a link that is silent for three times as long is lost",
  }),
  ...endFlags,
  metrics: envFlag({
    name: "metrics",
    kind: optionalAddress,
    default: "127.0.0.1:9091",
    meaning:
      "TCP address of /metrics, /stats, /agents, /healthz and /readyz; off or empty for none",
  }),
};

/** The flags of `h3ws gateway`, in the order of the help. */
export const gatewayFlags = {
  ...doors,
  ...who,
  ...clusterFlags,
  ...limits,
  ...shares,
  ...logFlags,
};

/** All that `h3ws gateway` can be told. */
export interface GatewayConfig extends Omit<ConfigOf<typeof gatewayFlags>, "debug"> {
  /** Whether that is the user's wish: if not, that it is taken is no reason to fail. */
  metricsGiven: boolean;
}

/** As `readProxyConfig`. */
export function readGatewayConfig(flags: FlagValues, env: Environment = {}): GatewayConfig {
  return readTunnelFlags(gatewayFlags, flags, env);
}
