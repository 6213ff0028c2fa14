import { encodeBasic } from "../protocol/http1/proxy_authorization.ts";
import type { Credentials } from "../protocol/wire/credentials.ts";
import type { OutboundProxy } from "../net/outbound_proxy.ts";
import { ValueError } from "./error.ts";
import type { Kind } from "./kinds.ts";

const ALLOWED = "http://host:port or socks5://host:port, with user:password@ before the host";

// curl's socks5h says that the proxy looks names up: here it does always.
const KINDS = { "http:": "http", "socks5:": "socks5", "socks5h:": "socks5" } as const;
/** That of SOCKS5 is RFC 1928 §3's. */
const DEFAULT_PORTS = { http: 80, socks5: 1080 } as const;
/** RFC 1929 §2. */
const MAX_BYTES = 255;
const utf8 = new TextEncoder();

/** A proxy that connections go out by, or none. What is wrong with it is told without a password. */
export const outboundProxy: Kind<OutboundProxy | null> = {
  placeholder: "url",
  allowed: ALLOWED,
  takesEmpty: false,
  parse(text) {
    if (text === "") return null;
    const proxy = proxyOf(text);
    if (proxy !== null) return proxy;
    throw new ValueError("is not a proxy", ALLOWED, text.includes("@") ? null : text);
  },
};

function proxyOf(text: string): OutboundProxy | null {
  const url = URL.parse(text);
  if (url === null || !(url.protocol in KINDS) || url.hostname === "") return null;
  if (!/^\/?$/.test(url.pathname) || url.search + url.hash !== "") return null;
  const kind = KINDS[url.protocol as keyof typeof KINDS];
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const at = { hostname, port: url.port === "" ? DEFAULT_PORTS[kind] : Number(url.port) };
  if (at.port === 0) return null;
  if (url.username === "" && url.password === "") return { kind, ...at };
  const credentials = credentialsOf(url);
  if (credentials === null) return null;
  return kind === "http"
    ? { kind, ...at, authorization: encodeBasic(credentials) }
    : { kind, ...at, credentials };
}

/** `null` for such as nobody can say. */
function credentialsOf(url: URL): Credentials | null {
  const username = decoded(url.username);
  const password = decoded(url.password);
  if (!username || password === null || /[\p{Cc}:]/u.test(username)) return null;
  if (/\p{Cc}/u.test(password)) return null;
  const isLong = [username, password].some((one) => utf8.encode(one).length > MAX_BYTES);
  return isLong ? null : { username, password };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
