import { isIP } from "node:net";
import { parseAddress } from "../net/address.ts";
import { ValueError } from "../config/error.ts";
import { type ConfigOf, plainFlag } from "../config/flags.ts";
import { duration, type Kind, many, onOff, optionalFile } from "../config/kinds.ts";
import type { Resolver } from "../net/dns_https.ts";
import { type Field, isFieldValue, isToken } from "../protocol/wire/field.ts";
import { url } from "./url_kind.ts";

const off = { kind: onOff, default: "false" } as const;
const HEADER_ALLOWED = '"Name: value", but none that the handshake has by itself';
const ORIGIN_ALLOWED = "https://host or https://host:port";
const SUBPROTOCOL_ALLOWED = 'one token: letters, digits, "-", "."';
const RESOLVER_ALLOWED = "an IP address, or one with its port (192.0.2.1:53, [2001:db8::1]:53)";
const DNS_PORT = 53;

/** RFC 6455 §4.1, RFC 9113 §8.2.2: what the handshake and the connection say themselves. */
const OWN_FIELDS = /^(?:host|connection|upgrade|content-length|transfer-encoding|te|keep-alive)$/;
const OWN_WEBSOCKET_FIELDS = /^sec-websocket-(?:key|accept|version|protocol|extensions)$/;

const header: Kind<Field> = {
  placeholder: "field",
  allowed: HEADER_ALLOWED,
  takesEmpty: false,
  parse(text) {
    const at = text.indexOf(":");
    const name = text.slice(0, at).trim().toLowerCase();
    const value = text.slice(at + 1).trim();
    if (at < 1 || !isToken(name) || !isFieldValue(value)) {
      throw new ValueError("is not a header field", HEADER_ALLOWED);
    }
    if (OWN_FIELDS.test(name) || OWN_WEBSOCKET_FIELDS.test(name)) {
      throw new ValueError("is a field of the handshake's own", HEADER_ALLOWED);
    }
    return [name, value];
  },
};

const subprotocol: Kind<string> = {
  placeholder: "name",
  allowed: SUBPROTOCOL_ALLOWED,
  takesEmpty: false,
  parse(text) {
    if (!isToken(text)) throw new ValueError("is not a subprotocol", SUBPROTOCOL_ALLOWED);
    return text;
  },
};

/** RFC 6455 §4.1: all of them are unique. */
const subprotocols: Kind<readonly string[]> = {
  ...many(subprotocol),
  parse(text) {
    const names = many(subprotocol).parse(text);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice === undefined) return names;
    throw new ValueError("is offered twice", SUBPROTOCOL_ALLOWED, twice);
  },
};

/** RFC 6454 §7: scheme, host and port alone. */
const optionalOrigin: Kind<string | null> = {
  placeholder: "origin",
  allowed: ORIGIN_ALLOWED,
  takesEmpty: true,
  parse(text) {
    if (text === "") return null;
    const parsed = text === "null" ? null : URL.parse(text);
    const isOrigin = parsed !== null && parsed.origin !== "null" && parsed.search === "" &&
      parsed.pathname === "/" && parsed.hash === "" && parsed.username === "";
    if (text !== "null" && !isOrigin) throw new ValueError("is not an origin", ORIGIN_ALLOWED);
    return parsed?.origin ?? text;
  },
};

const optionalResolver: Kind<Resolver | null> = {
  placeholder: "address",
  allowed: RESOLVER_ALLOWED,
  takesEmpty: true,
  parse(text) {
    if (text === "") return null;
    if (isIP(text) !== 0) return { address: text, port: DNS_PORT };
    const address = parseAddress(text);
    if (address === undefined || isIP(address.hostname) === 0 || address.port === 0) {
      throw new ValueError("is not a resolver", RESOLVER_ALLOWED);
    }
    return { address: address.hostname, port: address.port };
  },
};

/** The flags of `h3ws doctor`. */
export const doctorFlags = {
  url: plainFlag({
    ...{ name: "url", kind: url, default: "wss://localhost/ws" },
    meaning: "the WebSocket that does not open, or shall; may stand without --url",
  }),
  subprotocols: plainFlag({
    ...{ name: "subprotocol", short: "s", kind: subprotocols, default: "" },
    meaning: "a subprotocol to offer; many, most wanted first",
  }),
  headers: plainFlag({
    ...{ name: "header", short: "H", kind: many(header), default: "" },
    meaning: "a header field of each handshake, such as authorization; many",
  }),
  origin: plainFlag({
    ...{ name: "origin", short: "o", kind: optionalOrigin, default: "" },
    meaning: "the Origin of each handshake: that of the page; a browser always sends one",
  }),
  caFile: plainFlag({
    ...{ name: "ca", kind: optionalFile, default: "" },
    meaning: "certificates in PEM to trust, beside the public ones",
  }),
  noCheck: plainFlag({
    ...{ ...off, name: "no-check", short: "n" },
    meaning: "go on with a certificate that is not trusted, also over QUIC if it is the same there",
  }),
  resolver: plainFlag({
    ...{ name: "resolver", kind: optionalResolver, default: "" },
    meaning: "who is asked for the HTTPS record, instead of the first one of /etc/resolv.conf",
  }),
  timeoutMs: plainFlag({
    ...{ name: "timeout", kind: duration({ max: 600_000 }), default: "3s" },
    meaning: "how long each probe may take",
  }),
  echo: plainFlag({
    ...{ ...off, name: "echo" },
    meaning: "send a text message and wait for its echo too, not Pings alone",
  }),
  idleMs: plainFlag({
    ...{ name: "idle", kind: duration({ min: 0 }), default: "0" },
    meaning: "how long to watch a socket on which nothing is sent; 0 for not at all",
  }),
  json: plainFlag({ ...off, name: "json", meaning: "the findings as one JSON object on stdout" }),
};

/** What the flags of `h3ws doctor` give. */
export type DoctorConfig = ConfigOf<typeof doctorFlags>;
