// What agent and gateway say of themselves before the first stream: the JSON of AUTH and AUTHED. Keys
// that are not known are ignored, for the sake of later versions.
import { TunnelCode, tunnelCodeName, tunnelCodeOf, TunnelError } from "./code.ts";
import { targetFault } from "./frame.ts";

/** The version of the protocol that is spoken here. */
export const TUNNEL_VERSION = 1;

/** The most ports that one agent may ask for. */
export const MAX_OPEN_PORTS = 256;

const MAX_NAME_CHARS = 128;
const MAX_SECRET_CHARS = 8192;
const MAX_TEXT_CHARS = 1024;

/** A port of the gateway that leads to a service of the agent. */
export interface OpenPort {
  readonly protocol: "tcp" | "udp";
  readonly remotePort: number;
  readonly localHost: string;
  readonly localPort: number;
}

/** A port that an agent asked for and did not get; it goes on without it. */
export interface RefusedPort {
  readonly protocol: "tcp" | "udp";
  readonly remotePort: number;
  /** Why, for people. */
  readonly message: string;
}

/** Who an agent says it is; `null` where a certificate says it. */
export type Login =
  | { readonly username: string; readonly password: string }
  | { readonly token: string };

/** AUTH: who the agent is, and what it wishes. `null` stands for what it didn't say. */
export interface Auth {
  /** The version of the protocol: `TUNNEL_VERSION`. */
  readonly version: number;
  readonly clientId: string;
  readonly login: Login | null;
  readonly group: string | null;
  /** Its software and version, for people. */
  readonly agent: string | null;
  readonly openPorts: readonly OpenPort[];
  /** How many streams at once it takes. */
  readonly maxConns: number | null;
}

/** AUTHED: what the gateway says to it. */
export interface Authed {
  readonly success: boolean;
  readonly message: string;
  /** Why not; `null` with success. */
  readonly code: TunnelCode | null;
  /** What logs of both ends call this link. */
  readonly session: string | null;
  /** How often each end hears from the other at least. */
  readonly heartbeatMs: number | null;
  /** Those of the ports that were asked for that are not open. */
  readonly refusedPorts: readonly RefusedPort[];
}

/** The JSON of AUTH. */
export function encodeAuth(auth: Auth): string {
  const { login, openPorts } = auth;
  return JSON.stringify({
    version: auth.version,
    client_id: auth.clientId,
    ...login,
    group: auth.group ?? undefined,
    agent: auth.agent ?? undefined,
    open_ports: openPorts.length === 0 ? undefined : openPorts.map((port) => ({
      protocol: port.protocol,
      remote_port: port.remotePort,
      local_host: port.localHost,
      local_port: port.localPort,
    })),
    max_conns: auth.maxConns ?? undefined,
  });
}

/**
 * Reads the JSON of AUTH.
 *
 * @throws {TunnelError} INVALID_MESSAGE with the key that is wrong, never with its value, which may
 *   be a secret
 */
export function parseAuth(source: string): Auth {
  const json = parseObject(source, "AUTH");
  return {
    version: whole(json, "version", [1, Number.MAX_SAFE_INTEGER]),
    clientId: name(json, "client_id"),
    login: readLogin(json),
    group: optional(json, "group", (key) => name(json, key)),
    agent: optional(json, "agent", (key) => name(json, key)),
    openPorts: optional(json, "open_ports", () => readOpenPorts(json)) ?? [],
    maxConns: optional(json, "max_conns", (key) => whole(json, key, [1, 0x7fffffff])),
  };
}

/** The JSON of AUTHED. */
export function encodeAuthed(authed: Authed): string {
  const { refusedPorts } = authed;
  return JSON.stringify({
    success: authed.success,
    message: authed.message,
    code: authed.code === null ? undefined : tunnelCodeName(authed.code),
    session: authed.session ?? undefined,
    heartbeat_ms: authed.heartbeatMs ?? undefined,
    refused_ports: refusedPorts.length === 0 ? undefined : refusedPorts.map((port) => ({
      protocol: port.protocol,
      remote_port: port.remotePort,
      message: port.message,
    })),
  });
}

