// The sections of the tunnel in a file: `proxy.socks5`, `gateway` and `client`. Each key stands for a
// flag of `h3ws gateway` or `h3ws agent`; their names are those of AnyProxy, ours stand beside them.
import { isIPv6 } from "node:net";
import { z } from "zod";
import { agentFlags } from "./agent.ts";
import { ValueError } from "./error.ts";
import type { FormFault } from "./file_form.ts";
import { kindOfValue, map, ofKind, oneOrMore, text, textOfKind, valueOf } from "./file_values.ts";
import type { Flag, FlagTable } from "./flags.ts";
import { GATEWAY_KEYS, HTTP_KEYS, MIXED_KEYS, PROXY_KEYS, SOCKS_KEYS } from "./file_tunnel_keys.ts";
import { gatewayFlags } from "./gateway.ts";
import { addValue, choice, count, type Kind } from "./kinds.ts";
import { isUserName, openPort as openPortKind, service } from "./tunnel_kinds.ts";

/** Texts by the names of flags. */
type Texts = Record<string, string>;

/** What a file says in place of flags. */
export interface TunnelTexts {
  /** Those of `h3ws gateway`; `null` without a section of it. */
  readonly gateway: Readonly<Texts> | null;
  /** Those of `h3ws agent`. */
  readonly agent: Readonly<Texts> | null;
}

/** Keys, each with the name of its flag. */
const CLIENT_KEYS = {
  ...{ gateway_addr: "gateway", gateway_tls_cert: "ca", client_id: "id", group: "group" },
  ...{ gateway_pin: "pin", tls_cert: "cert", tls_key: "key", proxy: "proxy" },
  ...{ token: "token", replicas: "replicas", max_concurrent_conns: "max-conns" },
  ...{ allowed_hosts: "allow", forbidden_hosts: "forbid", transports: "transport" },
  ...{ connect_timeout: "connect-timeout", quic_timeout: "quic-timeout" },
  ...{ max_retry_interval: "max-retry-interval", idle_timeout: "idle-timeout", window: "window" },
  ...{ drain: "drain", metrics: "metrics" },
};

const secret = valueOf((input) => {
  const allowed = "a text without control characters, in quotes if it looks like a number";
  // A number is not what was written: 0123 is 123.
  if (typeof input !== "string") throw new ValueError(kindOfValue(input), allowed, null);
  if (!/^\P{Cc}+$/u.test(input)) throw new ValueError("is no password", allowed, null);
  return input;
}, { type: "string", title: "text", description: "the password" });

function pairOf(fits: (name: string) => boolean, of: string) {
  const spec = { allowed: "1 to 128 characters without : and @", meaning: `the name of ${of}` };
  return { auth_username: text(fits, spec).optional(), auth_password: secret.optional() };
}

/** What a flag with this name takes, as a key. */
function keysOf(keys: Readonly<Record<string, string>>, table: FlagTable) {
  const flags = Object.values(table) as Flag<unknown>[];
  return Object.fromEntries(
    Object.entries(keys).map(([key, name]) => {
      const { kind, meaning, default: usual } = flags.find((flag) => flag.name === name)!;
      const description = meaning.replace(/; may stand without --gateway$/, "");
      const shown = usual === "" || usual === "false" ? "" : `; default ${usual}`;
      const json = { description: description + shown };
      return [key, kind.isMany ? listOf(kind, json).optional() : textOfKind(kind, json).optional()];
    }),
  );
}

function listOf(kind: Kind<unknown>, { description }: { description: string }) {
  // An empty text is a member like any other.
  const one = { ...kind, parse: (text: string) => kind.parse(addValue(text)) };
  return oneOrMore(textOfKind(one, {}), description);
}

/** Whoever writes no member into such a list means nothing, where a missing list means anything. */
function namesSome<List extends z.core.$ZodType>(list: List, ifMissing: string) {
  return z.preprocess((input, context) => {
    if (!Array.isArray(input) || input.length > 0) return input;
    const allowed = `one or more; left out it is ${ifMissing}`;
    context.issues.push({
      ...{ code: "custom", input, message: "names nobody", params: { allowed } },
    });
    return z.NEVER;
  }, list);
}

const filled = (what: string) =>
  text((value) => value !== "", { allowed: what, meaning: what, problem: "is empty" });

const limit = map({
  name: filled("what it is called"),
  addr: filled("host:port"),
  protocol: textOfKind(choice(["tcp", "udp"]), { description: "default tcp" }).optional(),
}).transform((given, context) => {
  const one = `${given.name}=${given.addr}/${given.protocol ?? "tcp"}`;
  tryKind(one, service, () =>
    context.issues.push({
      ...{ code: "custom", input: given, path: ["addr"], message: "is no address of a service" },
      params: { allowed: "host:port (localhost:8080), and a name without = and spaces" },
    }));
  return one;
});

const port = (of: string) => ofKind(count({ max: 65_535 }), of);

const openPort = map({
  remote_port: port("that of the gateway"),
  local_port: port("that of the service"),
  local_host: filled("where the service is; default 127.0.0.1").optional(),
  protocol: textOfKind(choice(["tcp", "udp"]), { description: "default tcp" }).optional(),
}).transform((given, context) => {
  const { remote_port, local_host = "127.0.0.1", local_port, protocol = "tcp" } = given;
  const host = isIPv6(local_host) ? `[${local_host}]` : local_host;
  const one = `${remote_port}=${host}:${local_port}/${protocol}`;
  tryKind(one, openPortKind, () =>
    context.issues.push({
      ...{ code: "custom", input: given, path: ["local_host"], message: "is no host" },
      params: { allowed: "a name or an IP address" },
    }));
  return one;
});

