import { formatAddress } from "../net/address.ts";
import type { ProxyConfig } from "../config/proxy.ts";
import type { Fields } from "../observe/log.ts";
import type { CmuxOptions } from "../proxy/cmux.ts";
import type { Proxy } from "../proxy/options.ts";
import type { Loaded } from "./configured.ts";
import { VERSION } from "./version.ts";

/** What a start came to. */
export interface Started {
  readonly proxy: Pick<Proxy, "hostname" | "port" | "plainPort">;
  readonly loaded: Pick<Loaded, "routes">;
  readonly cmux: Pick<CmuxOptions, "required"> | null;
  /** Where the metrics are; `null` when they are off. */
  readonly metrics: string | null;
}

/** The fields of `proxy.listening`. */
export function startFields(config: ProxyConfig, started: Started): Fields {
  const { proxy, metrics } = started;
  const { plainListen, tcp } = config;
  return {
    version: VERSION,
    listen: formatAddress(proxy),
    ...(proxy.plainPort !== null && plainListen !== null && {
      plainListen: formatAddress({ ...plainListen, port: proxy.plainPort }),
    }),
    tcp,
    ...waysFields(config, started),
    metrics,
  };
}

/** Where requests go. A backend that is never asked is not named. */
export function waysFields(
  { configFile, backend }: Pick<ProxyConfig, "configFile" | "backend">,
  { loaded: { routes }, cmux }: Pick<Started, "loaded" | "cmux">,
): Fields {
  return {
    ...(configFile !== null && { config: configFile }),
    ...(cmux !== null && { cmux: true }),
    ...(routes !== null && { routes: inForce(routes) }),
    ...(routes === null && !cmux?.required && { backend: backend.url }),
  };
}

/** How many of them take requests. */
export function inForce(routes: readonly { readonly enabled: boolean }[]): number {
  return routes.filter(({ enabled }) => enabled).length;
}
