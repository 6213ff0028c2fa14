import { isIP } from "node:net";
import { parseAddress } from "../net/address.ts";
import { ValueError } from "../config/error.ts";
import { type ConfigOf, plainFlag } from "../config/flags.ts";
import { type Kind, onOff, optionalFile } from "../config/kinds.ts";
import type { Resolver } from "../net/dns_https.ts";
import { clientCertificateFlags, handshakeFlags } from "./handshake_flags.ts";
import { seconds } from "./time_kinds.ts";
import { url } from "./url_kind.ts";

const off = { kind: onOff, default: "false" } as const;
const RESOLVER_ALLOWED = "an IP address, or one with its port (192.0.2.1:53, [2001:db8::1]:53)";
const DNS_PORT = 53;

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
    ...{ name: "url", kind: url, default: "" },
    meaning: "the WebSocket that does not open, or shall; may stand without --url",
  }),
  ...handshakeFlags,
  caFile: plainFlag({
    ...{ name: "ca", kind: optionalFile, default: "" },
    meaning: "certificates in PEM to trust, beside the public ones",
  }),
  ...clientCertificateFlags,
  noCheck: plainFlag({
    ...{ ...off, name: "no-check", short: "n" },
    meaning: "go on with a certificate that is not trusted, also over QUIC if it is the same there",
  }),
  resolver: plainFlag({
    ...{ name: "resolver", kind: optionalResolver, default: "" },
    meaning: "who is asked for the HTTPS record, instead of the first one of /etc/resolv.conf",
  }),
  timeoutMs: plainFlag({
    ...{ name: "timeout", kind: seconds({ max: 600_000 }), default: "3s" },
    meaning: "how long each probe may take",
  }),
  echo: plainFlag({
    ...{ ...off, name: "echo" },
    meaning: "send a text message and wait for its echo too, not Pings alone",
  }),
  idleMs: plainFlag({
    ...{ name: "idle", kind: seconds({ min: 0 }), default: "0" },
    meaning: "how long to watch a socket on which nothing is sent; 0 for not at all",
  }),
  json: plainFlag({ ...off, name: "json", meaning: "the findings as one JSON object on stdout" }),
};

/** What the flags of `h3ws doctor` give. */
export type DoctorConfig = ConfigOf<typeof doctorFlags>;
