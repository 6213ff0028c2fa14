import { UsageError } from "../config/error.ts";
import type { FileConfig } from "../config/file.ts";
import { type Environment, type FlagValues, isGiven, readFlags } from "../config/flags.ts";
import { type ProxyConfig, proxyFlags, readProxyConfig } from "../config/proxy.ts";
import type { CertificatePair } from "../proxy/options.ts";
import type { Route } from "../proxy/route.ts";
import { CommandError } from "./command.ts";
import { readCa, readCertPair, shortReason, stampOf } from "./files.ts";

/** What flags, environment and file say together. */
export interface Configured {
  readonly config: ProxyConfig;
  /** `null` without `--config`. */
  readonly file: FileConfig | null;
  /** `stampOf` the file and the CAs of its routes from before they were read. */
  readonly stamps: ReadonlyMap<string, string>;
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
export async function configure(flags: FlagValues, env: Environment): Promise<Configured> {
  const again = () => configure(flags, env);
  const { configFile } = readFlags({ configFile: proxyFlags.configFile }, flags, env);
  if (configFile === null) {
    const config = checked(readProxyConfig(flags, env));
    return { config, file: null, stamps: new Map(), again };
  }
  // The libraries for it are large, and most who run a proxy by flags don't need them.
  const { ConfigFileError, readConfigFile, withFile } = await import("../config/file.ts");
  const { caFilesOf } = await import("../config/file_targets.ts");
  const stamp = stampOf(configFile);
  try {
    const file = await readConfigFile(configFile, env);
    const config = checked(readProxyConfig(flags, withFile(file, env)));
    if (file.hasRoutes && isGiven(proxyFlags.path, flags, env)) {
      const problem = `can't stand beside the routes of ${configFile}`;
      const allowed = "a path in each route";
      throw new UsageError({
        key: "--path",
        value: String(flags.path ?? env.H3WS_PATH),
        problem,
        allowed,
      });
    }
    const given = isGiven(proxyFlags.certFile, flags, env) ||
      isGiven(proxyFlags.keyFile, flags, env);
    const cmux = isGiven(proxyFlags.cmux, flags, env) ? config.cmux : file.cmux?.enabled ?? false;
    const cas = caFilesOf(file, config).map((ca) => [ca, stampOf(ca)] as const);
    return {
      // The first certificate is the one of QUIC, and of clients that name no other's host.
      config: { ...config, cmux, ...(!given && file.certificates[0]) },
      file,
      stamps: new Map([[configFile, stamp], ...cas]),
      again,
    };
  } catch (error) {
    if (error instanceof ConfigFileError || error instanceof UsageError) throw error;
    throw new CommandError(`Cannot read ${configFile}: ${shortReason(error)}`, { cause: error });
  }
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

/** Reads the files that a config names. Throws `CommandError` that says which one is unusable. */
export async function load({ config, file }: Configured): Promise<Loaded> {
  if (file === null) return { routes: null, certificates: [] };
  const certificates = await Promise.all(
    file.certificates.slice(1).map(({ certFile, keyFile }) => readCertPair(certFile, keyFile)),
  );
  return { routes: await readRoutes(config, file), certificates };
}

async function readRoutes(config: ProxyConfig, file: FileConfig): Promise<Route[] | null> {
  if (!file.hasRoutes) return null;
  const { caFilesOf, routesOf } = await import("../config/file_targets.ts");
  const caCerts = new Map<string, string[]>();
  for (const ca of caFilesOf(file, config)) caCerts.set(ca, [await readCa(ca, "backend-ca")]);
  return routesOf(file, config, caCerts);
}
