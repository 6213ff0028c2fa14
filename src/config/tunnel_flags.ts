import {
  type ConfigOf,
  envFlag,
  type Environment,
  type FlagTable,
  type FlagValues,
  isGiven,
  readFlags,
} from "./flags.ts";
import { duration, size } from "./kinds.ts";
import { debugLevel, proxyFlags } from "./proxy.ts";

/** What a gateway and an agent have both, in the order of the help. */
export const endFlags = {
  windowBytes: envFlag({
    name: "window",
    kind: size({ min: 16 * 1024, max: 64 * 1024 * 1024 }),
    default: "256KiB",
    meaning: "what may be under way on one connection that its reader has not taken",
  }),
  drainMs: envFlag({
    name: "drain",
    kind: duration({ min: 0 }),
    default: "10s",
    meaning:
      "time for the connections to end after SIGTERM or SIGINT; a second signal ends all at once",
  }),
} as const;

type Common = FlagTable & Pick<typeof proxyFlags, "debug" | "logLevel" | "metrics">;

/** As `readProxyConfig`, for a gateway and an agent. */
export function readTunnelFlags<T extends Common>(
  table: T,
  flags: FlagValues,
  env: Environment,
): Omit<ConfigOf<T>, "debug"> & { metricsGiven: boolean } {
  const config = readFlags(table, flags, env);
  const { debug, logLevel, ...rest } = config as ConfigOf<Common>;
  return {
    ...rest as Omit<ConfigOf<T>, "debug">,
    logLevel: debug ? debugLevel(logLevel, flags, env) : logLevel,
    metricsGiven: isGiven(table.metrics, flags, env),
  };
}
