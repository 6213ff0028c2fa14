import { X509Certificate } from "node:crypto";
import type { CertFiles } from "../config/file.ts";
import { UsageError } from "../config/error.ts";
import type { GatewayConfig } from "../config/gateway.ts";
import { type Address, formatAddress } from "../net/address.ts";
import { isLoopback } from "../proxy/cmux_host.ts";
import type { Certificates } from "./certificates.ts";
import type { Environment } from "../config/flags.ts";
import { programName } from "./program.ts";

/** Certificates that were made for one run of a gateway, and the hosts that they are for. */
export type MadePair = Certificates & { readonly hosts: readonly string[] };

const DAYS = 14;

/** The files of a certificate, or `null` where one is made. Throws `UsageError` for one alone. */
export function certFilesOf(
  { certFile, keyFile }: Pick<GatewayConfig, "certFile" | "keyFile">,
): CertFiles | null {
  if (certFile !== null && keyFile !== null) return { certFile, keyFile };
  if (certFile === null && keyFile === null) return null;
  const [key, other] = certFile === null ? ["--key", "--cert"] : ["--cert", "--key"];
  const value = certFile ?? keyFile;
  throw new UsageError({ key, value, problem: `has no ${other}`, allowed: "both, or neither" });
}

/** A certificate for this machine by its names, signed by a CA that agents can trust. */
export async function makeGatewayPair({ hostname }: Address): Promise<MadePair> {
  const { makeCertificates } = await import("./certificates.ts");
  const own = isAny(hostname) ? Deno.hostname() : hostname;
  const hosts = [...new Set(["localhost", "127.0.0.1", "::1", own])];
  return { ...await makeCertificates({ hosts, days: DAYS }), hosts };
}

function isAny(hostname: string): boolean {
  return hostname === "0.0.0.0" || hostname === "::";
}

/** How agents come to trust it, and clients to use it. No password is in it. */
export function tellGatewayTrust(
  { hosts, notAfter, certPem }: Pick<MadePair, "hosts" | "notAfter" | "certPem">,
  { config: { listen, socks, anonymous, user }, port, socksPort, folder, env }: {
    config: Pick<GatewayConfig, "listen" | "socks" | "anonymous" | "user">;
    port: number;
    socksPort: number | null;
    /** It holds ca.pem. */
    folder: string;
    env: Environment;
  },
): string {
  const isOwn = !isAny(listen.hostname) && hosts.indexOf(listen.hostname) > 2;
  const gateway = formatAddress({ hostname: isOwn ? listen.hostname : "localhost", port });
  const who = `${user?.name ?? "NAME"}:PASSWORD`;
  const until = notAfter.toISOString().slice(0, 10);
  const program = programName(env);
  const lines = [`  ${program} agent wss://${gateway} --user ${who} --ca ${folder}/ca.pem`];
  if (socks !== null && socksPort !== null) {
    const hostname = isAny(socks.hostname) ? "127.0.0.1" : socks.hostname;
    const at = formatAddress({ hostname, port: socksPort });
    lines.push(`  curl -x socks5h://${anonymous ? "" : `${who}@`}${at} http://a.example/`);
  }
  // Neither ca.pem nor the names of the certificate are of use there.
  const there = formatAddress({ hostname: isOwn ? listen.hostname : "THIS-MACHINE", port });
  const elsewhere = `
On another machine an agent knows the certificate by its SHA-256, whatever the gateway's name is:

  ${program} agent wss://${there} --user ${who} --pin ${sha256Of(certPem)}
`;
  return `
The gateway's certificate is for ${hosts.join(", ")}, until ${until}, and made for this run alone:
${program} certs makes one that stays, --cert and --key name it. Agents can trust its CA:

${lines.join("\n")}
${isLocal(listen.hostname) ? "" : elsewhere}
`;
}

/** Whether no other machine comes there. */
function isLocal(hostname: string): boolean {
  return hostname === "localhost" || isLoopback(hostname);
}

function sha256Of(certPem: string): string {
  return new X509Certificate(certPem).fingerprint256.replaceAll(":", "").toLowerCase();
}
