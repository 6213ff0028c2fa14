import { parseCidrs } from "../config/cidr.ts";
import type { CmuxConfig, FileConfig } from "../config/file.ts";
import type { ProxyConfig } from "../config/proxy.ts";
import { messageOf } from "../net/error.ts";
import type { Log } from "../observe/log.ts";
import { CMUX_DEFAULTS, type CmuxOptions, loopbackAdvice } from "../proxy/cmux.ts";
import { filePorts } from "../proxy/cmux_file.ts";
import type { PortLookup } from "../proxy/cmux_ports.ts";

/** A client names ports of this machine: only those who are on it, or near it, may. */
const CLIENTS = parseCidrs("loopback, private");

/** `--cmux` says whether, the section `cmux` of a file how; `null` where the mode is off. */
export function cmuxOptions(
  config: ProxyConfig,
  { file, log }: { file: FileConfig | null; log: Log },
): CmuxOptions | null {
  if (!config.cmux) return null;
  const { portTable = null, mapFile = null, ttlMs = null, enabled: _, ...given }: Partial<
    CmuxConfig
  > = file?.cmux ?? {};
  const portLookup: PortLookup | null = mapFile === null ? portTable : filePorts(mapFile, {
    ...(ttlMs !== null && { ttlMs }),
    onFailed: (path, error) => log.warning("cmux.map", { file: path, message: messageOf(error) }),
  });
  const advice = loopbackAdvice(Deno.build.os);
  if (advice !== null) log.warning("cmux.loopback", { message: advice });
  return {
    ...CMUX_DEFAULTS,
    clients: CLIENTS,
    // Beside routes, what asks for no port is theirs.
    required: !file?.hasRoutes,
    ...given,
    portLookup,
  };
}
