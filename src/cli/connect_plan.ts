import type { Environment } from "../config/flags.ts";
import type { ClientCertificate } from "../net/dial.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { ConnectConfig } from "./connect_flags.ts";
import { splitUser } from "./connect_kinds.ts";
import type { Plan } from "./connect_open.ts";
import { proxyFromEnvironment } from "./connect_proxy.ts";
import { readCa, readCertPair } from "./files.ts";

/** What the flags say of the way. Throws `CommandError` for a file that can't be read. */
export async function planOf(
  config: ConnectConfig,
  http: Plan["http"],
  env: Environment,
): Promise<Plan> {
  const { url, authorization } = splitUser(config.url!);
  const { subprotocols, host, caFile, noCheck, proxy, redirects, timeoutMs } = config;
  return {
    ...{ url, http, timeoutMs },
    protocols: subprotocols,
    headers: headersOf(config, authorization),
    host: host ?? undefined,
    caCerts: caFile === null ? undefined : [await readCa(caFile, "--ca")],
    insecure: noCheck,
    clientCertificate: await clientCertificate(config),
    followsRedirects: redirects,
    proxyFor: (to) => proxy === "off" ? null : proxy ?? proxyFromEnvironment(to, env),
  };
}

function headersOf({ headers, origin, auth }: ConnectConfig, ofUrl: string | null): Field[] {
  const authorization = auth ?? ofUrl;
  return [
    ...(origin === null ? [] : [["origin", origin]] as const),
    ...(authorization === null ? [] : [["authorization", authorization]] as const),
    ...headers,
  ];
}

async function clientCertificate(config: ConnectConfig): Promise<ClientCertificate | undefined> {
  const { certFile, keyFile, passphrase } = config;
  if (certFile === null || keyFile === null) return undefined;
  const pair = await readCertPair({ certFile, keyFile });
  return { ...pair, ...(passphrase !== "" && { passphrase }) };
}
