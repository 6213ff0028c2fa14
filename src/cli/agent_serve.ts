import { type AgentConfig, MIN_DELAY_MS, STABLE_MS } from "../config/agent.ts";
import { UsageError } from "../config/error.ts";
import type { ClientCertificate } from "../net/dial.ts";
import { formatAddress } from "../net/address.ts";
import { Sweeper } from "../net/sweeper.ts";
import { createAgentObserver } from "../observe/agent.ts";
import { EventLoopLag } from "../observe/event_loop.ts";
import { createLineLog, type Log } from "../observe/log.ts";
import { Registry } from "../observe/registry.ts";
import { registerRuntime } from "../observe/runtime.ts";
import { AGENT_PREFIX } from "../observe/tunnel_metrics.ts";
import { type Auth, type OpenPort, TUNNEL_VERSION } from "../protocol/tunnel/auth.ts";
import { TunnelAgent } from "../tunnel/agent.ts";
import { agentDial } from "../tunnel/agent_dial.ts";
import type { ConnectTarget } from "../tunnel/link.ts";
import { Reach } from "../tunnel/reach.ts";
import { logFormat, startAdmin } from "./admin.ts";
import { ownAgentId } from "./agent_id.ts";
import { ExitCode } from "./command.ts";
import { FileWatches, type Watched } from "./file_watches.ts";
import { readCa, readCertPair } from "./files.ts";
import { giveBackSoon } from "./give_back.ts";
import type { Io } from "./io.ts";
import { certificatesProblem } from "./pem.ts";
import { type TunnelConfigured, watchConfig } from "./tunnel_configured.ts";
import { VERSION } from "./version.ts";

const SWEEP_MS = 250;

/** `h3ws agent`: keeps its links until the process is asked to end; returns the exit code. */
export async function runAgent(
  configured: TunnelConfigured<AgentConfig>,
  io: Io,
): Promise<number> {
  const { config } = configured;
  const { caFile } = config;
  const caCerts = caFile === null ? [] : [await readCa(caFile, "--ca")];
  const clientCertificate = await ownCertificate(config);
  const id = config.id ?? await ownAgentId(toldOf(config));
  const log = createLineLog({ level: config.logLevel, format: logFormat(config.logFormat) });
  const registry = new Registry();
  const lag = new EventLoopLag();
  const eventLoopLag = () => lag.seconds;
  registerRuntime(registry, { version: VERSION, prefix: AGENT_PREFIX, eventLoopLag });
  const observer = createAgentObserver({ registry, log, clientId: id });
  let draining = false;
  const readiness = () => draining ? "draining" : observer.stats().is_online ? "ready" : "starting";
  const admin = startAdmin(config, { registry, log, readiness, stats: () => observer.stats() });
  lag.start();
  const keepAll = giveBackSoon();
  const connecting = new Connecting(config);
  const auth = authOf(config, id);
  const use = (next: AgentConfig) => {
    connecting.use(next);
    auth.login = loginOf(next);
  };
  const watches = new FileWatches(log, watchedFiles(configured, { caCerts, use, log }));
  const flush = () => log.flushSync();
  addEventListener("unload", flush);
  // Who reads the first line may ask for the end at once.
  const stopped = io.untilStopped();
  const metrics = admin === null ? null : formatAddress(admin);
  log.info("agent.started", startFields(config, { id, metrics }));
  const sweeper = new Sweeper(SWEEP_MS);
  const { pins } = config;
  const agent = new TunnelAgent({
    ...config,
    ...{ auth, caCerts, clientCertificate, sweeper, observer, connect: connecting.connect },
    certificateHashes: pins.length === 0 ? undefined : [...pins],
    ...{ stableMs: STABLE_MS, minDelayMs: MIN_DELAY_MS },
  });
  await stopped;
  draining = true;
  log.info("agent.draining", { connections: agent.streams, withinMs: config.drainMs });
  watches.stop();
  await agent.drain(config.drainMs);
  sweeper.stop();
  await admin?.close();
  lag.stop();
  keepAll();
  log.info("agent.stopped", {});
  await log.flush();
  watches.release();
  removeEventListener("unload", flush);
  return ExitCode.OK;
}

