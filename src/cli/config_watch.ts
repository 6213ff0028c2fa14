import { UsageError } from "../config/error.ts";
import type { TunnelTexts } from "../config/file_tunnel.ts";
import { gatewayKey } from "../config/file_tunnel_keys.ts";
import { messageOf } from "../net/error.ts";
import type { Log } from "../observe/log.ts";
import type { Proxy } from "../proxy/options.ts";
import { type Configured, load } from "./configured.ts";
import { stampOf, stampsOf } from "./files.ts";
import type { ProxyGateway } from "./proxy_gateway.ts";
import { inForce } from "./start_line.ts";

const INTERVAL_MS = 2_000;

/**
 * Reads a configuration file again when it, or a CA of its routes, changes. What can be used is used at once; a file with
 * faults changes nothing, and they are logged.
 */
export class ConfigWatch {
  readonly #proxy: Proxy;
  readonly #gateway: ProxyGateway | null;
  readonly #log: Log;
  readonly #timer: ReturnType<typeof setInterval>;
  /** As it runs, but for its routes. */
  readonly #configured: Configured;
  /** Routes that take requests. */
  #inForce: number;
  /** Of each file from before it was read last. */
  #stamps: ReadonlyMap<string, string>;
  #busy: Promise<void> | null = null;
  #again = false;
  #looking: Promise<void> | null = null;
  #stopped = false;

  constructor(
    configured: Configured,
    { proxy, gateway = null, log, intervalMs = INTERVAL_MS }: {
      proxy: Proxy;
      gateway?: ProxyGateway | null;
      log: Log;
      intervalMs?: number;
    },
  ) {
    this.#configured = configured;
    this.#inForce = inForce(configured.file?.routes ?? []);
    this.#proxy = proxy;
    this.#gateway = gateway;
    this.#log = log;
    this.#stamps = configured.stamps;
    this.#timer = setInterval(() => {
      // A file system that does not answer is not asked again and again.
      this.#looking ??= this.#look().finally(() => this.#looking = null);
    }, intervalMs);
  }

  async #look(): Promise<void> {
    // What changes while it is read is seen by the look after that.
    if (this.#busy !== null) return;
    const stamps = this.#stamps;
    for (const [file, stamp] of stamps) {
      if (await stampOf(file) === stamp) continue;
      // Unless it was read meanwhile.
      if (this.#busy === null && stamps === this.#stamps) await this.reload();
      return;
    }
  }

  /** Reads it now. Never rejects. */
  reload(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    // What changed since it began to read is read after it.
    if (this.#busy !== null) this.#again = true;
    return this.#busy ??= this.#reloads().finally(() => this.#busy = null);
  }

  async #reloads(): Promise<void> {
    do {
      this.#again = false;
      await this.#reload();
    } while (this.#again && !this.#stopped);
  }

  async #reload(): Promise<void> {
    const file = this.#configured.config.configFile;
    this.#stamps = await stampsOf(this.#stamps.keys());
    try {
      const next = await this.#configured.again();
      this.#stamps = next.stamps;
      const { routes } = await load(next, this.#gateway?.dialer ?? noGateway);
      if (this.#stopped) return;
      if (next.gateway !== null) this.#gateway?.use(next.gateway);
      const left = changedSettings(this.#configured, next);
      // With routes and without is not the same proxy: what it does with ordinary requests differs.
      if (routes !== null && !left.includes("routes")) {
        this.#proxy.replaceRoutes(routes);
        this.#inForce = inForce(routes);
      }
      this.#log.info("config.reloaded", {
        file,
        routes: this.#inForce,
        ...(left.length > 0 && { afterRestart: left.join(", ") }),
      });
    } catch (error) {
      if (this.#stopped) return;
      this.#log.error("config.error", { file, message: `${messageOf(error)}; nothing is changed` });
    }
  }

  /**
   * From now on it looks no more, and what is being read comes to nothing. Resolves once that is
   * read: a file may keep it waiting for ever.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await Promise.all([this.#looking, this.#busy]);
  }
}

/** What dials backends behind agents where no gateway was at the start. */
function noGateway(): never {
  const problem = "was not there at the start, and backends behind agents need it";
  throw new UsageError({ key: "gateway", value: null, problem, allowed: "a restart" });
}

/** Flags that say what routes do that don't say it themselves. */
const OF_ROUTES: ReadonlySet<string> = new Set([
  ...["backend", "backend-ca", "backend-insecure", "backend-proxy-protocol", "upgrade"],
]);

/** What the file says elsewhere than in its routes: that takes a restart. */
function changedSettings(old: Configured, next: Configured): string[] {
  const [before, now] = [settingsOf(old), settingsOf(next)];
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names].filter((name) => before[name] !== now[name]).sort();
}

function settingsOf({ file }: Configured): Record<string, string> {
  if (file === null) return {};
  const { flags, hasRoutes, written, tunnel } = file;
  const all = { ...flags, ...written, ...gatewaySettings(tunnel.gateway) };
  if (!hasRoutes) return all;
  const others = Object.entries(all).filter(([name]) => !OF_ROUTES.has(name));
  return { ...Object.fromEntries(others), routes: "some" };
}

/** A gateway takes its users at once, by `ProxyGateway#use`. */
const USERS: readonly string[] = ["user", "client-user"];

function gatewaySettings(texts: TunnelTexts["gateway"]): Record<string, string> {
  if (texts === null) return {};
  const others = Object.entries(texts).filter(([flag]) => !USERS.includes(flag));
  return {
    gateway: "some",
    ...Object.fromEntries(others.map(([flag, text]) => [gatewayKey(flag), text])),
  };
}
