import { messageOf } from "../net/error.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { pathMatches } from "./answers.ts";
import { cmuxUnreachable } from "./cmux.ts";
import { portLookupOf } from "./cmux_cache.ts";
import { CmuxRoutes } from "./cmux_routes.ts";
import type { Proxy, ProxyOptions } from "./options.ts";
import { anyRoute, type Route } from "./route.ts";
import { Routes } from "./routes.ts";

/** The routes that were given, or the one that `backend` and `path` are. */
export function makeRoutes(options: ProxyOptions, sweeper: Sweeper): Routes {
  const { observer, backend, path, upgrades } = options;
  const common = {
    defaults: options,
    sweeper,
    onBackend: (_: Route, { url, up, reason }: { url: string; up: boolean; reason: string }) =>
      observer.backendChanged(url, up, reason),
  };
  if (options.routes !== null) return new Routes({ ...common, routes: options.routes });
  const route = anyRoute("default", backend, upgrades);
  return new Routes({
    ...common,
    routes: [route],
    match: (request) =>
      pathMatches(path, request.path) ? { kind: "route", route, path: request.path } : null,
  });
}

/** Where the ports of workspaces are found; `null` where that is off. */
export function makeCmux(
  options: ProxyOptions,
  { sweeper, proxy }: { sweeper: Sweeper; proxy: Pick<Proxy, "port" | "plainPort"> },
): CmuxRoutes | null {
  const { cmux, listen, plainListen, maxHeaderBytes, observer } = options;
  if (cmux === null) return null;
  // A port that is ours would lead back here.
  const own = () => [
    ...(listen === null ? [] : [{ hostname: listen.hostname, port: proxy.port }]),
    ...(plainListen === null || proxy.plainPort === null
      ? []
      : [{ hostname: plainListen.hostname, port: proxy.plainPort }]),
  ];
  const portLookup = portLookupOf(cmux, {
    sweeper,
    onFailed: ({ name, port }, error) =>
      observer.failed("backend_dial", `Cannot find port ${name}.${port}: ${messageOf(error)}`, ""),
  });
  const listening = () => [...cmux.listening(), ...own()];
  return new CmuxRoutes({ ...cmux, portLookup, listening }, {
    defaults: options,
    sweeper,
    maxHeaderBytes,
    onBackend: () => {},
    unreachable: cmuxUnreachable,
  });
}
