import { NetError } from "./error.ts";

/** What was wrong with a TLS handshake, as far as that can be told. */
export type TlsFault =
  /** Nobody who is trusted signed the certificate. */
  | "issuer"
  /** The certificate is for other names. */
  | "name"
  | "expired"
  /** The server wants a certificate of the client, or another one. */
  | "client"
  /** What answers speaks no TLS. */
  | "none";

// Of node:tls, OpenSSL and rustls, whose codes say less than their texts.
const TEXTS: readonly (readonly [RegExp, TlsFault])[] = [
  [
    /unknown ?issuer|unable to verify|self-signed|unable to get (?:local )?issuer|UnknownCA/i,
    "issuer",
  ],
  [/altnames|not valid for (?:any )?name|IP: .* is not in|ERR_TLS_CERT_ALTNAME/i, "name"],
  [/expired/i, "expired"],
  [
    /CertificateRequired|certificate required|alert: (?:BadCertificate|UnknownCA|HandshakeFailure)/i,
    "client",
  ],
  [/wrong version number|InvalidContentType|corrupt message/i, "none"],
];

/** Tells by the texts of node:tls and of Deno's QUIC; `null` for what is none of these. */
export function tlsFaultOf(error: NetError): TlsFault | null {
  // An alert is the server's word about us.
  const alert = /^received fatal alert: /.test(error.message);
  const found = TEXTS.find(([text, fault]) =>
    (!alert || fault === "client") && text.test(error.message)
  );
  return found?.[1] ?? null;
}
