import { type Address, formatAddress, parseAddress } from "../net/address.ts";
import { ValueError } from "../config/error.ts";
import type { Kind } from "../config/kinds.ts";
import { parseCount } from "../config/units.ts";
import type { HttpProxy } from "../net/http_proxy.ts";
import { splitUser } from "./handshake_kinds.ts";
import { seconds, SECONDS_ALLOWED } from "./time_kinds.ts";
import { url } from "./url_kind.ts";

/** The URL of a WebSocket, or none. */
export const optionalUrl: Kind<string | null> = {
  ...url,
  parse: (text) => text === "" ? null : url.parse(text),
};

const WAIT_ALLOWED = `${SECONDS_ALLOWED}; -1 for ever`;

const wait = seconds({ min: 0 });

/** As `seconds`, and -1 for ever; `null` where none was said. */
export const optionalWait: Kind<number | null> = {
  ...wait,
  allowed: WAIT_ALLOWED,
  parse(text) {
    if (text === "") return null;
    if (text === "-1") return Infinity;
    try {
      return wait.parse(text);
    } catch {
      throw new ValueError("is not a time", WAIT_ALLOWED);
    }
  },
};

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
