import { UsageError } from "../config/error.ts";
import type { FileConfig } from "../config/file.ts";
import { type Environment, type FlagValues, isGiven, readFlags } from "../config/flags.ts";
import type { GatewayConfig } from "../config/gateway.ts";
import { type ProxyConfig, proxyFlags, readProxyConfig } from "../config/proxy.ts";
import type { BackendConfig } from "../config/proxy_options.ts";
import type { CertificatePair } from "../proxy/options.ts";
import type { Route } from "../proxy/route.ts";
import { readCa, readCertPair, type ReadOptions, stampOf, stampsOf, toldBytes } from "./files.ts";

/** What flags, environment and file say together. */
export interface Configured {
  readonly config: ProxyConfig;
  /** `null` without `--config`. */
  readonly file: FileConfig | null;
  /** What the gateway in the same process does; `null` where the file has no section of it. */
  readonly gateway: GatewayConfig | null;
  /** `stampOf` the file and the CAs of its routes from before they were read. */
  readonly stamps: ReadonlyMap<string, string>;
  /** How the files are read that it names. */
  readonly reading: ReadOptions;
  /** Reads the file again. Throws as `configure` does. */
  again(): Promise<Configured>;
}

/** What the files that a config names hold. */
export interface Loaded {
  /** `null` where `--backend` and `--path` say all; empty for a list without any. */
  readonly routes: readonly Route[] | null;
  readonly certificates: readonly CertificatePair[];
}

/**
 * Flags go before the environment, the environment before the file. Throws `UsageError` for a value
 * of the command line, `ConfigFileError` for all that is wrong in the file, `CommandError` if it can't
 * be read.
 */
export async function configure(
  flags: FlagValues,
  env: Environment,
  reading: ReadOptions = {},
): Promise<Configured> {
  const again = () => configure(flags, env, { regular: true });
  const { configFile } = readFlags({ configFile: proxyFlags.configFile }, flags, env);
  if (configFile === null) {
    const config = checked(readProxyConfig(flags, env));
    return { config, file: null, gateway: null, stamps: new Map(), reading, again };
  }
  const stamp = await stampOf(configFile);
  const file = await readConfig(configFile, env, reading);
  const { withFile } = await import("../config/file.ts");
  const { caFilesOf } = await import("../config/file_targets.ts");
  const config = checked(readProxyConfig(flags, withFile(file, env)));
  if (file.hasRoutes && isGiven(proxyFlags.path, flags, env)) {
    const problem = `can't stand beside the routes of ${configFile}`;
    const allowed = "a path in each route";
    const value = String(flags.path ?? env.H3WS_PATH);
    throw new UsageError({ key: "--path", value, problem, allowed });
  }
  const given = isGiven(proxyFlags.certFile, flags, env) ||
    isGiven(proxyFlags.keyFile, flags, env);
  const cmux = isGiven(proxyFlags.cmux, flags, env) ? config.cmux : file.cmux?.enabled ?? false;
  return {
    // The first certificate is the one of QUIC, and of clients that name no other's host.
    config: { ...config, cmux, ...(!given && file.certificates[0]) },
    file,
    gateway: await gatewayOf(file, config),
    stamps: new Map([[configFile, stamp], ...await stampsOf(caFilesOf(file, config))]),
    reading,
    again,
  };
}

/** What of a file is for a gateway beside a proxy that listens there. Throws `ConfigFileError`. */
export async function gatewayOf(
  file: FileConfig,
  config: ProxyConfig,
): Promise<GatewayConfig | null> {
  if (file.tunnel.gateway === null) return null;
  const { gatewayBeside } = await import("../config/file_beside.ts");
  return gatewayBeside(file, config);
}

/** Reads a configuration file. Throws `ConfigFileError`, or `CommandError` if it can't be read. */
export async function readConfig(
  file: string,
  env: Environment,
  reading?: ReadOptions,
): Promise<FileConfig> {
  const bytes = await toldBytes(file, reading);
  // The libraries for it are large, and most who run a proxy by flags don't need them.
  const { parseConfigBytes } = await import("../config/file.ts");
  return parseConfigBytes(bytes, { file, env });
}

/** Throws `UsageError` for what makes no sense together. */
function checked(config: ProxyConfig): ProxyConfig {
  const { clientCaFile, tcp, plainListen } = config;
  if (clientCaFile !== null && !tcp) {
    const problem = plainListen === null
      ? "asks for certificates of clients over TCP, and --tcp is off"
      : "asks for certificates over TLS, and --tcp is off";
    throw new UsageError({ key: "--client-ca", value: clientCaFile, problem, allowed: "--tcp on" });
  }
  return config;
}

type AgentDialer = BackendConfig["agentDialer"];

/**
 * Reads the files that a config names. Throws `CommandError` that says which one is unusable, and
 * `UsageError` for a backend behind agents without an `agentDialer`.
 */
export async function load(
  { config, file, reading }: Configured,
  agentDialer?: AgentDialer,
): Promise<Loaded> {
  if (file === null) return { routes: null, certificates: [] };
  const certificates = await Promise.all(
    file.certificates.slice(1).map((files) => readCertPair(files, reading)),
  );
  return { routes: await readRoutes({ ...config, agentDialer }, file, reading), certificates };
}

async function readRoutes(
  config: ProxyConfig & { agentDialer: AgentDialer },
  file: FileConfig,
  reading: ReadOptions,
): Promise<Route[] | null> {
  if (!file.hasRoutes) return null;
  const { caFilesOf, routesOf } = await import("../config/file_targets.ts");
  const caCerts = new Map<string, string[]>();
  for (const ca of caFilesOf(file, config)) {
    caCerts.set(ca, [await readCa(ca, "backend-ca", reading)]);
  }
  return routesOf(file, config, caCerts);
}