function tryKind(text: string, kind: Kind<unknown>, failed: () => void): void {
  try {
    kind.parse(text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    failed();
  }
}

const { allowed } = agentFlags;
const ALLOWED_HOSTS = listOf(allowed.kind, { description: allowed.meaning });

export const tunnelShape = {
  proxy: map({
    socks5: map({
      ...keysOf(SOCKS_KEYS, gatewayFlags),
      ...pairOf(isUserName, "a user for clients alone; that of gateway is one for agents then"),
    }, "where clients of h3ws gateway come in by SOCKS5").optional(),
    http: map(keysOf(HTTP_KEYS, gatewayFlags), "where they come in by HTTP").optional(),
    mixed: map(keysOf(MIXED_KEYS, gatewayFlags), "where they come in by either").optional(),
    ...keysOf(PROXY_KEYS, gatewayFlags),
  }, "the fronts of h3ws gateway").optional(),
  gateway: map({
    ...keysOf(GATEWAY_KEYS, gatewayFlags),
    ...pairOf(isUserName, "a user: what agents and clients say who they are with"),
  }, "what h3ws gateway does, and h3ws proxy beside its routes").optional(),
  client: map({
    ...keysOf(CLIENT_KEYS, agentFlags),
    allowed_hosts: namesSome(ALLOWED_HOSTS, "all but special addresses").optional(),
    ...pairOf((name) => /^[^:\p{Cc}]+$/u.test(name), "who it is"),
    open_ports: z.array(openPort).meta({
      description: "ports of the gateway that lead to services; the gateway must allow them",
    }).optional(),
    limit: namesSome(z.array(limit), "whatever allowed_hosts says").meta({
      description: "the services that may be asked for, by name or address, and nothing else",
    }).optional(),
  }, "what h3ws agent does").optional(),
};

const sections = map(tunnelShape);

/** What the flags would say. @param at where a path of the file leads to */
export function tunnelTexts(
  { proxy, gateway, client }: z.output<typeof sections>,
  at: (path: string) => string,
): TunnelTexts {
  const front = (section: Section | undefined, keys: Readonly<Record<string, string>>) =>
    textsOf(section, { keys, table: gatewayFlags, at });
  const fronts = {
    ...front(proxy, PROXY_KEYS),
    ...front(proxy?.socks5, SOCKS_KEYS),
    ...front(proxy?.http, HTTP_KEYS),
    ...front(proxy?.mixed, MIXED_KEYS),
  };
  const ofGateway = textsOf(gateway, { keys: GATEWAY_KEYS, table: gatewayFlags, at });
  const ofSocks: Texts = proxy?.socks5?.auth_username === undefined
    ? {}
    : { "client-user": `${proxy.socks5.auth_username}:${proxy.socks5.auth_password}` };
  const joined = (all: readonly string[]) => all.reduce((text, one) => addValue(one, text), "");
  const { limit: limits, open_ports: ports } = client ?? {};
  return {
    gateway: gateway === undefined && proxy === undefined
      ? null
      : { ...userOf(gateway), ...ofGateway, ...ofSocks, ...fronts },
    agent: client === undefined ? null : {
      ...userOf(client),
      ...textsOf(client, { keys: CLIENT_KEYS, table: agentFlags, at }),
      ...(limits !== undefined && { service: joined(limits) }),
      ...(ports !== undefined && { "open-port": joined(ports) }),
    },
  };
}

type Section = Readonly<Record<string, unknown>>;

function userOf(section?: { auth_username?: string; auth_password?: string }): Texts {
  if (section?.auth_username === undefined) return {};
  return { user: `${section.auth_username}:${section.auth_password}` };
}

function textsOf(
  section: Readonly<Record<string, unknown>> = {},
  { keys, table, at }: {
    keys: Readonly<Record<string, string>>;
    table: FlagTable;
    at: (path: string) => string;
  },
): Texts {
  const flags = Object.values(table) as Flag<unknown>[];
  const texts: Texts = {};
  for (const [key, name] of Object.entries(keys)) {
    const given = section[key] as string | string[] | undefined;
    if (given === undefined) continue;
    const isFile = flags.find((flag) => flag.name === name)!.kind.placeholder === "file";
    texts[name] = Array.isArray(given)
      ? given.reduce((all, one) => addValue(one, all), "")
      : isFile && given !== ""
      ? at(given)
      : given;
  }
  return texts;
}

/** What must stand together in these sections. */
export function tunnelFaults(top: Readonly<Record<string, unknown>>): FormFault[] {
  const proxy = mapOf(top.proxy);
  return [
    ...bothOf(mapOf(proxy.socks5), ["proxy", "socks5"], ["auth_username", "auth_password"]),
    ...bothOf(mapOf(top.gateway), ["gateway"], ["auth_username", "auth_password"]),
    ...bothOf(mapOf(top.gateway), ["gateway"], ["tls_cert", "tls_key"]),
    ...bothOf(mapOf(top.client), ["client"], ["auth_username", "auth_password"]),
    ...bothOf(mapOf(top.client), ["client"], ["tls_cert", "tls_key"]),
  ];
}

function bothOf(
  section: Readonly<Record<string, unknown>>,
  path: readonly string[],
  [one, other]: readonly [string, string],
): FormFault[] {
  if ((section[one] === undefined) === (section[other] === undefined)) return [];
  const [given, missing] = section[one] === undefined ? [other, one] : [one, other];
  return [{
    path: [...path, given],
    problem: `stands without ${missing}`,
    allowed: "both or none",
  }];
}

function mapOf(input: unknown): Readonly<Record<string, unknown>> {
  return typeof input === "object" && input !== null && !Array.isArray(input)
    ? input as Record<string, unknown>
    : {};
}
