// RFC 9113 §8.3, RFC 9114 §4.3, RFC 8441 §4: the messages of HTTP/2 and HTTP/3, which have the same
// rules for their pseudo-header fields and the same shape.
import { isAuthority, isConnectAuthority, parseAuthority } from "./authority.ts";
import type { Field } from "./field.ts";
import { isFieldValue, isToken } from "./field.ts";
import {
  joinCookies,
  type Malformed,
  quote,
  readContentLength,
  readRegularFields,
  withoutConnection,
} from "./message_fields.ts";

/** A request's pseudo-header fields, and its regular ones in order. */
export interface RequestHead {
  /** The :method. */
  method: string;
  /** The :scheme; `null` for a plain CONNECT. */
  scheme: string | null;
  /** `:authority`, or else what Host says. */
  authority: string | null;
  /** The :path, with its query; `null` for a plain CONNECT. */
  path: string | null;
  /** RFC 8441 §4: what is spoken in the tunnel of an extended CONNECT. */
  protocol: string | null;
  /** Several Cookie fields are joined to one. */
  fields: Field[];
}

/** A response without its body. */
export interface ResponseHead {
  /** The :status, 100 to 599. */
  status: number;
  /** Its fields in order; names in lower case. */
  fields: Field[];
}

/** What the versions of HTTP differ in. */
export interface MessageRules {
  readonly malformed: Malformed;
  /** Whether Host is compared with `:authority` as RFC 3986 §6.2.3 says, or as text. */
  readonly normalizesHost: boolean;
}

const COLON = 0x3a;

/**
 * Checks the field section of a request and takes it apart.
 *
 * @throws what `malformed` of the rules makes
 */
export function readRequest(section: readonly Field[], rules: MessageRules): RequestHead {
  const { malformed } = rules;
  const head: RequestHead = {
    method: "",
    scheme: null,
    authority: null,
    path: null,
    protocol: null,
    fields: [],
  };
  const start = readRequestPseudo(section, head, malformed);
  const regular = readRegularFields(section, start, malformed);
  head.fields = joinCookies(regular);
  if (regular.hasContentLength) readContentLength(head.fields, malformed);
  if (!isToken(head.method)) throw malformed("Request without a valid :method");
  if (head.method !== "CONNECT") {
    // RFC 8441 §4: :protocol turns a CONNECT, and no other method, into an extended one.
    if (head.protocol !== null) throw malformed(`:protocol with method ${head.method}`);
    checkTarget(head, malformed);
  } else if (head.protocol !== null) {
    checkExtendedConnect(head, malformed);
  } else {
    checkConnect(head, malformed);
  }
  // RFC 9110 §7.2: a request has one Host.
  if (regular.hosts > 1) throw malformed("Field host comes twice");
  head.authority = checkHost(head, regular.host, rules);
  return head;
}

/**
 * Checks the field section of a response and takes it apart.
 *
 * @throws what `malformed` makes
 */
export function readResponse(section: readonly Field[], malformed: Malformed): ResponseHead {
  let status = "";
  let start = 0;
  for (; start < section.length && isPseudo(section[start]); start++) {
    const [name, value] = section[start];
    if (name !== ":status") throw notAllowed(name, malformed);
    if (start > 0) throw malformed("Pseudo-header field :status comes twice");
    status = value;
  }
  const regular = readRegularFields(section, start, malformed);
  // RFC 9113 §8.3.2, RFC 9114 §4.3.2: one :status MUST be there. RFC 9110 §15: 100 to 599.
  if (!/^[1-5][0-9]{2}$/.test(status)) throw malformed("Response without a valid :status");
  // RFC 9113 §8.6, RFC 9114 §4.5: there is no 101.
  if (status === "101") throw malformed("Response with status 101");
  // RFC 9113 §8.2.2, RFC 9114 §4.2: TE is for requests only.
  if (regular.hasTe) throw malformed("Connection-specific field te");
  if (regular.hasContentLength) readContentLength(regular.fields, malformed);
  return { status: Number(status), fields: regular.fields };
}

