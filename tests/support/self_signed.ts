import "../../src/cli/reflect_metadata.ts";
import {
  BasicConstraintsExtension,
  type JsonGeneralName,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;

export interface SelfSignedOptions {
  names?: readonly JsonGeneralName[];
  /** As `openssl req -x509` has it; default `true`. */
  ca?: boolean;
  /** From and to, in days from now. */
  days?: readonly [number, number];
}

/** A certificate that signed itself, and its key; both PEM. */
export async function makeSelfSigned(
  { names = [{ type: "dns", value: "localhost" }], ca = true, days = [-1, 365] }:
    SelfSignedOptions = {},
): Promise<{ certPem: string; keyPem: string }> {
  const keys: CryptoKeyPair = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: [{ CN: ["a gateway"] }],
    notBefore: new Date(Date.now() + days[0] * DAY_MS),
    notAfter: new Date(Date.now() + days[1] * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(ca, undefined, true),
      ...(names.length > 0 ? [new SubjectAlternativeNameExtension([...names])] : []),
    ],
  });
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { certPem: certificate.toString("pem"), keyPem: PemConverter.encode(key, "PRIVATE KEY") };
}
