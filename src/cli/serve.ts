import type { CertFiles } from "../config/file.ts";
import type { ProxyConfig } from "../config/proxy.ts";
import { formatAddress } from "../net/address.ts";
import { backendTarget, configuredOptions } from "../config/proxy_options.ts";
import { EventLoopLag } from "../observe/event_loop.ts";
import { createLineLog, type OwnedLog } from "../observe/log.ts";
import { createObserver } from "../observe/observer.ts";
import { Registry } from "../observe/registry.ts";
import { registerRuntime } from "../observe/runtime.ts";
import type { Readiness } from "../observe/server.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import type { BackendTarget } from "../proxy/backend.ts";
import { ListenError, type Proxy, type ProxyOptions } from "../proxy/options.ts";
import { startProxy } from "../proxy/proxy.ts";
import { logFormat, startAdmin } from "./admin.ts";
import { CommandError, IN_USE } from "./command.ts";
import { cmuxOptions } from "./cmux.ts";
import { ConfigWatch } from "./config_watch.ts";
import { type Configured, load, type Loaded } from "./configured.ts";
import { readCa, readCertPair } from "./files.ts";
import type { ProxyGateway } from "./proxy_gateway.ts";
import { VERSION } from "./version.ts";
import { startFields } from "./start_line.ts";
import { type CaFile, type WatchedFiles, Watches } from "./watches.ts";

/** What a command may add to the config. */
export interface ServeExtras {
  /** The pair itself instead of the files, which then are not watched. */
  pair?: CertificatePair;
  page?: ProxyOptions["page"];
  /** Where the config came from; without it from flags that are not those of the proxy. */
  configured?: Configured;
  /** Which address gets any free port when its own is taken. */
  freePort?: { listen: boolean; metrics: boolean };
}

/** A proxy with its metrics, its log and its certificates, all of it up or none. */
export interface Serving {
  readonly proxy: Proxy;
  /** Where /metrics, /healthz and /readyz are; `null` when they are off. */
  readonly metrics: string | null;
  readonly log: OwnedLog;
  /** Ends every session within `drainMs`, then everything else. */
  drain(drainMs: number): Promise<void>;
}

/** Throws `CommandError` with nothing left half started. */
export async function serve(config: ProxyConfig, extras: ServeExtras = {}): Promise<Serving> {
  const { configured = byFlags(config) } = extras;
  const held = await readHeld(config, { configured, extras });
  const { gateway, loaded, pair, clientCa, backend } = held;
  const log = createLineLog({ level: config.logLevel, format: logFormat(config.logFormat) });
  const registry = new Registry();
  const lag = new EventLoopLag();
  registerRuntime(registry, { version: VERSION, eventLoopLag: () => lag.seconds });
  let readiness: Readiness = "starting";
  const observer = createObserver({ registry, log });
  const tunnel = gateway?.observe({ registry, log });
  const stats = () => ({ ...observer.stats(), ...(tunnel && { gateway: tunnel.stats() }) });
  const admin = startAdmin(config, {
    ...{ registry, log, stats, readiness: () => readiness },
    agents: tunnel && (() => tunnel.agents()),
    freePort: extras.freePort?.metrics,
  });
  const cmux = cmuxOptions(config, { file: configured.file, log });
  let proxy: Proxy;
  try {
    await gateway?.open({ ...pair, certFile: config.certFile });
    const options = {
      ...configuredOptions(config),
      ...loaded,
      // A file that has routes is about more than tunnels.
      plain: config.plain || loaded.routes !== null,
      cmux,
      ...pair,
      clientCaPem: clientCa?.pem ?? null,
      backend,
      observer,
      page: extras.page,
    };
    proxy = await start(options, { config, extras });
  } catch (error) {
    await gateway?.stop();
    await admin?.close();
    throw error;
  }
  lag.start();
  readiness = "ready";
  const watches = await watch(held, { configured, extras, proxy, log });
  const metrics = admin === null ? null : formatAddress(admin);
  // A second signal ends the process in the midst of a drain.
  const flush = () => log.flushSync();
  addEventListener("unload", flush);
  log.info("proxy.listening", startFields(config, { proxy, loaded, cmux, metrics }));
  return {
    proxy,
    metrics,
    log,
    async drain(drainMs) {
      readiness = "draining";
      const { sessions, connections } = proxy;
      log.info("proxy.draining", { sessions, connections, withinMs: drainMs });
      watches.stop();
      await proxy.drain(drainMs);
      // Tunnels of the proxy go by it.
      await gateway?.drain();
      await admin?.close();
      lag.stop();
      log.info("proxy.stopped", {});
      await log.flush();
      watches.release();
      removeEventListener("unload", flush);
    },
  };
}

