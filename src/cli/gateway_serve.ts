import { UsageError } from "../config/error.ts";
import type { GatewayConfig } from "../config/gateway.ts";
import { ListenError } from "../ingress/listen.ts";
import { type Address, formatAddress } from "../net/address.ts";
import { Sweeper } from "../net/sweeper.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import { EventLoopLag } from "../observe/event_loop.ts";
import { createGatewayObserver } from "../observe/gateway.ts";
import { createLineLog, type OwnedLog } from "../observe/log.ts";
import { Registry } from "../observe/registry.ts";
import { registerRuntime } from "../observe/runtime.ts";
import type { Readiness } from "../observe/server.ts";
import { GATEWAY_PREFIX } from "../observe/tunnel_metrics.ts";
import { DEFAULT_GROUP } from "../tunnel/admission.ts";
import type { ClusterConfig } from "../tunnel/cluster.ts";
import { GatewayServer } from "../tunnel/gateway_server.ts";
import type { LimitsBy } from "../tunnel/limits.ts";
import type { GatewayObserver } from "../tunnel/observer.ts";
import { logFormat, startAdmin } from "./admin.ts";
import { CommandError, ExitCode, IN_USE } from "./command.ts";
import { FileWatches } from "./file_watches.ts";
import { readCa, readCertPair, readText } from "./files.ts";
import { GatewayUsers } from "./gateway_users.ts";
import { certFilesOf, type MadePair, makeGatewayPair, tellGatewayTrust } from "./gateway_trust.ts";
import { type GatewayFiles, readUsers, watchedFiles } from "./gateway_files.ts";
import { giveBackSoon } from "./give_back.ts";
import type { Io } from "./io.ts";
import type { TunnelConfigured } from "./tunnel_configured.ts";
import { VERSION } from "./version.ts";

const SWEEP_MS = 250;

/** `h3ws gateway`: serves until the process is asked to end; returns the exit code. */
export async function runGateway(
  configured: TunnelConfigured<GatewayConfig>,
  io: Io,
): Promise<number> {
  const { config } = configured;
  const files = await readFiles(config);
  const users = await GatewayUsers.of(config, files.users?.users ?? []);
  const made = files.pair === null ? await makeGatewayPair(config.listen) : null;
  const log = createLineLog({ level: config.logLevel, format: logFormat(config.logFormat) });
  const registry = new Registry();
  const lag = new EventLoopLag();
  const eventLoopLag = () => lag.seconds;
  registerRuntime(registry, { version: VERSION, prefix: GATEWAY_PREFIX, eventLoopLag });
  const observer = createGatewayObserver({ registry, log });
  let readiness: Readiness = "starting";
  const admin = startAdmin(config, {
    ...{ registry, log, readiness: () => readiness },
    ...{ stats: () => observer.stats(), agents: () => observer.agents() },
  });
  const sweeper = new Sweeper(SWEEP_MS);
  const pair = files.pair ?? made!;
  let server: GatewayServer;
  try {
    server = await open(config, { pair, users, clientCa: files.clientCa, sweeper, observer, log });
  } catch (error) {
    sweeper.stop();
    await admin?.close();
    throw error;
  }
  lag.start();
  const keepAll = giveBackSoon();
  readiness = "ready";
  const watches = new FileWatches(
    log,
    await watchedFiles(configured, { files, users, server, log }),
  );
  // A second signal ends the process in the midst of a drain.
  const flush = () => log.flushSync();
  addEventListener("unload", flush);
  // Who reads the first line may ask for the end at once.
  const stopped = io.untilStopped();
  const metrics = admin === null ? null : formatAddress(admin);
  log.info("gateway.listening", startFields(config, { server, users, metrics }));
  const untell = made === null ? null : await tellTrust(made, { config, server, io });
  await stopped;
  readiness = "draining";
  const { drainMs } = config;
  const { connections, agents } = server.gateway;
  log.info("gateway.draining", { connections, agents: agents.list().length, withinMs: drainMs });
  watches.stop();
  await server.drain(drainMs);
  sweeper.stop();
  await admin?.close();
  lag.stop();
  keepAll();
  await untell?.();
  log.info("gateway.stopped", {});
  await log.flush();
  watches.release();
  removeEventListener("unload", flush);
  return ExitCode.OK;
}

async function readFiles(config: GatewayConfig): Promise<GatewayFiles> {
  const { clientCaFile, usersFile } = config;
  const certFiles = certFilesOf(config);
  const pem = clientCaFile === null ? null : await readCa(clientCaFile, "--client-ca");
  return {
    pair: certFiles === null ? null : { ...certFiles, ...await readCertPair(certFiles) },
    clientCa: pem === null ? null : { file: clientCaFile!, pem },
    users: usersFile === null ? null : await readUsers(usersFile),
  };
}

