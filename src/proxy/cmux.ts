import type { OfferRequest } from "../ingress/offer.ts";
import type { DialTarget } from "../net/dial.ts";
import { type Field, getFields } from "../protocol/wire/field.ts";
import {
  type Endpoint,
  hostOf,
  isLocalHost,
  isOneOf,
  leadsTo,
  parsePort,
  type Place,
  placeOfHost,
  workspaceAddress,
} from "./cmux_host.ts";
import { ipOf } from "./headers.ts";
import {
  type PortLookup,
  PortLookupError,
  type PortRange,
  type PortTarget,
  type ResolvePort,
} from "./cmux_ports.ts";

/** How requests find the ports of workspaces and containers. */
export interface CmuxOptions {
  /** Whether `X-Cmux-*` fields count; if not, only host names do. */
  readonly headerRouting: boolean;
  /** Whether each workspace has a loopback address of its own; if not, all are at `upstreamHost`. */
  readonly workspaceIsolation: boolean;
  /** Whether a workspace that only the host name names is at `upstreamHost`. */
  readonly allowDefaultUpstream: boolean;
  /** Where ports are that no workspace is named for. */
  readonly upstreamHost: string;
  /** In lower case; names below them ask for ports as `placeOfHost` says. */
  readonly domains: readonly string[];
  /** The ports that a request may name. What `portLookup` finds was chosen by the operator. */
  readonly ports: readonly PortRange[];
  /** Where we listen ourselves: what is dialled there would come back for ever. */
  readonly listening: () => readonly Endpoint[];
  /** What `X-Cmux-Host-Override` may name: hosts, or `*.example.com`; `null` for anything. */
  readonly hostOverrides: readonly string[] | null;
  /** The clients that may ask for ports, by IP address; `null` for all. */
  readonly clients: ((ip: string) => boolean) | null;
  /** Whether a request that asks for no port is refused; if not, it is for somebody else. */
  readonly required: boolean;
  /** Where the ports of containers and workspaces are found; without it they are what they seem. */
  readonly portLookup: PortLookup | null;
  /** Asked for ports that `portLookup` does not know; in five seconds it must have answered. */
  readonly resolvePort?: ResolvePort;
  /** How long its answers are kept; that there is none, half a second at most. Default 2000. */
  readonly resolveTtlMs?: number;
}

// RFC 6335 §6: those below are the System Ports.
const FIRST_USER_PORT = 1024;

/** What holds where nothing else is said. */
export const CMUX_DEFAULTS: CmuxOptions = {
  headerRouting: true,
  workspaceIsolation: true,
  allowDefaultUpstream: false,
  upstreamHost: "127.0.0.1",
  domains: ["cmux.local", "cmux.sh"],
  ports: [[FIRST_USER_PORT, 65535]],
  listening: () => [],
  hostOverrides: null,
  clients: null,
  required: true,
  portLookup: null,
};

/** Where a request goes. */
export interface CmuxTarget {
  readonly kind: "target";
  readonly dial: DialTarget;
  /** For messages. */
  readonly url: string;
  /** The Host for the backend; `null` to pass on what the client asked for. */
  readonly host: string | null;
  /** The request's fields without `X-Cmux-*`. */
  readonly fields: readonly Field[];
  /** A plain CONNECT: the port is dialled and nothing is said to it. Its authority does not count. */
  readonly rawTcp: boolean;
  /** What usually listens at the port that was asked for, for the log. */
  readonly service: string | null;
}

export interface CmuxRefused {
  readonly kind: "refused";
  readonly status: number;
  readonly text: string;
}

export type CmuxRoute = CmuxTarget | CmuxRefused | { readonly kind: "none" };

const MAX_SHOWN = 100;

const PORT = "X-Cmux-Port-Internal";
const WORKSPACE = "X-Cmux-Workspace-Internal";
const HOST_OVERRIDE = "X-Cmux-Host-Override";

/** The ports that cmux uses itself. */
const KNOWN_PORTS: Readonly<Record<number, string>> = {
  39376: "extension",
  39377: "worker",
  39378: "vscode",
  39379: "proxy",
  39380: "vnc",
  39381: "cdp",
};

/**
 * Finds the port that a request asks for: by `X-Cmux-Port-Internal` and
 * `X-Cmux-Workspace-Internal`, else by its host name (see `placeOfHost`).
 *
 * A request never says what is dialled but by these: a port of `upstreamHost`, of a workspace's
 * loopback address, or what `portLookup` knows. `X-Cmux-Host-Override` is but the Host for it.
 */
export async function resolveCmux(
  request: OfferRequest,
  options: CmuxOptions,
): Promise<CmuxRoute> {
  const place = placeOf(request, options);
  if (place === null) return { kind: "none" };
  if ("kind" in place) return place;
  const host = hostFor(request, options);
  if (host !== null && typeof host === "object") return host;
  const found = await find(place, options);
  if ("kind" in found) return found;
  const { unixPath } = found;
  if (unixPath === undefined && options.listening().some((own) => leadsTo(found, own))) {
    return refused(508, "Loop detected in proxy");
  }
  return {
    kind: "target",
    dial: found,
    url: unixPath === undefined ? urlOf(found) : `unix:${unixPath}`,
    host,
    fields: withoutCmux(request.fields),
    rawTcp: request.method === "CONNECT" && request.protocol === null,
    service: KNOWN_PORTS[place.port] ?? null,
  };
}

/**
 * All fields but `X-Cmux-*`, which are for the proxy alone. Those with underscores go too: what a
 * backend makes of a name may not tell them apart.
 */
export function withoutCmux(fields: readonly Field[]): readonly Field[] {
  return fields.filter(([name]) => !/^x[-_]cmux[-_]/.test(name));
}

