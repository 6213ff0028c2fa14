// What a gateway is made of: what its files hold, and the server itself.
import { UsageError } from "../config/error.ts";
import type { GatewayConfig } from "../config/gateway.ts";
import { gatewayOptions } from "../config/gateway_options.ts";
import { ListenError } from "../ingress/listen.ts";
import { type Address, formatAddress } from "../net/address.ts";
import type { Sweeper } from "../net/sweeper.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import type { Fields, Log } from "../observe/log.ts";
import type { ClusterConfig } from "../tunnel/cluster.ts";
import { GatewayServer } from "../tunnel/gateway_server.ts";
import type { GatewayObserver } from "../tunnel/observer.ts";
import { CommandError, IN_USE } from "./command.ts";
import { readCa, readCertPair, readText } from "./files.ts";
import { type GatewayFiles, readUsers } from "./gateway_files.ts";
import { certFilesOf } from "./gateway_trust.ts";
import { GatewayUsers } from "./gateway_users.ts";
import { VERSION } from "./version.ts";

/** What a gateway needs beside its config before it listens, but for a certificate. */
export interface GatewayParts {
  readonly files: GatewayFiles;
  readonly users: GatewayUsers;
  readonly cluster: ClusterConfig | null;
}

/** Throws `UsageError` for what makes no sense together, `CommandError` for a file. */
export async function readParts(config: GatewayConfig): Promise<GatewayParts> {
  const { clientCaFile, usersFile, anonymous, clientUser } = config;
  const certFiles = certFilesOf(config);
  const pem = clientCaFile === null ? null : await readCa(clientCaFile, "--client-ca");
  const files: GatewayFiles = {
    pair: certFiles === null ? null : { ...certFiles, ...await readCertPair(certFiles) },
    clientCa: pem === null ? null : { file: clientCaFile!, pem },
    users: usersFile === null ? null : await readUsers(usersFile),
  };
  const users = await GatewayUsers.of(config, files.users?.users ?? []);
  if (anonymous && clientUser !== null) {
    const problem = "can't stand beside --client-user";
    throw new UsageError({ key: "--anonymous", value: null, problem, allowed: "one of the two" });
  }
  return { files, users, cluster: await clusterOf(config) };
}

/** Where other gateways are; read once. */
async function clusterOf(config: GatewayConfig): Promise<ClusterConfig | null> {
  const { clusterUrls: urls, clusterCredsFile, clusterCaFile } = config;
  if (urls.length === 0) return null;
  const creds = clusterCredsFile === null ? undefined : await readText(clusterCredsFile);
  const caPem = clusterCaFile === null ? undefined : await readCa(clusterCaFile, "--cluster-ca");
  return { urls, creds, caPem };
}

export interface GatewayUses extends Pick<GatewayParts, "users" | "cluster"> {
  readonly pair: CertificatePair;
  readonly clientCa: GatewayFiles["clientCa"];
  readonly sweeper: Sweeper;
  readonly observer: GatewayObserver;
  readonly log: Log;
  /** How the user says what a flag does; default the flag. */
  readonly keyOf?: (flag: string) => string;
}

/** A gateway that listens. Throws `CommandError` with nothing left half started. */
export async function openGateway(
  config: GatewayConfig,
  { pair, users, cluster, clientCa, sweeper, observer, log, keyOf }: GatewayUses,
): Promise<GatewayServer> {
  const server = new GatewayServer(gatewayOptions(config, {
    ...{ certPem: pair.certPem, keyPem: pair.keyPem, clientCaPem: clientCa?.pem ?? null },
    ...{ agents: users.agents, clients: users.clients, cluster, sweeper, observer, log },
  }));
  try {
    await server.listen();
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    throw new CommandError(listenFault(error, config, keyOf));
  }
  return server;
}

function listenFault(
  error: ListenError,
  config: GatewayConfig,
  keyOf = (flag: string) => `--${flag}`,
): string {
  const { listen, socks, http, mixed, certFile, keyFile } = config;
  const { kind, message, transport, address, cause } = error;
  // QUIC tells a key that does not fit in one breath with a port that is taken.
  if (kind === "tls") return `Cannot use ${certFile} with ${keyFile}: ${message}`;
  const places = [["listen", listen], ["socks", socks], ["http", http], ["mixed", mixed]] as const;
  const [flag] = places.find(([, place]) => isSame(place, address)) ?? ["forward"];
  const { cause: denied = cause } = cause as Error;
  const reason = kind === "in_use"
    ? `${IN_USE}; ${keyOf(flag)} names another`
    : denied instanceof Deno.errors.PermissionDenied && address.port < 1024
    ? `${message}; a port below 1024 takes root or CAP_NET_BIND_SERVICE`
    : message;
  return `Cannot listen on ${transport} ${formatAddress(address)}: ${reason}`;
}

function isSame(one: Address | null, { hostname, port }: Address): boolean {
  return one?.hostname === hostname && one.port === port;
}

/** The fields of `gateway.listening`. */
export function gatewayFields(
  { listen, socks, http, mixed, anonymous, path, configFile, certFile }: GatewayConfig,
  { server, users, metrics }: {
    server: GatewayServer;
    users: GatewayUsers;
    metrics: string | null;
  },
): Fields {
  const at = (place: Address | null, port: number | null) =>
    place === null ? null : formatAddress({ ...place, port: port! });
  return {
    version: VERSION,
    listen: at(listen, server.port),
    path,
    ...{ socks: at(socks, server.socksPort), http: at(http, server.httpPort) },
    ...{ mixed: at(mixed, server.mixedPort), forwards: server.forwardPorts.join(", ") || null },
    anonymous,
    ...(configFile !== null && { config: configFile }),
    cert: certFile ?? "made for this run",
    users: users.count,
    metrics,
  };
}
