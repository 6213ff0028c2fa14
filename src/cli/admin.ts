import type { Address } from "../net/address.ts";
import { messageOf, toNetError } from "../net/error.ts";
import type { Log } from "../observe/log.ts";
import { type AdminServer, type AdminServerOptions, startAdminServer } from "../observe/server.ts";
import { CommandError } from "./command.ts";

const METRICS_HINT = "--metrics names another address, or off";

export interface AdminOptions extends Omit<AdminServerOptions, "address" | "failed"> {
  log: Log;
  /** Whether it gets any free port where its own is taken. */
  freePort?: boolean;
}

/** Where `--metrics` is; `null` when it is off, or when its default port is taken. */
export function startAdmin(
  { metrics, metricsGiven }: { metrics: Address | null; metricsGiven: boolean },
  { log, freePort, ...answers }: AdminOptions,
): AdminServer | null {
  const failed = (error: unknown) => log.error("metrics.error", { message: messageOf(error) });
  const at = (address: Address | null) => startAdminServer({ address, ...answers, failed });
  try {
    return at(metrics);
  } catch (error) {
    const taken = metrics !== null && toNetError((error as Error).cause).kind === "in_use";
    if (taken && freePort) return at({ ...metrics, port: 0 });
    if (!taken || metricsGiven) throw new CommandError(`${messageOf(error)}; ${METRICS_HINT}`);
    const message = `${messageOf(error)}: no metrics; ${METRICS_HINT}`;
    log.warning("metrics.off", { message });
    return null;
  }
}

/** What `--log-format` comes to. */
export function logFormat(format: "auto" | "text" | "json"): "text" | "json" {
  if (format !== "auto") return format;
  return Deno.stderr.isTerminal() ? "text" : "json";
}