/** What stands in files, and what it comes to. */
interface Held {
  readonly gateway: ProxyGateway | null;
  readonly loaded: Loaded;
  readonly pair: CertificatePair;
  readonly backendCa: CaFile | null;
  readonly clientCa: CaFile | null;
  readonly backend: BackendTarget;
}

interface From {
  readonly configured: Configured;
  readonly extras: ServeExtras;
}

async function readHeld(config: ProxyConfig, { configured, extras }: From): Promise<Held> {
  const gateway = await readGateway(configured);
  const agentDialer = gateway?.dialer;
  const loaded = await load(configured, agentDialer);
  const pair = extras.pair ?? await readOwnPair(config);
  const backendCa = await readCaFile(config.backendCaFile, "--backend-ca");
  const clientCa = await readCaFile(config.clientCaFile, "--client-ca");
  const caCerts = backendCa === null ? undefined : [backendCa.pem];
  const backend = backendTarget({ ...config, agentDialer }, caCerts);
  return { gateway, loaded, pair, backendCa, clientCa, backend };
}

async function watch(
  { gateway, loaded, pair, backendCa, clientCa, backend }: Held,
  { configured, extras, proxy, log }: From & { proxy: Proxy; log: OwnedLog },
): Promise<Watches> {
  const certificates = extras.pair === undefined
    ? pairsOf(configured, [pair, ...loaded.certificates])
    : [];
  return new Watches({
    ...{ certificates, clientCa, backendCa: loaded.routes === null ? backendCa : null },
    others: await gateway?.watched(),
  }, {
    ...{ proxy, gateway, log, backend },
    config: configured.file === null ? null : new ConfigWatch(configured, { proxy, gateway, log }),
  });
}

function byFlags(config: ProxyConfig): Configured {
  return {
    ...{ config, file: null, gateway: null, stamps: new Map(), reading: {} },
    again: () => Promise.reject(),
  };
}

/** That of the file, if it has one. */
async function readGateway({ gateway }: Configured): Promise<ProxyGateway | null> {
  if (gateway === null) return null;
  // Most proxies have none, and it is large.
  const { ProxyGateway } = await import("./proxy_gateway.ts");
  return await ProxyGateway.read(gateway);
}

async function readCaFile(file: string | null, flag: string): Promise<CaFile | null> {
  return file === null ? null : { file, pem: await readCa(file, flag) };
}

async function readOwnPair(files: CertFiles): Promise<CertificatePair> {
  try {
    return await readCertPair(files);
  } catch (error) {
    if (!(error instanceof CommandError && error.cause instanceof Deno.errors.NotFound)) {
      throw error;
    }
    throw new CommandError(`${error.message}; h3ws certs makes a pair for development`);
  }
}

async function start(
  options: ProxyOptions,
  { config, extras }: { config: ProxyConfig; extras: ServeExtras },
): Promise<Proxy> {
  try {
    return await startProxy(options);
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    const { kind, message, transport, address } = error;
    if (kind === "in_use" && address !== options.plainListen && extras.freePort?.listen) {
      return await startProxy({ ...options, listen: { ...config.listen, port: 0 } });
    }
    // QUIC tells a key that does not fit in one breath with a port that is taken.
    if (kind === "tls") {
      throw new CommandError(`Cannot use ${config.certFile} with ${config.keyFile}: ${message}`);
    }
    const plain = address === options.plainListen;
    // Only where there are flags of the proxy's.
    const hasTcp = extras.configured !== undefined;
    const reason = listenAdvice(error, { plain, hasTcp });
    throw new CommandError(`Cannot listen on ${transport} ${formatAddress(address)}: ${reason}`);
  }
}

function listenAdvice(
  { kind, message, transport, address, cause }: ListenError,
  { plain, hasTcp }: { plain: boolean; hasTcp: boolean },
): string {
  const flag = plain ? "--plain-listen" : "--listen";
  if (kind === "in_use") {
    const without = transport === "TCP" && !plain && hasTcp ? ", --tcp off does without" : "";
    return `${IN_USE}; ${flag} names another${without}`;
  }
  const { cause: denied = cause } = cause as Error;
  return denied instanceof Deno.errors.PermissionDenied && address.port < 1024
    ? `${message}; a port below 1024 takes root or CAP_NET_BIND_SERVICE, ${flag} :8443 does not`
    : message;
}

/** Where the certificates stand: that of `--cert` and `--key` first. */
function pairsOf(
  { config: { certFile, keyFile }, file }: Configured,
  pairs: readonly CertificatePair[],
): WatchedFiles["certificates"] {
  const files = [{ certFile, keyFile }, ...file?.certificates.slice(1) ?? []];
  return files.map((names, i) => ({ ...names, ...pairs[i] }));
}
