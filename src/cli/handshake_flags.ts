import { UsageError } from "../config/error.ts";
import { type ConfigOf, plainFlag } from "../config/flags.ts";
import { many, optionalFile } from "../config/kinds.ts";
import type { ClientCertificate } from "../net/dial.ts";
import type { Field } from "../protocol/wire/field.ts";
import { CommandError } from "./command.ts";
import { readCertPair } from "./files.ts";
import * as kinds from "./handshake_kinds.ts";
import { certificatesProblem, isEncrypted, keyFits, keyProblem } from "./pem.ts";

const noFile = { kind: optionalFile, default: "" } as const;

/** What the handshake asks for, by every tool that makes one. */
export const handshakeFlags = {
  subprotocols: plainFlag({
    ...{ name: "subprotocol", short: "s", kind: kinds.subprotocols, default: "" },
    meaning: "a subprotocol to offer; many, most wanted first",
  }),
  headers: plainFlag({
    ...{ name: "header", short: "H", kind: many(kinds.header), default: "" },
    meaning: "a header field of the request; many",
  }),
  origin: plainFlag({
    ...{ name: "origin", short: "o", kind: kinds.optionalOrigin, default: "" },
    meaning: "the Origin of the request: that of the page; a browser always sends one",
  }),
  host: plainFlag({
    ...{ name: "host", kind: kinds.optionalHost, default: "" },
    meaning: "the host that is asked for, instead of the URL's",
  }),
  auth: plainFlag({
    ...{ name: "auth", kind: kinds.basicAuth, default: "" },
    meaning: "user and password for HTTP Basic authentication",
  }),
};

/** Who one comes as. */
export const clientCertificateFlags = {
  certFile: plainFlag({
    ...{ ...noFile, name: "cert" },
    meaning: "the client's certificate in PEM (TCP only: over QUIC there is none)",
  }),
  keyFile: plainFlag({ ...{ ...noFile, name: "key" }, meaning: "its private key" }),
  passphrase: plainFlag({
    ...{ name: "passphrase", kind: kinds.text, default: "" },
    meaning: "of that key",
  }),
};

/** The URL without the user that it may name, and the fields of the request to it. */
export function requestTo(
  url: string,
  { headers, origin, auth }: Pick<ConfigOf<typeof handshakeFlags>, "headers" | "origin" | "auth">,
): { url: string; fields: Field[] } {
  const { url: bare, authorization: ofUrl } = kinds.splitUser(url);
  const authorization = auth ?? ofUrl;
  return {
    url: bare,
    fields: [
      ...(origin === null ? [] : [["origin", origin]] as const),
      ...(authorization === null ? [] : [["authorization", authorization]] as const),
      ...headers,
    ],
  };
}

type CertificateConfig = ConfigOf<typeof clientCertificateFlags>;

/** Throws `UsageError` for one of --cert and --key without the other. */
export function checkClientCertificate(
  { certFile, keyFile }: Pick<CertificateConfig, "certFile" | "keyFile">,
): void {
  if ((certFile === null) === (keyFile === null)) return;
  const [key, missing] = certFile === null ? ["--key", "--cert"] : ["--cert", "--key"];
  throw new UsageError({
    ...{ key, value: null, problem: `needs ${missing}` },
    allowed: "both or neither",
  });
}

/** What the files hold; `undefined` for none. Throws `CommandError` for what can't be used. */
export async function readClientCertificate(
  { certFile, keyFile, passphrase }: CertificateConfig,
): Promise<ClientCertificate | undefined> {
  if (certFile === null || keyFile === null) return undefined;
  const { certPem, keyPem } = await readCertPair({ certFile, keyFile });
  check(`${certFile} for --cert`, certificatesProblem(certPem));
  const keyFault = keyProblem(keyPem, passphrase);
  const isLocked = passphrase === "" && isEncrypted(keyPem);
  check(`${keyFile} for --key`, isLocked ? `${keyFault}; --passphrase opens it` : keyFault);
  const fits = keyFits(certPem, keyPem, passphrase);
  check(`${keyFile} for --key`, fits ? null : `it is not that of the certificate in ${certFile}`);
  return { certPem, keyPem, ...(passphrase !== "" && { passphrase }) };
}

function check(what: string, problem: string | null): void {
  if (problem !== null) throw new CommandError(`Cannot use ${what}: ${problem}`);
}
