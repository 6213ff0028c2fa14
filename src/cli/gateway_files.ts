import type { CertFiles } from "../config/file.ts";
import type { GatewayConfig } from "../config/gateway.ts";
import type { CertificatePair } from "../net/tls_certificates.ts";
import type { Log } from "../observe/log.ts";
import type { GatewayServer } from "../tunnel/gateway_server.ts";
import type { User } from "../tunnel/users.ts";
import type { Watched } from "./file_watches.ts";
import { readText } from "./files.ts";
import type { GatewayUsers } from "./gateway_users.ts";
import { certificatesProblem } from "./pem.ts";
import { type TunnelConfigured, watchConfig } from "./tunnel_configured.ts";
import type { CaFile } from "./watches.ts";

/** A file of users, and what it held. */
export interface UsersFile {
  readonly file: string;
  readonly text: string;
  readonly users: readonly User[];
}

/** What a gateway runs with that stands in files. */
export interface GatewayFiles {
  /** `null` where a certificate is made. */
  readonly pair: (CertFiles & CertificatePair) | null;
  readonly clientCa: CaFile | null;
  readonly users: UsersFile | null;
}

/** Throws `ConfigFileError`, or `CommandError` if it can't be read. */
export async function readUsers(file: string): Promise<UsersFile> {
  const text = await readText(file);
  const { parseUsers } = await import("../config/users_file.ts");
  return { file, text, users: parseUsers(text, { file }) };
}

interface Using {
  files: GatewayFiles;
  users: GatewayUsers;
  server: GatewayServer;
  log: Log;
}

/** What is read again when it changes, and on SIGHUP. */
export async function watchedFiles(
  { config, file }: TunnelConfigured<GatewayConfig>,
  using: Using,
): Promise<Watched[]> {
  const { pair, clientCa, users } = using.files;
  return [
    ...(pair === null ? [] : [watchPair(pair, using)]),
    ...(clientCa === null ? [] : [watchClientCa(clientCa, using)]),
    ...(users === null ? [] : [await watchUsers(users, using)]),
    ...(file === null ? [] : [
      watchConfig(file, {
        uses: ["user", "client-user"],
        use: (next) => useUsers(config, next, using),
        log: using.log,
      }),
    ]),
  ];
}

function watchPair(
  { certFile, keyFile, certPem, keyPem }: CertFiles & CertificatePair,
  { server, log }: Using,
): Watched {
  return {
    files: [certFile, keyFile],
    subject: `${certFile} with ${keyFile}`,
    old: "the old pair",
    current: [certPem, keyPem],
    onChange: ([cert, key]) => server.reload(cert, key),
    onReloaded: () => log.info("cert.reloaded", { cert: certFile, key: keyFile }),
    onError: (message) => log.warning("cert.error", { message }),
  };
}

function watchClientCa({ file, pem }: CaFile, { server, log }: Using): Watched {
  return {
    files: [file],
    subject: `${file} for --client-ca`,
    old: "the old one",
    current: [pem],
    onChange: ([text]) => {
      const problem = certificatesProblem(text);
      if (problem !== null) throw new Error(problem);
      server.reloadClientCa(text);
    },
    onReloaded: () => log.info("ca.reloaded", { flag: "client-ca", file }),
    onError: (message) => log.warning("ca.error", { message }),
  };
}

async function watchUsers(
  { file, text }: UsersFile,
  { users, server, log }: Using,
): Promise<Watched> {
  const { parseUsers } = await import("../config/users_file.ts");
  return {
    files: [file],
    subject: file,
    old: "the old list",
    current: [text],
    onChange: ([now]) => users.replace({ fromFile: parseUsers(now, { file }) }, server.gateway),
    onReloaded: () => log.info("users.reloaded", { file, users: users.count }),
    onError: (message) => log.warning("users.error", { message }),
  };
}

/** Takes the users of another config. Throws where it takes a restart. */
export function useUsers(
  old: GatewayConfig,
  next: GatewayConfig,
  { users, server }: Pick<Using, "users" | "server">,
): void {
  if ((old.clientUser === null) !== (next.clientUser === null)) {
    throw new Error("whether there is a user for clients alone takes a restart");
  }
  const { user, clientUser } = next;
  users.replace({ config: { ...old, user, clientUser } }, server.gateway);
}
