// The parts of a route that no flag has.
import { normalizeEscapes } from "../proxy/request_path.ts";
import type { Balance, HeaderCondition, RoutePath } from "../proxy/route.ts";
import { isFieldValue, isToken } from "../protocol/wire/field.ts";
import { isIPv6 } from "node:net";
import { isHostname } from "../net/address.ts";
import { ValueError } from "./error.ts";
import { textOf } from "./file_values.ts";
import { parseLinearRegExp, PATH_ALLOWED, REGEXP_ALLOWED } from "./path.ts";

const HOST_ALLOWED =
  "a name (chat.example), an IP address, or *.example for every name below it; " +
  "without port";

/** Throws `ValueError`. */
export function parseHost(input: unknown): string {
  const host = textOf(input, HOST_ALLOWED).toLowerCase();
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  if (isIPv6(bare)) return bare;
  const name = host.replace(/^\*\./, "").replace(/\.$/, "");
  if (!isHostname(name)) throw new ValueError("is no host", HOST_ALLOWED);
  return host.replace(/\.$/, "");
}

/** Throws `ValueError` for one that could take more than linear time, too. */
export function parseRegexp(input: unknown): RegExp {
  return new RegExp(parseLinearRegExp(textOf(input, REGEXP_ALLOWED)).source);
}

/** Throws `ValueError`. */
export function parseRoutePath(input: unknown): RoutePath {
  const path = textOf(input, PATH_ALLOWED);
  if (path.startsWith("^")) return { regexp: parseRegexp(path) };
  return { exact: parsePlainPath(path, PATH_ALLOWED) };
}

const PREFIX_ALLOWED = "a path (/api), which takes /api and all below it";

/** Throws `ValueError`. */
export function parsePrefix(input: unknown): string {
  return parsePlainPath(textOf(input, PREFIX_ALLOWED), PREFIX_ALLOWED);
}

function parsePlainPath(path: string, allowed: string): string {
  // RFC 3986 §3.3: what is not ASCII stands in a path as %XX.
  if (!/^\/[\x21-\x7e]*$/.test(path)) throw new ValueError("is not a path", allowed);
  if (/[?#]/.test(path)) throw new ValueError("has more than a path", allowed);
  const normal = normalizeEscapes(path);
  // No request would ever fit: these are resolved before it is compared.
  if (/\\|\/\/|\/\.{1,2}(?:\/|$)|%(?![0-9A-F]{2})|%(?:[01][0-9A-F]|7F)/.test(normal)) {
    throw new ValueError("is a path that no request has", `${allowed}, without .., // and \\`);
  }
  return path;
}

const METHOD_ALLOWED = "a method in capitals (GET); a WebSocket's is GET";

/** Throws `ValueError`. */
export function parseMethod(input: unknown): string {
  const method = textOf(input, METHOD_ALLOWED);
  if (!isToken(method) || /[a-z]/.test(method)) {
    throw new ValueError("is no method", METHOD_ALLOWED);
  }
  return method;
}

const NAME_ALLOWED = "the name of a header field (x-canary)";

/** In lower case. Throws `ValueError`. */
export function parseFieldName(input: unknown): string {
  const name = textOf(input, NAME_ALLOWED).toLowerCase();
  if (!isToken(name)) throw new ValueError("is no field name", NAME_ALLOWED);
  return name;
}

// RFC 9110 §7.6.1, RFC 6455 §4: what the proxy itself must say on each hop.
const OWN_FIELDS = new Set([
  ...["connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer"],
  ...["transfer-encoding", "upgrade", "sec-websocket-accept", "sec-websocket-key"],
  "sec-websocket-version",
]);

/** A field that may be changed. Throws `ValueError`. */
export function parseChangedName(input: unknown): string {
  const name = parseFieldName(input);
  if (OWN_FIELDS.has(name)) {
    throw new ValueError("is the proxy's own to write", "any other field; keep-host is for Host");
  }
  return name;
}

const VALUE_ALLOWED = "a field value: visible ASCII, with spaces and tabs only inside";

/** Throws `ValueError`. */
export function parseFieldValue(input: unknown): string {
  const value = textOf(input, VALUE_ALLOWED);
  if (!isFieldValue(value)) throw new ValueError("is no field value", VALUE_ALLOWED);
  return value;
}

const SET_ALLOWED = "a map of field names and their values";

/** `{ X-Tenant: blue }` with names in lower case. Throws `ValueError`. */
export function parseSet(input: unknown): Record<string, string> {
  if (!isPlainMap(input)) throw new ValueError("is no map of fields", SET_ALLOWED);
  const set: Record<string, string> = {};
  for (const [key, value] of Object.entries(input)) {
    const within = (parse: () => string) => {
      try {
        return parse();
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        // Values may be secret.
        throw new ValueError(`has "${key}", which ${error.problem}`, error.allowed);
      }
    };
    const name = within(() => parseChangedName(key));
    if (Object.hasOwn(set, name)) throw new ValueError(`has "${name}" twice`, SET_ALLOWED);
    set[name] = within(() => parseFieldValue(value));
  }
  return set;
}

const ORIGIN_ALLOWED =
  "an origin as browsers send it (https://app.example, http://localhost:3000), " +
  "or null";

/** Throws `ValueError`. */
export function parseOrigin(input: unknown): string {
  const text = textOf(input ?? "null", ORIGIN_ALLOWED).toLowerCase();
  if (text === "null") return text;
  const origin = URL.parse(text)?.origin;
  if (origin === undefined || origin === "null" || (origin !== text && `${origin}/` !== text)) {
    throw new ValueError("is no origin", ORIGIN_ALLOWED);
  }
  return origin;
}

const BALANCE_ALLOWED =
  "round-robin, least-sessions, { hash: ip }, { hash: { header: <name> } }, " +
  "or { hash: { cookie: <name> } }";

/** Throws `ValueError`. */
export function parseBalance(input: unknown): Balance {
  const wrong = () => new ValueError("is no way to choose a backend", BALANCE_ALLOWED);
  if (input === "round-robin" || input === "least-sessions") return input;
  if (!isPlainMap(input) || Object.keys(input).join() !== "hash") throw wrong();
  const { hash } = input;
  if (hash === "ip") return { hash };
  if (!isPlainMap(hash) || Object.keys(hash).length !== 1) throw wrong();
  const { header, cookie } = hash;
  if (header !== undefined) return { hash: { header: parseFieldName(header) } };
  // RFC 6265 §4.1.1: cookie-name is a token.
  if (typeof cookie !== "string" || !isToken(cookie)) throw wrong();
  return { hash: { cookie } };
}

const CONDITION_ALLOWED = "{ name: <field>, value: <text> }, { name, regexp }, or " +
  "{ name, present: true or false }";

/** Throws `ValueError`. */
export function parseCondition(input: unknown): HeaderCondition {
  const keys = isPlainMap(input) ? Object.keys(input).sort().join() : "";
  if (!isPlainMap(input) || !/^name,(?:present|regexp|value)$|^name$/.test(keys)) {
    throw new ValueError("is no condition for a header", CONDITION_ALLOWED);
  }
  const name = parseFieldName(input.name);
  if (input.value !== undefined) return { name, value: parseFieldValue(input.value) };
  if (input.regexp !== undefined) return { name, regexp: parseRegexp(input.regexp) };
  if (input.present !== undefined && typeof input.present !== "boolean") {
    throw new ValueError("has a present that is neither true nor false", CONDITION_ALLOWED);
  }
  return { name, present: input.present ?? true };
}

function isPlainMap(input: unknown): input is Record<string, unknown> {
  return typeof input === "object" && input !== null && !Array.isArray(input);
}
