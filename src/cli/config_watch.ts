import { messageOf } from "../net/error.ts";
import type { Log } from "../observe/log.ts";
import type { Proxy } from "../proxy/options.ts";
import { type Configured, load } from "./configured.ts";
import { stampOf } from "./files.ts";
import { inForce } from "./start_line.ts";

const INTERVAL_MS = 2_000;

/**
 * Reads a configuration file again when it, or a CA of its routes, changes. What can be used is used at once; a file with
 * faults changes nothing, and they are logged.
 */
export class ConfigWatch {
  readonly #proxy: Proxy;
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

  constructor(
    configured: Configured,
    { proxy, log, intervalMs = INTERVAL_MS }: { proxy: Proxy; log: Log; intervalMs?: number },
  ) {
    this.#configured = configured;
    this.#inForce = inForce(configured.file?.routes ?? []);
    this.#proxy = proxy;
    this.#log = log;
    this.#stamps = configured.stamps;
    this.#timer = setInterval(() => {
      const changed = [...this.#stamps].some(([file, stamp]) => stampOf(file) !== stamp);
      if (changed) void this.reload();
    }, intervalMs);
  }

  /** Reads it now. Never rejects. */
  reload(): Promise<void> {
    // What changed since it began to read is read after it.
    if (this.#busy !== null) this.#again = true;
    return this.#busy ??= this.#reloads().finally(() => this.#busy = null);
  }

  async #reloads(): Promise<void> {
    do {
      this.#again = false;
      await this.#reload();
    } while (this.#again);
  }

  async #reload(): Promise<void> {
    const file = this.#configured.config.configFile;
    this.#stamps = new Map([...this.#stamps.keys()].map((file) => [file, stampOf(file)]));
    try {
      const next = await this.#configured.again();
      this.#stamps = next.stamps;
      const { routes } = await load(next);
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
      this.#log.error("config.error", { file, message: `${messageOf(error)}; nothing is changed` });
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#busy;
  }
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
  const { flags, hasRoutes, written } = file;
  if (!hasRoutes) return { ...flags, ...written };
  const others = Object.entries(flags).filter(([name]) => !OF_ROUTES.has(name));
  return { ...Object.fromEntries(others), ...written, routes: "some" };
}
