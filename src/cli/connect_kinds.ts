import { Buffer } from "node:buffer";
import { type Address, formatAddress, parseAddress } from "../net/address.ts";
import { ValueError } from "../config/error.ts";
import type { Kind } from "../config/kinds.ts";
import { parseCount, parseDuration } from "../config/units.ts";
import type { HttpProxy } from "../net/http_proxy.ts";
import { isAuthority } from "../protocol/wire/authority.ts";
import { type Field, isFieldValue, isToken } from "../protocol/wire/field.ts";
import { url } from "./url_kind.ts";

/** The URL of a WebSocket, or none. */
export const optionalUrl: Kind<string | null> = {
  ...url,
  parse: (text) => text === "" ? null : url.parse(text),
};

const SECONDS_ALLOWED = "seconds (10, 0.5) or a duration (500ms, 1m30s)";

/** A duration in milliseconds; a bare number is seconds, as wscat and websocat have them. */
export const seconds: Kind<number> = {
  placeholder: "time",
  allowed: SECONDS_ALLOWED,
  takesEmpty: false,
  parse(text) {
    const ms = /^\d+(?:\.\d+)?$/.test(text) ? Math.round(Number(text) * 1000) : parseDuration(text);
    if (ms !== undefined && ms <= 2 ** 31 - 1) return ms;
    throw new ValueError("is not a time", SECONDS_ALLOWED);
  },
};

const WAIT_ALLOWED = `${SECONDS_ALLOWED}; -1 for ever`;

/** As `seconds`, and -1 for ever; `null` where none was said. */
export const optionalWait: Kind<number | null> = {
  ...seconds,
  allowed: WAIT_ALLOWED,
  parse(text) {
    if (text === "") return null;
    if (text === "-1") return Infinity;
    try {
      return seconds.parse(text);
    } catch {
      throw new ValueError("is not a time", WAIT_ALLOWED);
    }
  },
};

/** Any text. */
export const text: Kind<string> = {
  placeholder: "text",
  allowed: "any text",
  takesEmpty: true,
  parse: (value) => value,
};

const TOKEN_ALLOWED = "a name of letters, digits and !#$%&'*+-.^_`|~ (chat, mqtt)";

/** A subprotocol. */
export const subprotocol: Kind<string> = {
  placeholder: "name",
  allowed: TOKEN_ALLOWED,
  takesEmpty: false,
  parse(value) {
    if (isToken(value)) return value;
    throw new ValueError("is not a subprotocol", TOKEN_ALLOWED);
  },
};

const HEADER_ALLOWED = "a name, a colon and a value (Cookie: a=b)";

/** What the handshake sets itself, and what says it instead. */
const SET_BY: Readonly<Record<string, string>> = {
  host: "--host sets it",
  origin: "--origin sets it",
  "sec-websocket-protocol": "--subprotocol sets it",
  "sec-websocket-extensions": "the client sets it",
  "sec-websocket-key": "the client sets it",
  "sec-websocket-version": "the client sets it",
  connection: "the client sets it",
  "keep-alive": "the client sets it",
  upgrade: "the client sets it",
  "content-length": "there is no content",
  "transfer-encoding": "there is no content",
};

/** A header field. */
export const header: Kind<Field> = {
  placeholder: "name:value",
  allowed: HEADER_ALLOWED,
  takesEmpty: false,
  parse(line) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    if (!isToken(name) || !isFieldValue(value)) {
      throw new ValueError("is not a header field", HEADER_ALLOWED);
    }
    if (name in SET_BY) throw new ValueError("can't be given", `other fields; ${SET_BY[name]}`);
    return [name, value];
  },
};

const ORIGIN_ALLOWED = "what a browser would send (https://a.example), or null";

/** The value of Origin, or none. */
export const optionalOrigin: Kind<string | null> = {
  placeholder: "origin",
  allowed: ORIGIN_ALLOWED,
  takesEmpty: false,
  parse(value) {
    if (value === "") return null;
    if (isFieldValue(value) && !value.includes(" ")) return value;
    throw new ValueError("is not an origin", ORIGIN_ALLOWED);
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
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { url: parsed.href, authorization: basic(user) };
}

const PROXY_ALLOWED = "http://host:port or http://user:password@host:port, or off for none";

/** An HTTP proxy; "off" for none, whatever the environment says; `null` for what that says. */
export const httpProxy: Kind<HttpProxy | "off" | null> = {
  placeholder: "url",
  words: ["off"],
  allowed: PROXY_ALLOWED,
  takesEmpty: false,
  parse(value) {
    if (value === "") return null;
    return value.toLowerCase() === "off" ? "off" : parseProxy(value);
  },
};

const PROXY_PORT = 80;

/** Throws `ValueError`. */
export function parseProxy(value: string): HttpProxy {
  const parsed = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`);
  if (parsed === null || parsed.protocol !== "http:" || parsed.pathname !== "/") {
    throw new ValueError("is not an HTTP proxy", PROXY_ALLOWED);
  }
  const { authorization } = splitUser(parsed.href);
  return {
    hostname: parsed.hostname.replace(/^\[|\]$/g, ""),
    port: parsed.port === "" ? PROXY_PORT : Number(parsed.port),
    ...(authorization !== null && { authorization }),
  };
}

const LISTEN_ALLOWED = "a port of 127.0.0.1, or host:port, or :port for every interface";

/** Where to listen: a bare port is one of this machine's own. */
export const optionalListen: Kind<Address | null> = {
  placeholder: "port",
  allowed: LISTEN_ALLOWED,
  takesEmpty: false,
  parse(value) {
    if (value === "") return null;
    const port = parseCount(value);
    const address = parseAddress(
      port === undefined ? value : formatAddress({ hostname: "127.0.0.1", port }),
    );
    if (address === undefined) throw new ValueError("is not where to listen", LISTEN_ALLOWED);
    return address;
  },
};