/** Where other gateways are; read once. */
async function clusterOf(config: GatewayConfig): Promise<ClusterConfig | null> {
  const { clusterUrls: urls, clusterCredsFile, clusterCaFile } = config;
  if (urls.length === 0) return null;
  const creds = clusterCredsFile === null ? undefined : await readText(clusterCredsFile);
  const caPem = clusterCaFile === null ? undefined : await readCa(clusterCaFile, "--cluster-ca");
  return { urls, creds, caPem };
}

async function open(
  config: GatewayConfig,
  { pair, users, clientCa, sweeper, observer, log }: {
    pair: CertificatePair;
    users: GatewayUsers;
    clientCa: GatewayFiles["clientCa"];
    sweeper: Sweeper;
    observer: GatewayObserver;
    log: OwnedLog;
  },
): Promise<GatewayServer> {
  const { socks, http, mixed, forwards, openPorts, anonymous, group } = config;
  if (anonymous && config.clientUser !== null) {
    const problem = "can't stand beside --client-user";
    throw new UsageError({ key: "--anonymous", value: null, problem, allowed: "one of the two" });
  }
  const front = (listen: Address | null) =>
    listen && {
      listen,
      users: anonymous ? null : users.clients,
      group: group ?? undefined,
    };
  const server = new GatewayServer({
    ...config,
    ...{ certPem: pair.certPem, keyPem: pair.keyPem, clientCaPem: clientCa?.pem ?? null },
    agents: users.agents,
    ...{ socks: front(socks), http: front(http), mixed: front(mixed) },
    forwards: forwards.map((one) => ({ ...one, group: one.group ?? group ?? DEFAULT_GROUP })),
    openPorts: { hostname: config.listen.hostname, ranges: openPorts },
    limits: limitsOf(config),
    cluster: await clusterOf(config),
    ...{ sweeper, observer, log },
  });
  try {
    await server.listen();
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    throw new CommandError(listenFault(error, config));
  }
  return server;
}

function limitsOf(config: GatewayConfig): LimitsBy {
  return {
    user: {
      ...{ maxConnections: config.userMaxConnections, newPerSecond: config.userNewPerSecond },
      bytesPerSecond: config.userBytesPerSecond,
    },
    agent: {
      ...{ maxConnections: config.agentMaxConnections, newPerSecond: config.agentNewPerSecond },
      bytesPerSecond: config.agentBytesPerSecond,
    },
    target: {
      ...{ maxConnections: config.targetMaxConnections, newPerSecond: config.targetNewPerSecond },
      bytesPerSecond: config.targetBytesPerSecond,
    },
  };
}

function listenFault(error: ListenError, config: GatewayConfig): string {
  const { listen, socks, http, mixed, certFile, keyFile } = config;
  const { kind, message, transport, address, cause } = error;
  // QUIC tells a key that does not fit in one breath with a port that is taken.
  if (kind === "tls") return `Cannot use ${certFile} with ${keyFile}: ${message}`;
  const places = [["--listen", listen], ["--socks", socks], ["--http", http], ["--mixed", mixed]];
  const [flag] = places.find(([, place]) => place === address) ?? ["--forward"];
  const { cause: denied = cause } = cause as Error;
  const reason = kind === "in_use"
    ? `${IN_USE}; ${flag} names another`
    : denied instanceof Deno.errors.PermissionDenied && address.port < 1024
    ? `${message}; a port below 1024 takes root or CAP_NET_BIND_SERVICE`
    : message;
  return `Cannot listen on ${transport} ${formatAddress(address)}: ${reason}`;
}

function startFields(
  { listen, socks, http, mixed, anonymous, path, configFile, certFile }: GatewayConfig,
  { server, users, metrics }: {
    server: GatewayServer;
    users: GatewayUsers;
    metrics: string | null;
  },
) {
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

/** Tells how agents come to trust a certificate that was made; gives what takes that back. */
async function tellTrust(
  made: MadePair,
  { config, server, io }: { config: GatewayConfig; server: GatewayServer; io: Io },
): Promise<() => Promise<void>> {
  const folder = await Deno.makeTempDir({ prefix: "h3ws-gateway-" });
  await Deno.writeTextFile(`${folder}/ca.pem`, made.caPem);
  const { port, socksPort } = server;
  io.out(tellGatewayTrust(made, { config, port, socksPort, folder, env: io.env }));
  return () => Deno.remove(folder, { recursive: true }).catch(() => {});
}