/**
 * RFC 9113 §8.1, RFC 9114 §4.3: trailers have no pseudo-header fields; else they follow the rules
 * of all fields.
 *
 * @throws what `malformed` makes
 */
export function readTrailers(section: readonly Field[], malformed: Malformed): Field[] {
  return readRegularFields(section, 0, malformed).fields;
}

/** Takes the pseudo-header fields of a request; gives how many they are. */
function readRequestPseudo(
  section: readonly Field[],
  head: RequestHead,
  malformed: Malformed,
): number {
  let at = 0;
  for (; at < section.length && isPseudo(section[at]); at++) {
    const [name, value] = section[at];
    const key = REQUEST_PSEUDO.get(name);
    if (key === undefined) throw notAllowed(name, malformed);
    // RFC 9113 §8.3, RFC 9114 §4.3.1: each of them MUST NOT appear more than once.
    const isFirst = key === "method" ? head.method === "" : head[key] === null;
    if (!isFirst) throw malformed(`Pseudo-header field ${name} comes twice`);
    if (!isFieldValue(value)) throw malformed(`Invalid value of ${name}`);
    if (key === "method" && value === "") throw malformed("Request without a valid :method");
    head[key] = value;
  }
  return at;
}

const REQUEST_PSEUDO = new Map<string, "method" | "scheme" | "authority" | "path" | "protocol">([
  [":method", "method"],
  [":scheme", "scheme"],
  [":authority", "authority"],
  [":path", "path"],
  [":protocol", "protocol"],
]);

function isPseudo([name]: Field): boolean {
  return name.charCodeAt(0) === COLON;
}

/** RFC 9113 §8.3, RFC 9114 §4.3: only what is defined, in the messages that it is defined for. */
function notAllowed(name: string, malformed: Malformed) {
  return malformed(`Pseudo-header field ${quote(name)} is not allowed here`);
}

/** RFC 9113 §8.3.1, RFC 9114 §4.3.1: all but CONNECT have one :method, :scheme and :path. */
function checkTarget({ method, scheme, path }: RequestHead, malformed: Malformed): void {
  if (scheme === null) throw malformed("Request without :scheme");
  // RFC 3986 §3.1
  if (!/^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme)) throw malformed("Invalid :scheme");
  if (path === null) throw malformed("Request without :path");
  // RFC 3986 §3.3, §3.4: what has no place in a path or query would break a request line.
  if (!/^[\x21\x22\x24-\x7e]*$/.test(path)) throw malformed("Invalid :path");
  if (!hasAuthority(scheme)) return;
  // RFC 9113 §8.3.1, RFC 9114 §4.3.1: of http and https, :path MUST NOT be empty; OPTIONS may
  // have "*".
  if (path.startsWith("/") || (path === "*" && method === "OPTIONS")) return;
  throw malformed(`:path ${quote(path)} does not start with "/"`);
}

/** RFC 8441 §4: extended CONNECT MUST have :scheme and :path, and names its host as others do. */
function checkExtendedConnect(head: RequestHead, malformed: Malformed): void {
  checkTarget(head, malformed);
  if (head.authority === null) throw malformed("Extended CONNECT without :authority");
  // RFC 9110 §7.8: protocol = token ["/" token], from the registry of upgrade tokens.
  const parts = head.protocol!.split("/");
  if (parts.length > 2 || !parts.every(isToken)) throw malformed("Invalid :protocol");
}

/** RFC 9113 §8.5, RFC 9114 §4.4: CONNECT has :authority, and no :scheme and :path. */
function checkConnect({ scheme, path, authority }: RequestHead, malformed: Malformed): void {
  if (scheme !== null) throw malformed("CONNECT with :scheme");
  if (path !== null) throw malformed("CONNECT with :path");
  if (authority === null) throw malformed("CONNECT without :authority");
  // RFC 9110 §9.3.6: host and port; an empty or invalid port MUST be rejected.
  if (!isConnectAuthority(authority)) throw malformed("CONNECT without a valid host and port");
}

