import type { Route } from "../proxy/route.ts";
import type { FileConfig, RouteConfig } from "./file.ts";
import type { ProxyConfig } from "./proxy.ts";
import { type BackendConfig, backendTarget } from "./proxy_options.ts";

/** What holds for a route that says nothing else. */
export type RouteBase =
  & Pick<
    ProxyConfig,
    | "backend"
    | "backendCaFile"
    | "backendInsecure"
    | "backendProxyProtocol"
    | "maxHeaderBytes"
    | "upgrades"
  >
  & Pick<BackendConfig, "agentDialer">;

/** The certificates in each file that `caFilesOf` names. */
export type CaCerts = ReadonlyMap<string, string[]>;

/** The files with certificates that the routes' backends may be signed by. */
export function caFilesOf({ routes }: Pick<FileConfig, "routes">, base: RouteBase): string[] {
  const files = routes.map(({ backendCaFile }) => backendCaFile ?? base.backendCaFile);
  return [...new Set(files.filter((file) => file !== null))];
}

/** A file's routes with backends that can be dialled. */
export function routesOf(
  { routes }: Pick<FileConfig, "routes">,
  base: RouteBase,
  caCerts: CaCerts,
): Route[] {
  return routes.map((route) => routeOf(route, base, caCerts));
}

function routeOf(config: RouteConfig, base: RouteBase, caCerts: CaCerts): Route {
  const { backends, backendCaFile, backendInsecure, backendProxyProtocol, upgrades, ...route } =
    config;
  const caFile = backendCaFile ?? base.backendCaFile;
  const trusted = caFile === null ? undefined : caCerts.get(caFile);
  return {
    ...route,
    upgrades: upgrades ?? base.upgrades,
    backends: (backends.length === 0 ? [base.backend] : backends).map((backend) => ({
      ...backendTarget({
        backend,
        backendInsecure: backendInsecure ?? base.backendInsecure,
        backendProxyProtocol: backendProxyProtocol === undefined
          ? base.backendProxyProtocol
          : backendProxyProtocol,
        ...{ maxHeaderBytes: base.maxHeaderBytes, agentDialer: base.agentDialer },
      }, trusted),
      host: route.keepHost ? null : backend.authority,
    })),
  };
}
