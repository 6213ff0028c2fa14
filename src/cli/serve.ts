import { Registry } from "prom-client";
import type { ProxyConfig } from "../config/proxy.ts";
import { type Address, formatAddress } from "../config/address.ts";
import { backendTarget } from "../config/proxy_options.ts";
import { messageOf, toNetError } from "../net/error.ts";
import { EventLoopLag } from "../observe/event_loop.ts";
import { createLineLog, type OwnedLog } from "../observe/log.ts";
import { createObserver } from "../observe/observer.ts";
import { registerRuntime } from "../observe/runtime.ts";
import { type AdminServer, type Readiness, startAdminServer } from "../observe/server.ts";
import { type Proxy, type ProxyOptions, startProxy } from "../proxy/proxy.ts";
import { type CertPair, CertWatch, readCertPair } from "./cert_watch.ts";
import { CommandError, IN_USE } from "./command.ts";
import { readCa } from "./files.ts";
import { VERSION } from "./version.ts";

/** What a command may add to the config. */
export interface ServeExtras {
  /** The pair itself instead of the files, which then are not watched. */
  pair?: CertPair;
  page?: ProxyOptions["page"];
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
  const { backendCaFile, certFile, keyFile } = config;
  const pair = extras.pair ?? await readOwnPair(certFile, keyFile);
  const caCerts = backendCaFile === null ? undefined : [await readCa(backendCaFile, BACKEND_CA)];
  const log = createLineLog({ level: config.logLevel, format: logFormat(config.logFormat) });
  const registry = new Registry();
  const lag = new EventLoopLag();
  registerRuntime(registry, { version: VERSION, eventLoopLag: () => lag.seconds });
  let readiness: Readiness = "starting";
  const admin = startAdmin(config, { registry, log, readiness: () => readiness, extras });
  let proxy: Proxy;
  try {
    const observer = createObserver({ registry, log });
    const backend = backendTarget(config, caCerts);
    const options = { ...config, ...pair, backend, observer, page: extras.page };
    proxy = start(options, { config, extras });
  } catch (error) {
    await admin?.close();
    throw error;
  }
  lag.start();
  readiness = "ready";
  const watch = extras.pair === undefined ? watchPair(config, { pair, proxy, log }) : null;
  const metrics = admin === null ? null : formatAddress(admin);
  // A second signal ends the process in the midst of a drain.
  const flush = () => log.flushSync();
  addEventListener("unload", flush);
  log.info("proxy.listening", {
    version: VERSION,
    listen: formatAddress(proxy),
    backend: config.backend.url,
    metrics,
  });
  return {
    proxy,
    metrics,
    log,
    async drain(drainMs) {
      readiness = "draining";
      const { sessions, connections } = proxy;
      log.info("proxy.draining", { sessions, connections, withinMs: drainMs });
      await watch?.stop();
      await proxy.drain(drainMs);
      await admin?.close();
      lag.stop();
      log.info("proxy.stopped", {});
      await log.flush();
      removeEventListener("unload", flush);
    },
  };
}

const BACKEND_CA = "--backend-ca";

async function readOwnPair(certFile: string, keyFile: string): Promise<CertPair> {
  try {
    return await readCertPair(certFile, keyFile);
  } catch (error) {
    if (!(error instanceof CommandError && error.cause instanceof Deno.errors.NotFound)) {
      throw error;
    }
    throw new CommandError(`${error.message}; h3ws certs makes a pair for development`);
  }
}

const METRICS_HINT = "--metrics names another address, or off";

/** `null` when it is off, or when its default port is taken. */
function startAdmin(
  { metrics, metricsGiven }: ProxyConfig,
  { extras, log, registry, readiness }: {
    extras: ServeExtras;
    log: OwnedLog;
    registry: Registry;
    readiness: () => Readiness;
  },
): AdminServer | null {
  const failed = (error: unknown) => log.error("metrics.error", { message: messageOf(error) });
  const at = (address: Address | null) =>
    startAdminServer({ address, registry, readiness, failed });
  try {
    return at(metrics);
  } catch (error) {
    const taken = metrics !== null && toNetError((error as Error).cause).kind === "in_use";
    if (taken && extras.freePort?.metrics) return at({ ...metrics, port: 0 });
    if (!taken || metricsGiven) throw new CommandError(`${messageOf(error)}; ${METRICS_HINT}`);
    const message = `${messageOf(error)}: no metrics; ${METRICS_HINT}`;
    log.warning("metrics.off", { message });
    return null;
  }
}

function logFormat(format: ProxyConfig["logFormat"]): "text" | "json" {
  if (format !== "auto") return format;
  return Deno.stderr.isTerminal() ? "text" : "json";
}

function start(
  options: ProxyOptions,
  { config, extras }: { config: ProxyConfig; extras: ServeExtras },
): Proxy {
  try {
    return startProxy(options);
  } catch (error) {
    const { kind, message } = toNetError(error);
    const { listen } = options;
    if (kind === "in_use" && extras.freePort?.listen) {
      return startProxy({ ...options, listen: { ...listen, port: 0 } });
    }
    // QUIC tells a key that does not fit in one breath with a port that is taken.
    if (kind === "tls") {
      throw new CommandError(`Cannot use ${config.certFile} with ${config.keyFile}: ${message}`);
    }
    const denied = (error as Error).cause instanceof Deno.errors.PermissionDenied;
    const reason = kind === "in_use"
      ? `${IN_USE}; --listen names another`
      : denied && listen.port < 1024
      ? `${message}; a port below 1024 takes root or CAP_NET_BIND_SERVICE, --listen :8443 does not`
      : message;
    throw new CommandError(`Cannot listen on UDP ${formatAddress(listen)}: ${reason}`);
  }
}

function watchPair(
  config: ProxyConfig,
  { pair, proxy, log }: { pair: CertPair; proxy: Proxy; log: OwnedLog },
): CertWatch {
  const { certFile, keyFile } = config;
  return new CertWatch({
    certFile,
    keyFile,
    onChange: ({ certPem, keyPem }) => proxy.reload(certPem, keyPem),
    onReloaded: () => log.info("cert.reloaded", { cert: certFile, key: keyFile }),
    onError: (message) => log.warning("cert.error", { message }),
  }, pair);
}