/** Who it is; each link is told what holds then. */
function authOf(
  config: AgentConfig,
  clientId: string,
): Omit<Auth, "login"> & { login: Auth["login"] } {
  const { group, openPorts, maxStreams: maxConns } = config;
  const who = { version: TUNNEL_VERSION, clientId, agent: `h3ws ${VERSION}` };
  return { ...who, login: loginOf(config), group, openPorts, maxConns };
}

function loginOf({ token, user }: AgentConfig): Auth["login"] {
  if (token !== null) return { token };
  return user === null ? null : { username: user.name, password: user.password };
}

async function ownCertificate(config: AgentConfig): Promise<ClientCertificate | undefined> {
  const { certFile, keyFile } = config;
  if (certFile === null && keyFile === null) return undefined;
  if (certFile !== null && keyFile !== null) return await readCertPair({ certFile, keyFile });
  const [key, allowed] = certFile === null ? ["--key", "--cert, too"] : ["--cert", "--key, too"];
  throw new UsageError({ key, value: null, problem: "stands alone", allowed });
}

/** Connects to what may be reached now. */
class Connecting {
  readonly #timeoutMs: number;
  /** Those that gateways were asked for, whatever the file says later. */
  readonly #openPorts: readonly OpenPort[];
  #connect: ConnectTarget;

  constructor(config: AgentConfig) {
    this.#timeoutMs = config.connectTimeoutMs;
    this.#openPorts = config.openPorts;
    this.#connect = this.#by(config);
  }

  readonly connect: ConnectTarget = (target, signal) => this.#connect(target, signal);

  /** From now on; what is open stays. */
  use(config: AgentConfig): void {
    this.#connect = this.#by(config);
  }

  #by({ allowed, forbidden, services }: AgentConfig): ConnectTarget {
    const reach = new Reach({
      allowed: allowed.length === 0 ? null : allowed,
      ...{ forbidden, services, openPorts: this.#openPorts },
    });
    return agentDial({ reach, connectTimeoutMs: this.#timeoutMs });
  }
}

function watchedFiles(
  { config: { caFile }, file }: TunnelConfigured<AgentConfig>,
  { caCerts, use, log }: { caCerts: string[]; use: (next: AgentConfig) => void; log: Log },
): Watched[] {
  return [
    ...(caFile === null ? [] : [watchCa(caFile, caCerts, log)]),
    ...(file === null ? [] : [
      watchConfig(file, {
        uses: ["allow", "forbid", "service", "user", "token"],
        use,
        log,
      }),
    ]),
  ];
}

/** Whoever is connected to next must have a certificate of these. */
function watchCa(file: string, caCerts: string[], log: Log): Watched {
  return {
    files: [file],
    subject: `${file} for --ca`,
    old: "the old one",
    current: [...caCerts],
    onChange: ([pem]) => {
      const problem = certificatesProblem(pem);
      if (problem !== null) throw new Error(problem);
      caCerts.splice(0, caCerts.length, pem);
    },
    onReloaded: () => log.info("ca.reloaded", { flag: "ca", file }),
    onError: (message) => log.warning("ca.error", { message }),
  };
}

/** What two agents of one machine differ in. */
function toldOf({ gateways, user, group, allowed, services, configFile }: AgentConfig): string[] {
  return [
    ...gateways.map(({ href }) => href),
    ...[user?.name ?? "", group ?? "", configFile ?? ""],
    ...allowed.map(({ text }) => text),
    ...services.map(({ name, host, port }) => `${name}=${host}:${port}`),
  ];
}

function startFields(
  config: AgentConfig,
  { id, metrics }: { id: string; metrics: string | null },
) {
  const { gateways, transports, allowed, forbidden, services, replicas, configFile } = config;
  return {
    version: VERSION,
    id,
    gateways: gateways.map(({ href }) => href).join(", "),
    transports: transports.join(", "),
    ...(config.proxy !== null && { proxy: formatAddress(config.proxy) }),
    replicas,
    allowed: services.length > 0
      ? services.map(({ name }) => name).join(", ")
      : allowed.map(({ text }) => text).join(", ") || "all but special addresses",
    forbidden: forbidden.map(({ text }) => text).join(", ") || null,
    ...(configFile !== null && { config: configFile }),
    metrics,
  };
}
