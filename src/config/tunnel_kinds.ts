// What flags and keys of the tunnel take.
import { type HostPattern, parseHostPattern } from "../tunnel/host_pattern.ts";
import type { Service } from "../tunnel/reach.ts";
import { type Address, parseAddress } from "../net/address.ts";
import type { OpenPort } from "../protocol/tunnel/auth.ts";
import { normalHost } from "../protocol/wire/host.ts";
import type { TunnelTarget } from "../tunnel/target.ts";
import type { PortRange } from "../tunnel/users.ts";
import { ValueError } from "./error.ts";
import { type Kind, many } from "./kinds.ts";
import { parseCount } from "./units.ts";

/** A user and a password. */
export interface NameAndPassword {
  readonly name: string;
  readonly password: string;
}

const LOGIN_ALLOWED = "name:password, the name without : and control characters";

/** A name and a password, or none. What is wrong with it is told without it. */
export const optionalLogin: Kind<NameAndPassword | null> = {
  placeholder: "name:password",
  allowed: LOGIN_ALLOWED,
  takesEmpty: false,
  parse: (text) => parseLogin(text, LOGIN_ALLOWED),
};

function parseLogin(text: string, allowed: string): NameAndPassword | null {
  if (text === "") return null;
  if (/^[^:\p{Cc}]+:$/u.test(text)) throw new ValueError("has an empty password", allowed, null);
  const found = /^([^:\p{Cc}]+):(\P{Cc}+)$/u.exec(text);
  if (found === null) throw new ValueError("is no name with a password", allowed, null);
  return { name: found[1], password: found[2] };
}

const USER_ALLOWED = "name:password, the name without : @ and control characters";

/** The same for a user of a gateway's own: behind an @ of his name clients ask for a group. */
export const optionalUser: Kind<NameAndPassword | null> = {
  ...optionalLogin,
  allowed: USER_ALLOWED,
  parse(text) {
    const login = parseLogin(text, USER_ALLOWED);
    if (login === null || isUserName(login.name)) return login;
    throw new ValueError("has a name with @ in it", USER_ALLOWED, null);
  },
};

const USER_NAME_ALLOWED = "1 to 128 characters without : and @";

/** The name of a user of a gateway's own, or none. */
export const optionalUserName: Kind<string | null> = {
  placeholder: "name",
  allowed: USER_NAME_ALLOWED,
  takesEmpty: false,
  parse(text) {
    if (text === "" || isUserName(text)) return text || null;
    throw new ValueError("is not a user's name", USER_NAME_ALLOWED);
  },
};

/** What a user of a gateway may be called. */
export function isUserName(name: string): boolean {
  return /^[^:@\p{Cc}]{1,128}$/u.test(name);
}

const TOKEN_ALLOWED = "a text without control characters and spaces at its ends";

/** A secret, or none. */
export const optionalToken: Kind<string | null> = {
  placeholder: "token",
  allowed: TOKEN_ALLOWED,
  takesEmpty: false,
  parse(text) {
    if (text === "") return null;
    if (/^\P{Cc}{1,4096}$/u.test(text) && text.trim() === text) return text;
    throw new ValueError("is no token", TOKEN_ALLOWED, null);
  },
};

const NAME_ALLOWED = "1 to 128 characters without spaces";

/** What agents and groups are called, or none. */
export const optionalName: Kind<string | null> = {
  placeholder: "name",
  allowed: NAME_ALLOWED,
  takesEmpty: false,
  parse(text) {
    if (text === "" || /^[^\s\p{Cc}]{1,128}$/u.test(text)) return text || null;
    throw new ValueError("is not a name", NAME_ALLOWED);
  },
};

const PATH_ALLOWED = "a path without a query (/ws)";

/** A path that is asked for as it is. */
export const plainPath: Kind<string> = {
  placeholder: "path",
  allowed: PATH_ALLOWED,
  takesEmpty: false,
  parse(text) {
    if (/^\/[\x21\x22\x24-\x3e\x40-\x7e]*$/.test(text)) return text;
    throw new ValueError("is not a path", PATH_ALLOWED);
  },
};

const GATEWAY_ALLOWED = "wss://host:port, with /ws or another path, or host:port";
const DEFAULT_PATH = "/ws";

/** Where a gateway is. */
export const gatewayUrl: Kind<URL> = {
  placeholder: "url",
  allowed: GATEWAY_ALLOWED,
  takesEmpty: false,
  parse(text) {
    const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `wss://${text}`);
    const isPlain = url !== null && url.search === "" && url.hash === "";
    if (!isPlain || url.protocol !== "wss:" || url.username !== "" || url.password !== "") {
      // It may have a password in it.
      throw new ValueError("is not a gateway", GATEWAY_ALLOWED, text.includes("@") ? null : text);
    }
    if (url.pathname === "/") url.pathname = DEFAULT_PATH;
    return url;
  },
};

const HOST_ALLOWED =
  "names (a.example, *.a.example), /regexp/, addresses and ranges (10.0.0.0/8), each with :port or " +
  ":port-port behind it";

/** Hosts that an agent may be asked for. */
export const hostPattern: Kind<HostPattern> = {
  placeholder: "hosts",
  allowed: HOST_ALLOWED,
  takesEmpty: true,
  parse(text) {
    try {
      return parseHostPattern(text);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      const problem = error.message.slice(JSON.stringify(text).length).replace(
        /^: /,
        "can't be used: ",
      );
      throw new ValueError(problem.trim(), HOST_ALLOWED, text);
    }
  },
};

