// RFC 1929: user name and password.
import type { Credentials } from "../wire/credentials.ts";
import { decodeUtf8 } from "../wire/utf8.ts";
import { AUTH_FAILURE, AUTH_SUCCESS, AUTH_VERSION, Socks5Error, Socks5Reply } from "./codes.ts";

const MAX_BYTES = 255;
const NAME_AT = 2;

/** The most bytes of user name and password with what is before them. */
export const MAX_AUTH_BYTES = NAME_AT + MAX_BYTES + 1 + MAX_BYTES;

const utf8 = new TextEncoder();

/**
 * How many bytes the request of RFC 1929 §2 has, as far as the first `length` of it tell.
 *
 * @throws {Socks5Error}
 */
export function authSize(bytes: Uint8Array, length: number): number {
  // RFC 1929 §2: "the current version of the subnegotiation, which is X'01'".
  if (length > 0 && bytes[0] !== AUTH_VERSION) {
    throw authFailure(`Unknown version ${bytes[0]} of user name and password`);
  }
  if (length < NAME_AT) return NAME_AT;
  const passwordAt = NAME_AT + bytes[1] + 1;
  return length < passwordAt ? passwordAt : passwordAt + bytes[passwordAt - 1];
}

/**
 * Takes the whole request apart. RFC 1929 §2 has 1 to 255 bytes for each; clients send none for a
 * password that is empty, and whether that is right is for those to say who check it.
 *
 * @throws {Socks5Error} unless both are UTF-8: bytes that are none could make two passwords one
 */
export function readAuth(bytes: Uint8Array): Credentials {
  const nameEnd = NAME_AT + bytes[1];
  const username = decodeUtf8(bytes.subarray(NAME_AT, nameEnd));
  const password = decodeUtf8(bytes.subarray(nameEnd + 1));
  if (username === null || password === null) {
    throw authFailure("User name or password is not UTF-8");
  }
  return { username, password };
}

/**
 * The client's request.
 *
 * @throws {RangeError} if one of them has more than 255 bytes of UTF-8
 */
export function encodeAuth({ username, password }: Credentials): Uint8Array<ArrayBuffer> {
  const name = text("user name", username);
  const secret = text("password", password);
  return Uint8Array.of(AUTH_VERSION, name.length, ...name, secret.length, ...secret);
}

/** The server's answer; RFC 1929 §2: after a failure it MUST close the connection. */
export function encodeAuthStatus(isRight: boolean): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(AUTH_VERSION, isRight ? AUTH_SUCCESS : AUTH_FAILURE);
}

function text(what: string, value: string): Uint8Array {
  const bytes = utf8.encode(value);
  if (bytes.length > MAX_BYTES) {
    throw new RangeError(`A ${what} of ${bytes.length} bytes, above ${MAX_BYTES}`);
  }
  return bytes;
}

function authFailure(message: string): Socks5Error {
  return new Socks5Error(Socks5Reply.NOT_ALLOWED, message, encodeAuthStatus(false));
}
