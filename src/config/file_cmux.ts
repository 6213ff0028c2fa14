import type { z } from "zod";
import { type CmuxOptions } from "../proxy/cmux.ts";
import {
  parsePortRanges,
  parsePortTable,
  type PortLookup,
  type PortRange,
  PortTableError,
} from "../proxy/cmux_ports.ts";
import { isHostname } from "../net/address.ts";
import { type IpPredicate, parseCidrs } from "./cidr.ts";
import { ValueError } from "./error.ts";
import { parseHost } from "./file_route_values.ts";
import { map, ofKind, oneOrMore, text, textOf, valueOf } from "./file_values.ts";
import { duration, onOff, optionalFile } from "./kinds.ts";

/** The `cmux` section: what differs from `CMUX_DEFAULTS`, and where ports are found. */
export interface CmuxConfig extends
  Partial<
    Pick<
      CmuxOptions,
      | "headerRouting"
      | "workspaceIsolation"
      | "allowDefaultUpstream"
      | "upstreamHost"
      | "domains"
      | "ports"
      | "hostOverrides"
      | "clients"
      | "required"
    >
  > {
  readonly enabled: boolean;
  /** The table that stands in the file. */
  readonly portTable: PortLookup | null;
  /** A table in a file of its own. */
  readonly mapFile: string | null;
  /** How long a port that was found is kept; `null` for the default. */
  readonly ttlMs: number | null;
}

const PORTS_ALLOWED = "ports and ranges of ports (8080, 3000-3999)";

function parseRange(input: unknown): PortRange[] {
  const ranges = parsePortRanges(textOf(input, PORTS_ALLOWED));
  if (ranges === undefined) throw new ValueError("is no port and no range", PORTS_ALLOWED);
  return ranges;
}

function parseTable(input: unknown): PortLookup {
  try {
    return parsePortTable(input);
  } catch (error) {
    if (!(error instanceof PortTableError)) throw error;
    const problem = error.key === null
      ? "is no port map"
      : `has "${error.key}": ${error.value}, which can't be used`;
    throw new ValueError(problem, error.allowed);
  }
}

const CLIENTS_ALLOWED = "IP addresses, ranges (10.0.0.0/8), private and loopback";

function parseClients(input: unknown): IpPredicate {
  const list = Array.isArray(input) ? input : [input];
  return parseCidrs(list.map((entry) => textOf(entry, CLIENTS_ALLOWED)).join(","));
}

const host = valueOf(parseHost, { type: "string", title: "host" });

export const cmuxSchema = map({
  enabled: ofKind(onOff, "default true; --cmux goes before it").optional(),
  "header-routing": ofKind(
    onOff,
    "whether X-Cmux-* fields count; if not, host names alone do; default true",
  ).optional(),
  "workspace-isolation": ofKind(
    onOff,
    "whether each workspace has a loopback address of its own; default true",
  ).optional(),
  "allow-default-upstream": ofKind(
    onOff,
    "whether a workspace that only the host name names is at upstream-host; default false",
  ).optional(),
  "upstream-host": text(isHostname, {
    allowed: "a name or an IPv4 address",
    meaning: "where ports are that no workspace is named for; default 127.0.0.1",
  }).optional(),
  domains: oneOrMore(host, "names below them ask for ports; default cmux.local, cmux.sh")
    .optional(),
  "allow-ports": oneOrMore(
    valueOf(parseRange, {
      type: ["integer", "string"],
      title: "port or range",
    }),
    "the ports that a request may name; 403 else; default 1024-65535",
  ).optional(),
  "host-overrides": oneOrMore(
    host,
    "what X-Cmux-Host-Override may name; 403 else; default anything",
  )
    .optional(),
  clients: valueOf(parseClients, {
    anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
    title: "ranges",
    description: "who may ask for ports, by IP address; 403 else; default loopback and private",
  }).optional(),
  required: ofKind(
    onOff,
    "whether a request that asks for no port is refused; default true without routes, false beside them",
  ).optional(),
  map: valueOf(parseTable, {
    type: "object",
    additionalProperties: { type: ["integer", "string"] },
    title: "map of names and ports",
    description: '"web.8080": 32768, or "host:port": where the port of a container or workspace is',
  }).optional(),
  "map-file": ofKind(optionalFile, "the same table in a file of its own").optional(),
  ttl: ofKind(duration({ min: 0 }), "how long what map-file says is kept; default 2s").optional(),
}, "X-Cmux-* fields and names of workspaces choose the port");

/** `null` in place of undefined where there is no section. */
export function cmuxConfig(input: z.output<typeof cmuxSchema>): CmuxConfig {
  const given = {
    headerRouting: input["header-routing"],
    workspaceIsolation: input["workspace-isolation"],
    allowDefaultUpstream: input["allow-default-upstream"],
    upstreamHost: input["upstream-host"],
    domains: input.domains,
    ports: input["allow-ports"]?.flat(),
    hostOverrides: input["host-overrides"],
    clients: input.clients,
    required: input.required,
  };
  return {
    // What is not given must not stand in for the default.
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    enabled: input.enabled ?? true,
    portTable: input.map ?? null,
    mapFile: input["map-file"] ?? null,
    ttlMs: input.ttl ?? null,
  };
}
