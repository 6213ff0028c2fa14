// Which port stands behind that of a container or a workspace, and which ports may be dialled.
import type { DialTarget } from "../net/dial.ts";
import { parseAuthority } from "../protocol/wire/authority.ts";
import { type Owner, parsePort, workspaceKey } from "./cmux_host.ts";

/** First and last. */
export type PortRange = readonly [from: number, to: number];

const PORT_RANGE = /^([0-9]+)(?:-([0-9]+))?$/;

/** `8080, 3000-3999` as ranges; `undefined` if it is no such list. */
export function parsePortRanges(text: string): PortRange[] | undefined {
  const ranges: PortRange[] = [];
  for (const entry of text.split(",")) {
    const match = PORT_RANGE.exec(entry.trim());
    if (match === null) return undefined;
    const from = parsePort(match[1]);
    const to = parsePort(match[2] ?? match[1]);
    if (from === null || to === null || from > to) return undefined;
    ranges.push([from, to]);
  }
  return ranges;
}

/** Somebody's port that a request is for. */
export interface PortAsk extends Owner {
  /** 1 to 65535. */
  readonly port: number;
}

/** A port of the upstream host, or another place to dial. */
export type PortTarget = number | DialTarget;

/** `null` where there is no such port. Throws `PortLookupError`. */
export type PortLookup = (ask: PortAsk) => PortTarget | null | Promise<PortTarget | null>;

/** What a port is asked for with, beside its name and number. */
export interface PortResolution {
  /** Whose it is. */
  readonly kind: Owner["kind"];
  /** Ends the search when it takes too long. */
  readonly signal: AbortSignal;
}

/**
 * Finds a port of a workspace, or of a container: `host:port`, a port of the upstream host, another
 * place to dial, or `null` where it knows of none. What it throws is a 502 for the client.
 */
export type ResolvePort = (
  workspace: string,
  port: number,
  about: PortResolution,
) => string | PortTarget | null | Promise<string | PortTarget | null>;

/** The port can't be found out. `status` and the message are what the client gets. */
export class PortLookupError extends Error {
  override name = "PortLookupError";
  readonly status: 502 | 503 | 504;

  constructor(status: 502 | 503 | 504, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
  }
}

/** As the keys of a port table are written: `web.8080`. */
export function portKey({ kind, name, port }: PortAsk): string {
  return `${kind === "workspace" ? workspaceKey(name) : name.toLowerCase()}.${port}`;
}

/** An entry of a port table that can't be used. */
export class PortTableError extends Error {
  override name = "PortTableError";
  /** The entry's key, or `null` where the whole is no table. */
  readonly key: string | null;
  readonly value: string;
  readonly allowed: string;

  constructor(given: { key: string | null; value: string; allowed: string }) {
    const { key, value, allowed } = given;
    super(`${key === null ? "port map" : `"${key}"`}: ${value} can't be used; allowed: ${allowed}`);
    this.key = key;
    this.value = value;
    this.allowed = allowed;
  }
}

const TABLE_ALLOWED = '{ "<container or workspace>.<port>": <port> or "host:port", ... }';
const KEY_ALLOWED = "the name of a container or a workspace, a dot, and its port (web.8080)";
const VALUE_ALLOWED = "a port from 1 to 65535, or host:port";
const MAX_SHOWN = 100;

/**
 * A table of ports: `{ "web.8080": 32768, "db.5432": "172.17.0.2:5432", "workspace-1.3000": 13000 }`.
 * The case of names does not count.
 *
 * @throws {PortTableError}
 */
export function parsePortTable(table: unknown): PortLookup {
  if (typeof table !== "object" || table === null || Array.isArray(table)) {
    throw new PortTableError({ key: null, value: shown(table), allowed: TABLE_ALLOWED });
  }
  const targets = new Map<string, PortTarget>();
  for (const [key, value] of Object.entries(table)) {
    const [, name, port] = /^([^/\s]+)\.([0-9]+)$/.exec(key) ?? [];
    const parsed = port === undefined ? null : parsePort(port);
    if (parsed === null) {
      throw new PortTableError({ key, value: shown(value), allowed: KEY_ALLOWED });
    }
    const target = parseTarget(value);
    if (target === null) {
      throw new PortTableError({ key, value: shown(value), allowed: VALUE_ALLOWED });
    }
    targets.set(`${name.toLowerCase()}.${parsed}`, target);
  }
  return (ask) => targets.get(portKey(ask)) ?? null;
}

/** A port, or `host:port`; `null` for anything else. */
export function parseTarget(value: unknown): PortTarget | null {
  if (typeof value === "number") return isPort(value) ? value : null;
  if (typeof value !== "string") return null;
  const authority = parseAuthority(value);
  if (authority === null || authority.port === null || authority.port === 0) return null;
  return { hostname: authority.host.replace(/^\[|\]$/g, ""), port: authority.port };
}

/** A whole number from 1 to 65535. */
export function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65535;
}

/** A value for a message: as JSON, and not too long. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
