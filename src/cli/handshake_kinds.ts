import { Buffer } from "node:buffer";
import { ValueError } from "../config/error.ts";
import { type Kind, many } from "../config/kinds.ts";
import { isAuthority } from "../protocol/wire/authority.ts";
import { type Field, isFieldValue, isToken } from "../protocol/wire/field.ts";

const TOKEN_ALLOWED = "a name of letters, digits and !#$%&'*+-.^_`|~ (chat, mqtt)";

const subprotocol: Kind<string> = {
  placeholder: "name",
  allowed: TOKEN_ALLOWED,
  takesEmpty: false,
  parse(text) {
    if (isToken(text)) return text;
    throw new ValueError("is not a subprotocol", TOKEN_ALLOWED);
  },
};

/** Subprotocols to offer. RFC 6455 §4.1: all of them are unique. */
export const subprotocols: Kind<readonly string[]> = {
  ...many(subprotocol),
  parse(text) {
    const names = many(subprotocol).parse(text);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice === undefined) return names;
    throw new ValueError("is offered twice", "each of them once", twice);
  },
};

const HEADER_ALLOWED = "a name, a colon and a value (Cookie: a=b)";
const BY_CLIENT = "the client sets it";
const NO_CONTENT = "there is no content";

/** RFC 6455 §4.1, RFC 9113 §8.2.2: what the handshake and the connection say themselves. */
const SET_BY: ReadonlyMap<string, string> = new Map([
  ["host", "--host sets it"],
  ["origin", "--origin sets it"],
  ["sec-websocket-protocol", "--subprotocol sets it"],
  ["sec-websocket-extensions", BY_CLIENT],
  ["sec-websocket-key", BY_CLIENT],
  ["sec-websocket-version", BY_CLIENT],
  ["sec-websocket-accept", "it is the server's"],
  ["connection", BY_CLIENT],
  ["keep-alive", BY_CLIENT],
  ["upgrade", BY_CLIENT],
  ["te", BY_CLIENT],
  ["content-length", NO_CONTENT],
  ["transfer-encoding", NO_CONTENT],
]);

/** A header field of the request, but none that it has by itself or by another flag. */
export const header: Kind<Field> = {
  placeholder: "name:value",
  allowed: HEADER_ALLOWED,
  takesEmpty: false,
  parse(line) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    if (!isToken(name) || !isFieldValue(value)) {
      throw new ValueError("is not a header field", HEADER_ALLOWED);
    }
    const setBy = SET_BY.get(name);
    if (setBy !== undefined) throw new ValueError("can't be given", `other fields; ${setBy}`);
    return [name, value];
  },
};

const ORIGIN_ALLOWED = "scheme://host or scheme://host:port (https://a.example), or null";

/** The value of Origin, or none. RFC 6454 §7: scheme, host and port alone. */
export const optionalOrigin: Kind<string | null> = {
  placeholder: "origin",
  allowed: ORIGIN_ALLOWED,
  takesEmpty: true,
  parse(text) {
    if (text === "") return null;
    if (text === "null") return text;
    const parsed = URL.parse(text);
    if (parsed === null || !/^[a-z][a-z0-9+.-]*:\/\/[^/?#@]*\/?$/i.test(text)) {
      throw new ValueError("is not an origin", ORIGIN_ALLOWED);
    }
    // Of a scheme that is not the web's (chrome-extension:) it has none.
    return parsed.origin === "null" ? `${parsed.protocol}//${parsed.host}` : parsed.origin;
  },
};

const HOST_ALLOWED = "host or host:port";

/** A host that is asked for, or none. */
export const optionalHost: Kind<string | null> = {
  placeholder: "host",
  allowed: HOST_ALLOWED,
  takesEmpty: false,
  parse(value) {
    if (value === "") return null;
    if (isAuthority(value)) return value;
    throw new ValueError("is not a host", HOST_ALLOWED);
  },
};

const AUTH_ALLOWED = "user:password";

/** RFC 7617: what Authorization says for `user:password`; `null` for none. */
export const basicAuth: Kind<string | null> = {
  placeholder: "user:password",
  allowed: AUTH_ALLOWED,
  takesEmpty: false,
  parse(value) {
    if (value === "") return null;
    if (/^[^:\p{Cc}]*:\P{Cc}*$/u.test(value)) return basic(value);
    throw new ValueError("is not a user and a password", AUTH_ALLOWED);
  },
};

/** RFC 7617 §2. */
export function basic(userAndPassword: string): string {
  return `Basic ${Buffer.from(userAndPassword).toString("base64")}`;
}

/** Of a URL that names a user: what Authorization says, and the URL without. */
export function splitUser(href: string): { url: string; authorization: string | null } {
  const parsed = new URL(href);
  const { username, password } = parsed;
  if (username === "" && password === "") return { url: href, authorization: null };
  parsed.username = parsed.password = "";
  const user = `${decoded(username)}:${decoded(password)}`;
  return { url: parsed.href, authorization: basic(user) };
}

/** What is no percent-encoding stands for itself. */
function decoded(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (bytes) => {
    try {
      return decodeURIComponent(bytes);
    } catch {
      return bytes;
    }
  });
}

/** Any text. */
export const text: Kind<string> = {
  placeholder: "text",
  allowed: "any text",
  takesEmpty: true,
  parse: (value) => value,
};