/**
 * Reads the JSON of AUTHED. A refusal without a code, or with one of a later version, is AUTH_FAILED.
 *
 * @throws {TunnelError} INVALID_MESSAGE with the key that is wrong
 */
export function parseAuthed(source: string): Authed {
  const json = parseObject(source, "AUTHED");
  const { success } = json;
  if (typeof success !== "boolean") throw fault("success", "true or false");
  const code = optional(json, "code", (key) => name(json, key));
  return {
    success,
    message: text(json, "message", MAX_TEXT_CHARS),
    code: success ? null : tunnelCodeOf(code ?? "") ?? TunnelCode.AUTH_FAILED,
    session: optional(json, "session", (key) => name(json, key)),
    heartbeatMs: optional(json, "heartbeat_ms", (key) => whole(json, key, [1, 0x7fffffff])),
    refusedPorts: optional(json, "refused_ports", () => readRefusedPorts(json)) ?? [],
  };
}

type Json = Readonly<Record<string, unknown>>;

function readLogin(json: Json): Login | null {
  const token = optional(json, "token", (key) => string(json, key, MAX_SECRET_CHARS));
  const isNamed = (json.username ?? json.password ?? null) !== null;
  if (token !== null) {
    if (isNamed) throw fault("token", "alone, without username and password");
    return { token };
  }
  if (!isNamed) return null;
  return {
    username: name(json, "username"),
    password: text(json, "password", MAX_SECRET_CHARS),
  };
}

function readOpenPorts(json: Json): OpenPort[] {
  return readPorts(json, "open_ports").map((port) => {
    const { protocol, remotePort } = readPort(port);
    const host = string(port, "local_host", MAX_TEXT_CHARS);
    const localPort = whole(port, "local_port", [1, 0xffff]);
    // The gateway will name it in OPEN.
    if (targetFault({ protocol, host, port: localPort }) !== null) {
      throw fault("local_host", "a name or an address");
    }
    return { protocol, remotePort, localHost: host, localPort };
  });
}

function readRefusedPorts(json: Json): RefusedPort[] {
  return readPorts(json, "refused_ports").map((port) => ({
    ...readPort(port),
    message: text(port, "message", MAX_TEXT_CHARS),
  }));
}

function readPorts(json: Json, key: string): Json[] {
  const value = json[key];
  if (!Array.isArray(value) || value.length > MAX_OPEN_PORTS) {
    throw fault(key, `a list of ${MAX_OPEN_PORTS} at most`);
  }
  return value.map((entry) => asObject(entry, key));
}

function readPort(port: Json): Pick<OpenPort, "protocol" | "remotePort"> {
  const { protocol } = port;
  if (protocol !== "tcp" && protocol !== "udp") throw fault("protocol", `"tcp" or "udp"`);
  return { protocol, remotePort: whole(port, "remote_port", [1, 0xffff]) };
}

function parseObject(source: string, what: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    throw fault(what, "JSON");
  }
  return asObject(value, what);
}

function asObject(value: unknown, what: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw fault(what, "an object");
  }
  return value as Json;
}

/** What `read` gives, or `null` for what is not there. */
function optional<T>(json: Json, key: string, read: (key: string) => T): T | null {
  return (json[key] ?? null) === null ? null : read(key);
}

/** What stands in logs and metrics: no control characters. */
function name(json: Json, key: string): string {
  const value = string(json, key, MAX_NAME_CHARS);
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) throw fault(key, "without control characters");
  }
  return value;
}

/** A string of so many characters at most. */
function string(json: Json, key: string, most: number): string {
  const value = json[key];
  if (typeof value === "string" && value.length > 0 && value.length <= most) return value;
  throw fault(key, `a string of 1 to ${most} characters`);
}

/** The same, which may be empty. */
function text(json: Json, key: string, most: number): string {
  return json[key] === "" ? "" : string(json, key, most);
}

function whole(json: Json, key: string, [least, most]: readonly [number, number]): number {
  const value = json[key];
  const isWhole = typeof value === "number" && Number.isInteger(value);
  if (isWhole && value >= least && value <= most) return value;
  throw fault(key, `a whole number from ${least} to ${most}`);
}

function fault(key: string, want: string): TunnelError {
  return new TunnelError(TunnelCode.INVALID_MESSAGE, "connection", `${key} must be ${want}`);
}
