import { messageOf } from "./error.ts";

/** Why TLS failed, as far as Deno's and Node's errors tell it. */
export type TlsFault =
  /** The certificate is for other names. */
  | "name"
  /** It is signed by nobody who is trusted. */
  | "issuer"
  /** It is not valid any more, or not yet. */
  | "expired"
  /** RFC 7301: the server speaks none of what was offered. */
  | "alpn"
  /** The server wants a certificate of ours. */
  | "wanted"
  /** What answered there was no TLS. */
  | "plain"
  | "other";

const BY_CODE: Readonly<Record<string, TlsFault>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: "name",
  UNABLE_TO_GET_ISSUER_CERT: "issuer",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "issuer",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "issuer",
  SELF_SIGNED_CERT_IN_CHAIN: "issuer",
  DEPTH_ZERO_SELF_SIGNED_CERT: "issuer",
  CERT_HAS_EXPIRED: "expired",
  CERT_NOT_YET_VALID: "expired",
  ERR_SSL_WRONG_VERSION_NUMBER: "plain",
};

const BY_TEXT: readonly (readonly [RegExp, TlsFault])[] = [
  [/NotValidForName|not valid for (any )?name|altnames/i, "name"],
  [/UnknownIssuer|unknown issuer|self.signed|CaUsedAsEndEntity/i, "issuer"],
  [/expired|NotValidYet|not (yet )?valid (yet|until)/i, "expired"],
  [/no.?application.?protocol|doesn't support any known protocol/i, "alpn"],
  [/certificate.?required/i, "wanted"],
];

/** Which fault an error of `dial` or `connectQuic` tells of. */
export function tlsFaultOf(error: unknown): TlsFault {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && code in BY_CODE) return BY_CODE[code];
    const found = BY_TEXT.find(([pattern]) => pattern.test(messageOf(at)));
    if (found !== undefined) return found[1];
  }
  return "other";
}