/** RFC 9113 §8.3.1, RFC 9114 §4.3.1: what :authority and Host MUST be; gives the authority. */
function checkHost(head: RequestHead, host: string | null, rules: MessageRules): string | null {
  const { malformed } = rules;
  const { scheme, authority, method } = head;
  if (authority !== null && host !== null && !isSame(head, host, rules)) {
    throw malformed(":authority and host differ");
  }
  const given = authority ?? host;
  if (method !== "CONNECT" && !hasAuthority(scheme)) return given;
  // RFC 9114 §4.3.1: http and https MUST have :authority or Host, which MUST NOT be empty.
  if (given === null) throw malformed("Request without :authority and host");
  // RFC 9113 §8.3.1, RFC 9114 §4.3.1: of http and https, :authority MUST NOT include userinfo.
  if (!isAuthority(given)) throw malformed("Invalid :authority or host");
  return given;
}

/**
 * RFC 9114 §4.3.1: if both are there, they MUST contain the same value.
 * RFC 9113 §8.3.1: they MUST be normalized before they are compared.
 */
function isSame({ authority, scheme }: RequestHead, host: string, rules: MessageRules): boolean {
  if (authority === host || authority?.toLowerCase() === host.toLowerCase()) return true;
  if (!rules.normalizesHost) return false;
  const [one, other] = [parseAuthority(authority ?? ""), parseAuthority(host)];
  if (one === null || other === null || one.host !== other.host) return false;
  const standard = scheme === "https" || scheme === "wss" ? 443 : 80;
  return (one.port ?? standard) === (other.port ?? standard);
}

/** Whether URIs of this scheme must have an authority. */
function hasAuthority(scheme: string | null): boolean {
  switch (scheme?.toLowerCase()) {
    case "http":
    case "https":
    case "ws":
    case "wss":
      return true;
  }
  return false;
}

/**
 * The field section of a request. Connection-specific fields are left out, and so is Host where
 * there is an authority.
 *
 * @throws what `malformed` of the rules makes, for what would be malformed
 */
export function requestSection(head: RequestHead, rules: MessageRules): Field[] {
  const section: Field[] = [[":method", head.method]];
  if (head.protocol !== null) section.push([":protocol", head.protocol]);
  if (head.scheme !== null) section.push([":scheme", head.scheme]);
  if (head.authority !== null) section.push([":authority", head.authority]);
  if (head.path !== null) section.push([":path", head.path]);
  for (const field of withoutConnection(head.fields)) {
    const name = field[0];
    if (name === "host" && head.authority !== null) continue;
    if (name === "te" && field[1].toLowerCase() !== "trailers") continue;
    section.push(field);
  }
  readRequest(section, rules);
  return section;
}

/** RFC 9110 §6.4.1, §15.3.6: answers without content, whatever their fields say. */
export function isBodiless(method: string, status: number): boolean {
  return method === "HEAD" || status === 204 || status === 205 || status === 304;
}

/**
 * The field section of a response. Connection-specific fields are left out, and so is Content-Length
 * where none may be.
 *
 * @throws what `malformed` makes, for what would be malformed
 */
export function responseSection(
  status: number,
  fields: readonly Field[],
  malformed: Malformed,
): Field[] {
  const section: Field[] = [[":status", String(status)]];
  // RFC 9110 §8.6: a server MUST NOT send Content-Length in a 1xx or a 204; §15.3.6: a 205 has none.
  const hasLength = status >= 200 && status !== 204 && status !== 205;
  for (const field of withoutConnection(fields)) {
    const name = field[0];
    if (name !== "te" && (hasLength || name !== "content-length")) section.push(field);
  }
  readResponse(section, malformed);
  return section;
}
