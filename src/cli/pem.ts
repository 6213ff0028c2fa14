import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { splitCertificates } from "../net/tls_certificates.ts";

/** What is wrong with certificates in PEM, one or several, or `null`. Follows their file's name. */
export function certificatesProblem(pem: string): string | null {
  const blocks = splitCertificates(pem);
  if (blocks.length === 0) return "no certificate in PEM is in it";
  const bad = blocks.findIndex((block) => !isCertificate(block));
  if (bad < 0) return null;
  return blocks.length === 1
    ? "the certificate in it can't be read"
    : `of the ${blocks.length} certificates in it number ${bad + 1} can't be read`;
}

/** What is wrong with a private key in PEM, which `passphrase` opens if it is encrypted, or `null`. */
export function keyProblem(pem: string, passphrase = ""): string | null {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) return "no private key in PEM is in it";
  if (isEncrypted(pem)) {
    if (passphrase === "") return "the private key in it is encrypted";
    return readKey(pem, passphrase) === null
      ? "the passphrase does not open the private key in it"
      : null;
  }
  return readKey(pem) === null ? "the private key in it can't be read" : null;
}

/** Whether a private key in PEM needs a passphrase. */
export function isEncrypted(pem: string): boolean {
  return /-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(pem);
}

/** Whether the key is that of the first certificate; both must be right by themselves. */
export function keyFits(certPem: string, keyPem: string, passphrase = ""): boolean {
  const key = readKey(keyPem, passphrase);
  return key !== null && new X509Certificate(certPem).checkPrivateKey(key);
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

function readKey(pem: string, passphrase = ""): KeyObject | null {
  try {
    return createPrivateKey(passphrase === "" ? pem : { key: pem, passphrase });
  } catch {
    return null;
  }
}
