// RFC 9110 §11.7, RFC 7617: whom a proxy serves.
import { decodeBase64, encodeBase64 } from "../wire/base64.ts";
import type { Credentials } from "../wire/credentials.ts";
import { type Field, getFields } from "../wire/field.ts";
import { decodeUtf8 } from "../wire/utf8.ts";
import type { ResponseHeadInit } from "./encode.ts";

const PROXY_AUTHENTICATION_REQUIRED = 407;

// RFC 9110 §11.1, §11.4: credentials = auth-scheme 1*SP token68; the scheme is case-insensitive.
const BASIC = /^basic +([A-Za-z0-9+/]+={0,2})$/i;
// RFC 7617 §2: neither user-id nor password has control characters.
const CONTROL = /\p{Cc}/u;

/**
 * What Proxy-Authorization says by the scheme Basic; `null` where it says nothing, something else
 * or nothing certain. All of that is answered with `authenticationRequired`.
 */
export function proxyCredentials(fields: readonly Field[]): Credentials | null {
  const values = getFields(fields, "proxy-authorization");
  // RFC 9110 §5.3: it is no list, so that two of them are one too many.
  return values.length === 1 ? readBasic(values[0]) : null;
}

/** Takes `Basic ...` apart, RFC 7617 §2; `null` for anything else. */
export function readBasic(value: string): Credentials | null {
  const match = BASIC.exec(value);
  const bytes = match === null ? null : decodeBase64(match[1]);
  const text = bytes === null ? null : decodeUtf8(bytes);
  if (text === null || CONTROL.test(text)) return null;
  // RFC 7617 §2: the user-id has no colon: the first one ends it.
  const colon = text.indexOf(":");
  return colon < 0 ? null : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/**
 * What Authorization or Proxy-Authorization say for these credentials, in UTF-8.
 *
 * @throws {RangeError} for what RFC 7617 §2 can't say: a user-id with a colon, control characters
 */
export function encodeBasic({ username, password }: Credentials): string {
  if (username.includes(":")) throw new RangeError("A user name with a colon");
  if (CONTROL.test(username) || CONTROL.test(password)) {
    throw new RangeError("A user name or a password with a control character");
  }
  return `Basic ${encodeBase64(new TextEncoder().encode(`${username}:${password}`))}`;
}

/**
 * The answer to whoever is not known. RFC 9110 §15.5.8: a 407 MUST have Proxy-Authenticate.
 * RFC 7617 §2.1: in UTF-8, which is all that the charset can say.
 *
 * @param realm what a browser shows its user: printable ASCII
 */
export function authenticationRequired(realm: string): ResponseHeadInit {
  // RFC 9110 §5.6.4: quoted-pair.
  const quoted = realm.replace(/["\\]/g, "\\$&");
  return {
    status: PROXY_AUTHENTICATION_REQUIRED,
    fields: [
      ["proxy-authenticate", `Basic realm="${quoted}", charset="UTF-8"`],
      ["content-length", "0"],
    ],
  };
}
