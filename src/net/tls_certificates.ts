import { X509Certificate } from "node:crypto";
import * as tls from "node:tls";
import { messageOf, NetError } from "./error.ts";

/** A certificate with the chain behind it, and its private key; both PEM. */
export interface CertificatePair {
  /** The chain in PEM, the server's own first. */
  readonly certPem: string;
  /** Its private key in PEM. */
  readonly keyPem: string;
}

interface Named {
  readonly names: readonly string[];
  readonly options: tls.SecureContextOptions;
  readonly context: tls.SecureContext;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a server; SNI says which one a client gets. */
export class ServerCertificates {
  readonly #first: tls.SecureContextOptions;
  readonly #default: tls.SecureContext;
  readonly #byName = new Map<string, tls.SecureContext>();
  readonly #isOne: boolean;

  /**
   * @param pairs the first is for those whose name no other has; of two with a name, the first has it
   * @param clientCaPem whose certificates clients must have; `null` where they need none
   * @throws {NetError} "tls", if one of them can't be used
   */
  constructor(pairs: readonly CertificatePair[], clientCaPem: string | null) {
    if (pairs.length === 0) throw new NetError("tls", "No certificates found");
    if (clientCaPem !== null) checkCa(clientCaPem);
    const all = pairs.map((pair) => read(pair, clientCaPem));
    this.#isOne = all.length === 1;
    this.#first = all[0].options;
    this.#default = all[0].context;
    for (const { names, context } of all) {
      for (const name of names) if (!this.#byName.has(name)) this.#byName.set(name, context);
    }
  }

  /** What node:tls is told of them. To choose costs 10 KiB for each connection: one is just given. */
  get options(): tls.TlsOptions {
    if (this.#isOne) return this.#first;
    return {
      ...this.#first,
      SNICallback: (name, done) => done(null, this.choose(name)),
    };
  }

  /** The one for a server name: exact, or else by a wildcard, or else the first. */
  choose(serverName: string): tls.SecureContext {
    const name = serverName.toLowerCase();
    // RFC 6125 §6.4.3: a wildcard stands for the whole left-most label, and for one label only.
    const wildcard = name.replace(/^[^.]+/, "*");
    return this.#byName.get(name) ?? this.#byName.get(wildcard) ?? this.#default;
  }
}

function read({ certPem, keyPem }: CertificatePair, clientCaPem: string | null): Named {
  tryPair(certPem, keyPem);
  try {
    const options: tls.SecureContextOptions = {
      cert: certPem,
      key: keyPem,
      minVersion: "TLSv1.2",
      ...(clientCaPem !== null && { ca: clientCaPem }),
    };
    return { options, context: tls.createSecureContext(options), names: namesOf(certPem) };
  } catch (error) {
    throw new NetError("tls", messageOf(error), error);
  }
}

/**
 * node:tls takes any pair, and then every handshake fails. Deno's own listener looks at it, as its
 * QUIC does and in the same words, so one is opened for a moment, where nobody comes by.
 */
function tryPair(cert: string, key: string): void {
  try {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }).close();
  } catch (error) {
    throw new NetError("tls", messageOf(error), error);
  }
}

/** The certificates in PEM, each by itself; none where there is none. */
export function splitCertificates(pem: string): readonly string[] {
  return pem.match(CERTIFICATE) ?? [];
}

/** node:tls takes anything, and then trusts nobody. */
function checkCa(pem: string): void {
  const blocks = splitCertificates(pem);
  if (blocks.length === 0) throw new NetError("tls", "No certificates found in client CA data");
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch (error) {
    throw new NetError("tls", `Invalid certificate in client CA data`, error);
  }
}

/** RFC 6125 §6.4.4: the names stand in subjectAltName. In lower case. */
export function namesOf(certPem: string): string[] {
  const { subjectAltName } = new X509Certificate(certPem);
  return (subjectAltName ?? "").split(", ")
    .filter((name) => name.startsWith("DNS:"))
    .map((name) => name.slice("DNS:".length).toLowerCase());
}

/** The subject of a client's certificate, RFC 4514, with all that is not ASCII escaped. */
export function subjectText(subject: Record<string, string | string[] | undefined>): string {
  // RFC 4514 §2.1: the last comes first.
  return Object.entries(subject).reverse().flatMap(([name, values = []]) =>
    [values].flat().reverse().map((value) => `${name}=${escapeValue(value)}`)
  ).join(",");
}

// RFC 4514 §2.4
function escapeValue(value: string): string {
  return value
    .replace(/[\\"+,;<>]|^[ #]| $/g, "\\$&")
    .replace(/[^\x20-\x7e]/gu, (c) => {
      const bytes = new TextEncoder().encode(c);
      return Array.from(bytes, (byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
    });
}
