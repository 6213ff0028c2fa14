// The host names of cmux: what they ask for, and whom a name without a meaning belongs to.
import { isIPv4 } from "node:net";
import { parseAuthority } from "../protocol/wire/authority.ts";

/** What a request asks for by its host name or by its header fields. */
export interface Place {
  readonly port: number;
  /** Whose port it is; `null` for the upstream host's own. */
  readonly owner: Owner | null;
}

/** Who a port is asked for. */
export interface Owner {
  /** What kind of owner. */
  readonly kind: "workspace" | "container";
  /** Its name, as it was written. */
  readonly name: string;
}

const WORKSPACE_NETWORK = "127.18";
const MAX_WORKSPACE = 0xffffffff;
/** A name is that of a directory. */
const MAX_NAME_LENGTH = 255;
// FNV-1a, 32 bits.
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * The loopback address of a workspace: 127.18.(N>>8).(N&255), where N are the digits at the end of
 * its name, or else the lower 16 bits of the FNV-1a hash of the name in lower case. Of a path only
 * the last part counts. `null` where that is empty or above 255 characters, or N above 32 bits.
 */
export function workspaceAddress(name: string): string | null {
  const base = lastPart(name);
  if (base === "" || base.length > MAX_NAME_LENGTH) return null;
  const digits = /[0-9]+$/.exec(base);
  const n = digits === null ? fnv1a(base.toLowerCase()) & 0xffff : Number(digits[0]);
  if (n > MAX_WORKSPACE) return null;
  return `${WORKSPACE_NETWORK}.${(n >>> 8) & 0xff}.${n & 0xff}`;
}

/** The part of a workspace's name that counts, in lower case. */
export function workspaceKey(name: string): string {
  return lastPart(name).toLowerCase();
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** The hash of an ASCII text, as a signed 32-bit number. */
function fnv1a(text: string): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  }
  return hash;
}

/**
 * What the host name of a request asks for; `null` when it is none of these, whatever port stands
 * behind it:
 *
 * - `<workspace>-<port>.localhost`, `<container>.<port>.localhost`
 * - below one of `domains`: `<port>`, `<port>.<anything>`, `port-<port>-<id>`,
 *   `cmux-<id>-<port>`, `cmux-<id>-<workspace>-<port>`, `<workspace>-<port>-<id>`, where the id is
 *   that of the machine that this is, and the workspace `base` is none
 */
export function placeOfHost(authority: string, domains: readonly string[]): Place | null {
  const host = hostOf(authority);
  if (host === null) return null;
  for (const domain of domains) {
    if (host.endsWith(`.${domain}`)) return match(host.slice(0, -domain.length - 1), BELOW_DOMAIN);
  }
  return host.endsWith(LOCALHOST) ? match(host.slice(0, -LOCALHOST.length), BELOW_LOCALHOST) : null;
}

const LOCALHOST = ".localhost";

/** The port is the last group; the one before it, if there is one, is the owner's name. */
interface Form {
  readonly pattern: RegExp;
  readonly kind: Owner["kind"] | null;
}

const BELOW_LOCALHOST: readonly Form[] = [
  { pattern: /^(.+)\.([0-9]+)$/, kind: "container" },
  { pattern: /^(.+)-([0-9]+)$/, kind: "workspace" },
];

const BELOW_DOMAIN: readonly Form[] = [
  { pattern: /^([0-9]+)(?:\..*)?$/, kind: null },
  { pattern: /^port-([0-9]+)-[^.]+$/, kind: null },
  { pattern: /^cmux-[^.-]+(?:-base)?-([0-9]+)$/, kind: null },
  { pattern: /^cmux-[^.-]+-([^.]+)-([0-9]+)$/, kind: "workspace" },
  { pattern: /^(?!port-|cmux-)([^.]+)-([0-9]+)-[^.-]+$/, kind: "workspace" },
];

function match(name: string, forms: readonly Form[]): Place | null {
  for (const { pattern, kind } of forms) {
    const groups = pattern.exec(name)?.slice(1);
    if (groups === undefined) continue;
    const port = parsePort(groups.at(-1)!);
    if (port === null) return null;
    return { port, owner: kind === null ? null : { kind, name: groups[0] } };
  }
  return null;
}

/** 1 to 65535 in digits alone; `null` for anything else. */
export function parsePort(text: string): number | null {
  const port = /^[0-9]+$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? port : null;
}

/** In lower case and without its port and the dot of the root; `null` for what is no authority. */
export function hostOf(authority: string): string | null {
  return parseAuthority(authority)?.host.replace(/\.$/, "") ?? null;
}

/**
 * Whether a host names this machine: none, `localhost`, what is below it, a loopback address, or
 * one of `domains`. All others may be names that somebody made lead here (DNS rebinding).
 */
export function isLocalHost(authority: string, domains: readonly string[]): boolean {
  if (authority === "") return true;
  const host = hostOf(authority);
  if (host === null) return false;
  if (host === "localhost" || host.endsWith(".localhost")) return true;
  if (domains.some((domain) => host === domain || host.endsWith(`.${domain}`))) return true;
  return isLoopback(host);
}

/** Whether it is 127.0.0.0/8 or ::1, with brackets or without. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith("127.");
  if (!host.includes(":")) return false;
  const ipv6 = host.startsWith("[") ? host : `[${host}]`;
  return URL.parse(`http://${ipv6}`)?.hostname === "[::1]";
}

/** Where somebody listens or is reached. */
export interface Endpoint {
  /** A name or an IP address. */
  readonly hostname: string;
  /** The TCP port. */
  readonly port: number;
}

const WILDCARDS: readonly string[] = ["0.0.0.0", "::"];

/** Whether one who dials `target` comes to one that listens at `listening`. */
export function leadsTo(target: Endpoint, listening: Endpoint): boolean {
  if (target.port !== listening.port) return false;
  const to = target.hostname.toLowerCase();
  const at = listening.hostname.toLowerCase();
  if (to === at) return true;
  // Linux takes a wildcard as a destination for a loopback address.
  const local = to === "localhost" || WILDCARDS.includes(to);
  return WILDCARDS.includes(at) ? local || isLoopback(to) : local && isLoopback(at);
}

/** Whether a host is one of these: exact names, or `*.example.com` for all that are below it. */
export function isOneOf(host: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const lower = pattern.toLowerCase();
    return lower.startsWith("*.") ? host.endsWith(lower.slice(1)) : host === lower;
  });
}
