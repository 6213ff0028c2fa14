import "./reflect_metadata.ts";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { isIP } from "node:net";
import type { CertificatePair } from "../net/tls_certificates.ts";

export interface CertificateOptions {
  /** Names and IP addresses that the server is reached by; at least one. */
  hosts: readonly string[];
  /** How long all of them hold, from now on. */
  days: number;
  /** The name of a client that gets a certificate too; none without it. */
  client?: string;
}

export interface Certificates {
  /** What clients trust. Its key is not kept, so that nothing else can ever be signed with it. */
  caPem: string;
  /** The server's certificate, signed by that CA. */
  certPem: string;
  /** The server's private key, PKCS #8. */
  keyPem: string;
  /** Base64 of SHA-256 over the server's public key, as Chromium's flag takes it. */
  spkiHash: string;
  /** The client's, signed by that CA, if one was asked for. */
  client: CertificatePair | null;
  notAfter: Date;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 24 * 3_600_000;
// A client's clock may be behind.
const SKEW_MS = 3_600_000;
const SERIAL_BYTES = 16;

/**
 * Makes a CA and a server's certificate for development, ECDSA on P-256. There are two, since a
 * certificate that is signed by itself and is a CA is refused as a server's (by rustls, for one).
 * @throws {TypeError} if there is no host.
 */
export async function makeCertificates(options: CertificateOptions): Promise<Certificates> {
  const { hosts, days, client } = options;
  if (hosts.length === 0) throw new TypeError("A certificate needs a host");
  const notBefore = new Date(Date.now() - SKEW_MS);
  const notAfter = new Date(Date.now() + days * DAY_MS);
  const caKeys = await generateKeys();
  const ca = await makeCa({ keys: caKeys, notBefore, notAfter });
  const issuer = { ca, signingKey: caKeys.privateKey, notBefore, notAfter };
  const server = await makeLeaf({
    // RFC 6125 §6.4.4: names stand in subjectAltName; the subject is for people.
    name: "h3ws development server",
    usage: ExtendedKeyUsage.serverAuth,
    extensions: [
      new SubjectAlternativeNameExtension(
        hosts.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value }) as const),
      ),
    ],
  }, issuer);
  const { certPem, keyPem, publicKey, notAfter: until } = server;
  return {
    caPem: pem(ca.rawData, "CERTIFICATE"),
    certPem,
    keyPem,
    spkiHash: await spkiHash(publicKey),
    client: client === undefined
      ? null
      : await makeLeaf({ name: client, usage: ExtendedKeyUsage.clientAuth }, issuer),
    notAfter: until,
  };
}

interface Issuer {
  readonly ca: X509Certificate;
  readonly signingKey: CryptoKey;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

interface Leaf {
  readonly name: string;
  readonly usage: ExtendedKeyUsage;
  readonly extensions?: readonly Extension[];
}

/** A certificate with new keys. */
async function makeLeaf(
  { name, usage, extensions = [] }: Leaf,
  { ca, signingKey, notBefore, notAfter }: Issuer,
): Promise<CertificatePair & { publicKey: CryptoKey; notAfter: Date }> {
  const { publicKey, privateKey } = await generateKeys();
  const leaf = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: [{ CN: [name] }],
    issuer: ca.subjectName,
    notBefore,
    notAfter,
    publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage]),
      ...extensions,
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(ca.publicKey),
    ],
  });
  return {
    certPem: pem(leaf.rawData, "CERTIFICATE"),
    keyPem: pem(await crypto.subtle.exportKey("pkcs8", privateKey), "PRIVATE KEY"),
    publicKey,
    // To the second.
    notAfter: leaf.notAfter,
  };
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function makeCa(
  { keys, notBefore, notAfter }: { keys: CryptoKeyPair; notBefore: Date; notAfter: Date },
): Promise<X509Certificate> {
  const serialNumber = randomSerial();
  return await X509CertificateGenerator.createSelfSigned({
    serialNumber,
    // Each CA has a name of its own: a client that trusts several must not take one for another.
    name: [{ CN: [`h3ws development CA ${serialNumber.slice(0, 8)}`] }],
    notBefore,
    notAfter,
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
}

// RFC 5280 §4.1.2.2: a positive integer, of 20 bytes at most.
function randomSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
  bytes[0] = bytes[0] & 0x3f | 0x40;
  return bytes.toHex();
}

function pem(der: BufferSource, label: string): string {
  return `${PemConverter.encode(der, label)}\n`;
}

async function spkiHash(key: CryptoKey): Promise<string> {
  const spki = await crypto.subtle.exportKey("spki", key);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", spki)).toBase64();
}
