import { createHash, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { namesOf } from "./tls_certificates.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * SHA-256 of the certificates among `pems` that have signed themselves, for that very host, and are
 * valid now. Who trusts such a one means the server that shows it: but a chain that ends where it
 * begins is none to Deno, if it says of itself that it is a CA, as those of `openssl req -x509` do.
 */
export function selfSignedFor(host: string, pems: readonly string[]): Uint8Array[] {
  return pems.flatMap((pem) => pem.match(CERTIFICATE) ?? []).flatMap((block) => {
    const certificate = read(block);
    const isIt = certificate !== null && certificate.issuer === certificate.subject &&
      isFor(certificate, host) && isValid(certificate, Date.now());
    return isIt ? [Uint8Array.from(createHash("sha256").update(certificate.raw).digest())] : [];
  });
}

function read(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}

/** Deno's `checkHost` knows no wildcards, and no case. */
function isFor(certificate: X509Certificate, host: string): boolean {
  if (isIP(host) !== 0) return certificate.checkIP(host) !== undefined;
  const names = namesOf(certificate.toString());
  const name = host.toLowerCase();
  // RFC 6125 §6.4.3: a wildcard stands for the whole left-most label, and for one label only.
  return names.includes(name) || names.includes(name.replace(/^[^.]+/, "*"));
}

function isValid({ validFrom, validTo }: X509Certificate, nowMs: number): boolean {
  return Date.parse(validFrom) <= nowMs && nowMs <= Date.parse(validTo);
}
