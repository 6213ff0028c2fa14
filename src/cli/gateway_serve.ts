import type { GatewayConfig } from "../config/gateway.ts";
import { formatAddress } from "../net/address.ts";
import { Sweeper } from "../net/sweeper.ts";
import { EventLoopLag } from "../observe/event_loop.ts";
import { createGatewayObserver } from "../observe/gateway.ts";
import { createLineLog } from "../observe/log.ts";
import { Registry } from "../observe/registry.ts";
import { registerRuntime } from "../observe/runtime.ts";
import type { Readiness } from "../observe/server.ts";
import { GATEWAY_PREFIX } from "../observe/tunnel_metrics.ts";
import type { GatewayServer } from "../tunnel/gateway_server.ts";
import { logFormat, startAdmin } from "./admin.ts";
import { ExitCode } from "./command.ts";
import { FileWatches } from "./file_watches.ts";
import { watchedFiles } from "./gateway_files.ts";
import { gatewayFields, openGateway, readParts } from "./gateway_open.ts";
import { type MadePair, makeGatewayPair, tellGatewayTrust } from "./gateway_trust.ts";
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
  const { files, users, cluster } = await readParts(config);
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
  let server: GatewayServer;
  try {
    server = await openGateway(config, {
      ...{ pair: files.pair ?? made!, users, cluster, clientCa: files.clientCa },
      ...{ sweeper, observer, log },
    });
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
  log.info("gateway.listening", gatewayFields(config, { server, users, metrics }));
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
