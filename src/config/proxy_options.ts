import type { Dialer } from "../net/dial.ts";
import { UsageError } from "./error.ts";
import { createMetricsObserver } from "../observe/library.ts";
import type { BackendTarget } from "../proxy/backend.ts";
import type { ProxyOptions } from "../proxy/options.ts";
import type { ManagedGateway } from "./create_gateway.ts";
import { type ProxyConfig, readProxyConfig } from "./proxy.ts";

/** What a program says of the proxy that it starts; the rest is as in `h3ws proxy`. */
export interface ProxySetup extends
  Partial<
    Omit<ProxyOptions, "listen" | "plainListen" | "certPem" | "keyPem" | "backend" | "path">
  > {
  /** Where it listens by UDP and TCP, as `--listen`: `:443`, `127.0.0.1:0`. Default `:443`. */
  listen?: string;
  /** Where it listens in clear text, as `--plain-listen`. Default `off`. */
  plainListen?: string;
  /** The certificate chain in PEM, the server's own first. */
  certPem: string;
  /** Its private key in PEM. */
  keyPem: string;
  /**
   * `ws://host:port`, `wss://host/path` or `ws+unix:/path.sock:/path`, as `--backend`; with a
   * `gateway` also `agent://group/host:port`.
   */
  backend: string;
  /** Certificates in PEM that a `wss://` backend's may be signed by, beside the public ones. */
  backendCaCerts?: string[];
  /** Whether any certificate of a `wss://` backend is taken. Default `false`. */
  backendInsecure?: boolean;
  /** The path of the tunnels, or a regular expression that begins with `^`. Default `/ws`. */
  path?: string;
  /** Whose agents a backend `agent://group/host:port` is behind. It starts and ends by itself. */
  gateway?: Pick<ManagedGateway, "dialer">;
}

/**
 * The options of `startProxy`: what is given, and the defaults of `h3ws proxy` for all else. Without
 * an observer nothing is logged, and what is counted is for nobody.
 *
 * @throws {UsageError} when `listen`, `backend` or `path` is none, or there is no `gateway` for it
 */
export function proxyOptions(setup: ProxySetup): ProxyOptions {
  const { listen, plainListen, backend, path, backendCaCerts, gateway, ...rest } = setup;
  const { backendInsecure = false, ...given } = rest;
  const flags = { listen, "plain-listen": plainListen, backend, path };
  const read = readProxyConfig(flags);
  const { maxHeaderBytes = read.maxHeaderBytes } = given;
  const agentDialer = gateway && ((group: string) => gateway.dialer(group));
  const config = { ...read, backendInsecure, maxHeaderBytes, agentDialer };
  return {
    ...configuredOptions(config),
    backend: backendTarget(config, backendCaCerts),
    observer: given.observer ?? createMetricsObserver(),
    ...given,
    certPem: setup.certPem,
    keyPem: setup.keyPem,
  };
}

/** The options that a config gives by itself; what files hold is left to the caller. */
export function configuredOptions(
  config: ProxyConfig,
): Omit<ProxyOptions, "certPem" | "keyPem" | "backend" | "observer"> {
  const { websocket, h2Websocket, h3Websocket, h2StreamWindowBytes, h2WindowBytes } = config;
  return {
    ...config,
    certificates: [],
    clientCaPem: null,
    routes: null,
    cmux: null,
    tunnels: { h1: websocket, h2: websocket && h2Websocket, h3: websocket && h3Websocket },
    h2WindowBytes: { stream: h2StreamWindowBytes, connection: h2WindowBytes },
  };
}

/** What is said of a backend. */
export interface BackendConfig extends
  Pick<
    ProxyConfig,
    "backend" | "backendInsecure" | "backendProxyProtocol" | "maxHeaderBytes"
  > {
  /** How those behind the agents of a group are connected to, where there is a gateway. */
  agentDialer?: (group: string) => Dialer;
}

/**
 * How sessions reach the backend of a config.
 *
 * @throws {UsageError} when it is one behind agents, and there is no gateway
 */
export function backendTarget(config: BackendConfig, caCerts?: string[]): BackendTarget {
  const { hostname, port, unixPath, agents, tls, url, path, authority } = config.backend;
  const { backendProxyProtocol } = config;
  return {
    dial: {
      hostname,
      port,
      ...(unixPath === null ? {} : { unixPath }),
      ...(agents !== null && { dialer: dialerOf(config, agents) }),
      ...(tls && {
        tls: {
          serverName: hostname,
          caCerts,
          // RFC 9113 §8.1: what comes with h2 can't be upgraded.
          alpnProtocols: ["http/1.1"],
          insecure: config.backendInsecure,
        },
      }),
    },
    url,
    host: null,
    ...(agents !== null && { authority }),
    path,
    maxHeaderBytes: config.maxHeaderBytes,
    ...(backendProxyProtocol !== null && { proxyProtocol: backendProxyProtocol }),
  };
}

function dialerOf({ backend: { url: value }, agentDialer }: BackendConfig, group: string): Dialer {
  if (agentDialer !== undefined) return agentDialer(group);
  const problem = "needs a gateway in this process";
  throw new UsageError({
    key: "backend",
    value,
    problem,
    allowed: "a section gateway in --config, or the option gateway of a program",
  });
}
