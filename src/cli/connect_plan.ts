import type { Environment } from "../config/flags.ts";
import type { ConnectConfig } from "./connect_flags.ts";
import type { Plan } from "./connect_open.ts";
import { proxyFromEnvironment } from "./connect_proxy.ts";
import { readCa } from "./files.ts";
import { readClientCertificate, requestTo } from "./handshake_flags.ts";

/** What the flags say of the way. Throws `CommandError` for a file that can't be read. */
export async function planOf(
  config: ConnectConfig,
  http: Plan["http"],
  env: Environment,
): Promise<Plan> {
  const { url, fields } = requestTo(config.url!, config);
  const { subprotocols, host, caFile, noCheck, proxy, redirects, timeoutMs } = config;
  return {
    ...{ url, http, timeoutMs },
    protocols: subprotocols,
    headers: fields,
    host: host ?? undefined,
    caCerts: caFile === null ? undefined : [await readCa(caFile, "--ca")],
    insecure: noCheck,
    clientCertificate: await readClientCertificate(config),
    followsRedirects: redirects,
    proxyFor: (to) => proxy === "off" ? null : proxy ?? proxyFromEnvironment(to, env),
  };
}
