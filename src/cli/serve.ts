import { Registry } from "prom-client";
import type { ProxyConfig } from "../config/proxy.ts";
import { formatAddress } from "../config/address.ts";
import { messageOf } from "../net/error.ts";
import { EventLoopLag } from "../observe/event_loop.ts";
import { createLineLog, type OwnedLog } from "../observe/log.ts";
import { createObserver } from "../observe/observer.ts";
import { registerRuntime } from "../observe/runtime.ts";
import { type AdminServer, type Readiness, startAdminServer } from "../observe/server.ts";
import { type Proxy, type ProxyOptions, startProxy } from "../proxy/proxy.ts";
import { type CertPair, CertWatch, readCertPair } from "./cert_watch.ts";
import { CommandError } from "./command.ts";
import { VERSION } from "./version.ts";

/** What a command may add to the config. */
export interface ServeExtras {
  /** The pair itself instead of the files, which then are not watched. */
  pair?: CertPair;
  page?: ProxyOptions["page"];
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
  const pair = extras.pair ?? await failing(() => readCertPair(config.certFile, config.keyFile));
  const caCerts = config.backendCaFile === null ? undefined : [await readCa(config.backendCaFile)];
  const log = createLineLog({
    level: config.logLevel,
    format: logFormat(config.logFormat),
  });
  const registry = new Registry();
  const lag = new EventLoopLag();
  registerRuntime(registry, { version: VERSION, eventLoopLag: () => lag.seconds });
  let readiness: Readiness = "starting";
  let admin: AdminServer | null = null;
  let proxy: Proxy;
  try {
    admin = startAdminServer({
      address: config.metrics,
      registry,
      readiness: () => readiness,
      failed: (error) => log.error("metrics.error", { message: messageOf(error) }),
    });
    const options = proxyOptions(config, { pair, caCerts });
    const observer = createObserver({ registry, log });
    proxy = start({ ...options, observer, page: extras.page }, config);
  } catch (error) {
    await admin?.close();
    throw new CommandError(messageOf(error));
  }
  lag.start();
  readiness = "ready";
  const watch = extras.pair === undefined ? watchPair(config, { pair, proxy, log }) : null;
  const metrics = admin === null ? null : formatAddress(admin);
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
      log.info("proxy.draining", { sessions, connections, within_ms: drainMs });
      await watch?.stop();
      await proxy.drain(drainMs);
      await admin?.close();
      lag.stop();
      log.info("proxy.stopped", {});
      await log.flush();
    },
  };
}

async function failing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new CommandError(messageOf(error));
  }
}

async function readCa(file: string): Promise<string> {
  const pem = await failing(() => readCertPair(file, file));
  if (!pem.certPem.includes("-----BEGIN CERTIFICATE-----")) {
    throw new CommandError(`Cannot use ${file} for --backend-ca: no certificate in PEM is in it`);
  }
  return pem.certPem;
}

function logFormat(format: ProxyConfig["logFormat"]): "text" | "json" {
  if (format !== "auto") return format;
  return Deno.stderr.isTerminal() ? "text" : "json";
}

function proxyOptions(
  config: ProxyConfig,
  { pair, caCerts }: { pair: CertPair; caCerts: string[] | undefined },
): Omit<ProxyOptions, "observer"> {
  const { backend } = config;
  return {
    ...config,
    ...pair,
    backend: {
      dial: {
        hostname: backend.hostname,
        port: backend.port,
        ...(backend.unixPath === null ? {} : { unixPath: backend.unixPath }),
        ...(backend.tls && {
          tls: {
            serverName: backend.hostname,
            caCerts,
            // RFC 9113 §8.1: what comes with h2 can't be upgraded.
            alpnProtocols: ["http/1.1"],
            insecure: config.backendInsecure,
          },
        }),
      },
      url: backend.url,
      host: null,
      path: backend.path,
      maxHeaderBytes: config.maxHeaderBytes,
    },
  };
}

function start(options: ProxyOptions, config: ProxyConfig): Proxy {
  try {
    return startProxy(options);
  } catch (error) {
    const message = messageOf(error);
    // QUIC tells a key that does not fit in one breath with a port that is taken.
    const tls = (error as { kind?: string }).kind === "tls";
    throw new CommandError(
      tls
        ? `Cannot use ${config.certFile} with ${config.keyFile}: ${message}`
        : `Cannot listen on UDP ${formatAddress(config.listen)}: ${message}`,
    );
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