const SERVICE_ALLOWED = "name=host:port, with /udp behind it for UDP (web=localhost:8080)";

/** A service that an agent may be asked for. */
export const service: Kind<Service> = {
  placeholder: "name=address",
  allowed: SERVICE_ALLOWED,
  takesEmpty: true,
  parse: (text) => {
    const { name, ...where } = named(text, SERVICE_ALLOWED);
    return { name: name.toLowerCase(), ...where };
  },
};

/** `name=host:port/udp`. */
function named(text: string, allowed: string): Service {
  const found = /^([^=\s]+)=(.+)$/.exec(text);
  const target = found === null ? null : targetOf(found[2]);
  if (found === null || target === null) throw new ValueError("is no service", allowed, text);
  return { name: found[1], ...target };
}

/** `host:port/udp`; `null` for what no agent can be asked for. */
function targetOf(text: string): TunnelTarget | null {
  const [, at, word] = /^(.+?)(?:\/(tcp|udp))?$/.exec(text) ?? [];
  const address = at === undefined || /^(?:\*|):/.test(at) ? undefined : parseAddress(at);
  const host = address === undefined ? null : normalHost(address.hostname);
  if (host === null || !address?.port) return null;
  return { protocol: word === "udp" ? "udp" : "tcp", host, port: address.port };
}

const PORT_RANGE_ALLOWED = "ports and ranges of them (8080, 9000-9100)";

/** Ports of a gateway, from and to. */
export const portRange: Kind<PortRange> = {
  placeholder: "ports",
  allowed: PORT_RANGE_ALLOWED,
  takesEmpty: true,
  parse(text) {
    const [first, last = first, ...rest] = text.split("-").map(parseCount);
    const isRange = first !== undefined && last !== undefined && rest.length === 0;
    if (isRange && first >= 1 && last <= 65_535 && first <= last) return [first, last];
    throw new ValueError("is no range of ports", PORT_RANGE_ALLOWED, text);
  },
};

const OPEN_PORT_ALLOWED = "port=host:port, with /udp behind it for UDP (8080=localhost:80)";

/** A port of the gateway that an agent asks for. */
export const openPort: Kind<OpenPort> = {
  placeholder: "port=address",
  allowed: OPEN_PORT_ALLOWED,
  takesEmpty: true,
  parse(text) {
    const { name, host, port, protocol } = named(text, OPEN_PORT_ALLOWED);
    const [remotePort] = portRange.parse(name);
    return { protocol, remotePort, localHost: host, localPort: port };
  },
};

const FORWARD_ALLOWED =
  "address=host:port, with a group and / before the host, and /udp behind it for UDP " +
  "(:5432=db.internal:5432)";

/** A port of the gateway that leads to one service. */
export interface Forward {
  readonly listen: Address;
  /** `null` where nothing is said. */
  readonly group: string | null;
  readonly target: TunnelTarget;
}

export const forward: Kind<Forward> = {
  placeholder: "address=address",
  allowed: FORWARD_ALLOWED,
  takesEmpty: true,
  parse(text) {
    const found = /^([^=]+)=(?:([^/=\s]+)\/)?([^/=\s]+:\d+(?:\/(?:tcp|udp))?)$/.exec(text);
    const listen = found === null ? undefined : parseAddress(found[1]);
    const target = found === null ? null : targetOf(found[3]);
    if (found === null || listen === undefined || target === null) {
      throw new ValueError("is no port that leads somewhere", FORWARD_ALLOWED, text);
    }
    return { listen, group: found[2] ?? null, target };
  },
};

// In a regular expression a comma parts nothing.
const MEMBER = /(?:^|,)(\/(?:[^/\\]|\\[^])*\/[^,]*|[^,]*)/g;

/** Any number of them, with commas between or by the flag once more. */
export function list<T>(kind: Kind<T>): Kind<readonly T[]> {
  const each = many<readonly T[]>({
    ...kind,
    parse: (text) => membersOf(text).map((member) => kind.parse(member)),
  } as Kind<readonly T[]>);
  return { ...each, parse: (text) => each.parse(text).flat() };
}

function membersOf(text: string): string[] {
  return [...text.matchAll(MEMBER)].map(([, member]) => member.trim());
}

const HTTP_URL_ALLOWED = "http://host/path or https://host/path";

/** What is asked by HTTP, or nothing. */
export const optionalHttpUrl: Kind<URL | null> = {
  placeholder: "url",
  allowed: HTTP_URL_ALLOWED,
  takesEmpty: false,
  parse(text) {
    if (text === "") return null;
    const url = URL.parse(text);
    const isHttp = url !== null && /^https?:$/.test(url.protocol) && url.hash === "";
    if (isHttp && url.username === "" && url.password === "") return url;
    throw new ValueError("is no URL", HTTP_URL_ALLOWED, text.includes("@") ? null : text);
  },
};

const PIN_ALLOWED = "64 hexadecimal digits: openssl x509 -in cert.pem -outform der | sha256sum";

/** SHA-256 of a certificate; colons between bytes are taken. */
export const pin: Kind<Uint8Array> = {
  placeholder: "sha256",
  allowed: PIN_ALLOWED,
  takesEmpty: true,
  parse(text) {
    const digits = text.replaceAll(":", "");
    if (!/^[0-9a-f]{64}$/i.test(digits)) throw new ValueError("is no SHA-256", PIN_ALLOWED, text);
    return Uint8Array.from(digits.match(/../g)!, (byte) => parseInt(byte, 16));
  },
};