/** What a client reads when its port can't be reached (502), or does not answer in time (504). */
export function cmuxUnreachable(upgrade: boolean, reason: string): string {
  return `upstream ${upgrade ? "upgrade" : "request"} error: ${reason}`;
}

// Linux and Windows have all of 127.0.0.0/8 up.
const WHOLE_LOOPBACK: readonly string[] = ["linux", "android", "windows"];

/** What must be done before workspaces have addresses of their own; `null` where they have them. */
export function loopbackAdvice(os: string): string | null {
  if (WHOLE_LOOPBACK.includes(os)) return null;
  return "only 127.0.0.1 is up here: add the address of each workspace " +
    "(sudo ifconfig lo0 alias 127.18.0.1), map its ports, or switch workspace isolation off";
}

function refused(status: number, text: string): CmuxRefused {
  return { kind: "refused", status, text };
}

/** The place that is asked for; a workspace is there only if it has its own address or ports. */
function placeOf(request: OfferRequest, options: CmuxOptions): Place | CmuxRefused | null {
  const { headerRouting, required, clients } = options;
  const allowed = clients === null || clients(ipOf(request.remote));
  const byHost = placeOfHost(request.authority, options.domains);
  const byHeader = headerRouting ? placeOfFields(request.fields) : NOTHING;
  const asks = byHost !== null || byHeader !== NOTHING;
  if (!asks && !required) return null;
  if (!allowed) return refused(403, "cmux routing is not allowed from this address");
  if ("kind" in byHeader) return byHeader;
  const port = byHeader.port ?? byHost?.port ?? null;
  if (port === null) {
    const missing = headerRouting
      ? `missing required header: ${PORT}`
      : "No valid routing information found in request";
    return refused(400, missing);
  }
  if (byHeader.workspace !== null) return workspacePlace(port, byHeader.workspace, options);
  const owner = byHost?.owner ?? null;
  if (owner?.kind === "workspace") {
    if (options.allowDefaultUpstream) return { port, owner: null };
    return workspacePlace(port, owner.name, options);
  }
  // A port that a field names is none of a container's.
  return { port, owner: byHeader.port === null ? owner : null };
}

function workspacePlace(
  port: number,
  name: string,
  { workspaceIsolation }: CmuxOptions,
): Place | CmuxRefused {
  if (!workspaceIsolation) return { port, owner: null };
  if (workspaceAddress(name) === null) {
    return refused(400, `invalid workspace name: ${name.slice(0, MAX_SHOWN)}`);
  }
  return { port, owner: { kind: "workspace", name } };
}

interface FieldPlace {
  readonly port: number | null;
  readonly workspace: string | null;
}

const NOTHING: FieldPlace = { port: null, workspace: null };

function placeOfFields(fields: readonly Field[]): FieldPlace | CmuxRefused {
  const port = fieldValue(fields, PORT);
  const workspace = fieldValue(fields, WORKSPACE);
  if (port === null && workspace === null) return NOTHING;
  if (port !== null && !isText(port)) return refused(400, "invalid header value (not UTF-8)");
  if (port === "") return refused(400, "header value cannot be empty");
  const number = port === null ? null : parsePort(port);
  if (port !== null && number === null) return refused(400, `invalid port in ${PORT}`);
  if (workspace !== null && !isText(workspace)) {
    return refused(400, `invalid header value (not UTF-8): ${WORKSPACE}`);
  }
  if (workspace === "") return refused(400, `${WORKSPACE} cannot be empty`);
  return { port: number, workspace };
}

/** RFC 9110 §5.2: several fields are one value, with commas; it is no port and no workspace. */
function fieldValue(fields: readonly Field[], name: string): string | null {
  const values = getFields(fields, name.toLowerCase());
  return values.length === 0 ? null : values.join(", ").trim();
}

function isText(value: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(value);
}

/** The Host for the backend, or why it gets none. */
function hostFor(request: OfferRequest, options: CmuxOptions): string | null | CmuxRefused {
  const { authority, method, protocol, fields } = request;
  const override = options.headerRouting ? fieldValue(fields, HOST_OVERRIDE) || null : null;
  if (override !== null) {
    const host = hostOf(override);
    if (host === null) return refused(400, `invalid host in ${HOST_OVERRIDE}`);
    if (options.hostOverrides !== null && !isOneOf(host, options.hostOverrides)) {
      return refused(403, `${HOST_OVERRIDE} is not allowed to name this host`);
    }
    return override;
  }
  if (method === "CONNECT" && protocol === null) return null;
  if (!isText(authority)) return refused(400, "invalid Host header (not UTF-8)");
  if (!isLocalHost(authority, options.domains)) {
    return refused(502, `Host header requires ${HOST_OVERRIDE}`);
  }
  return null;
}

async function find(
  { port, owner }: Place,
  options: CmuxOptions,
): Promise<DialTarget | CmuxRefused> {
  const { portLookup, upstreamHost } = options;
  if (portLookup !== null && owner !== null) {
    let target: PortTarget | null;
    try {
      target = await portLookup({ ...owner, port });
    } catch (error) {
      if (!(error instanceof PortLookupError)) throw error;
      return refused(error.status, error.message);
    }
    if (typeof target === "number") return { hostname: upstreamHost, port: target };
    if (target !== null) return target;
    if (owner.kind === "container") {
      return refused(502, `no port mapping for ${owner.name}.${port}`);
    }
  }
  if (!options.ports.some(([from, to]) => port >= from && port <= to)) {
    return refused(403, `port not allowed: ${port}`);
  }
  const address = owner?.kind === "workspace" ? workspaceAddress(owner.name) : null;
  return { hostname: address ?? upstreamHost, port };
}

function urlOf({ hostname, port, tls }: DialTarget): string {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `${tls === undefined ? "http" : "https"}://${host}:${port}`;
}
