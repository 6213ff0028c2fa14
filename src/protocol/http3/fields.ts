import { isAuthority, isConnectAuthority } from "../wire/authority.ts";
import { type Field, getField, isToken } from "../wire/field.ts";
import { H3Error } from "./codes.ts";
import {
  checkTe,
  contentLength,
  malformed,
  quote,
  readSection,
  withoutConnection,
} from "./field_section.ts";
export { contentLength } from "./field_section.ts";

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

const REQUEST_PSEUDO = new Set([":method", ":scheme", ":authority", ":path", ":protocol"]);
const RESPONSE_PSEUDO = new Set([":status"]);
const NO_PSEUDO = new Set<string>();

/**
 * RFC 9114 §4.3.1, RFC 8441 §4: checks the field section of a request and takes it apart.
 *
 * @throws {H3Error} H3_MESSAGE_ERROR of the stream when the request is malformed
 */
export function readRequestHead(section: readonly Field[]): RequestHead {
  const { pseudo, fields } = readSection(section, REQUEST_PSEUDO);
  const head: RequestHead = {
    method: pseudo.get(":method") ?? "",
    scheme: pseudo.get(":scheme") ?? null,
    authority: pseudo.get(":authority") ?? null,
    path: pseudo.get(":path") ?? null,
    protocol: pseudo.get(":protocol") ?? null,
    fields: joinCookies(fields),
  };
  checkTe(fields);
  contentLength(fields);
  if (!isToken(head.method)) throw malformed("Request without a valid :method");
  if (head.method !== "CONNECT") {
    // RFC 8441 §4: :protocol turns a CONNECT, and no other method, into an extended one.
    if (head.protocol !== null) throw malformed(`:protocol with method ${head.method}`);
    checkTarget(head);
  } else if (head.protocol !== null) {
    checkExtendedConnect(head);
  } else {
    checkConnect(head);
  }
  head.authority = checkHost(head);
  return head;
}

/**
 * RFC 9114 §4.3.2: checks the field section of a response and takes it apart.
 *
 * @throws {H3Error} H3_MESSAGE_ERROR of the stream when the response is malformed
 */
export function readResponseHead(section: readonly Field[]): ResponseHead {
  const { pseudo, fields } = readSection(section, RESPONSE_PSEUDO);
  const status = pseudo.get(":status") ?? "";
  // RFC 9114 §4.3.2: one :status MUST be there. RFC 9110 §15: three digits.
  if (!/^[1-9][0-9]{2}$/.test(status)) throw malformed("Response without a valid :status");
  // RFC 9114 §4.5: HTTP/3 has no 101.
  if (status === "101") throw malformed("Response with status 101");
  // RFC 9114 §4.2: TE is for requests only.
  if (getField(fields, "te") !== null) throw malformed("Connection-specific field te");
  contentLength(fields);
  return { status: Number(status), fields };
}

/**
 * RFC 9114 §4.3: trailers have no pseudo-header fields; else they follow the rules of all fields.
 *
 * @throws {H3Error} H3_MESSAGE_ERROR of the stream
 */
export function checkTrailers(section: readonly Field[]): void {
  const { fields } = readSection(section, NO_PSEUDO);
  checkTe(fields);
}

/** RFC 9114 §4.3.1: all requests but CONNECT have one :method, :scheme and :path. */
function checkTarget({ method, scheme, path }: RequestHead): void {
  if (scheme === null) throw malformed("Request without :scheme");
  // RFC 3986 §3.1
  if (!/^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme)) throw malformed("Invalid :scheme");
  if (path === null) throw malformed("Request without :path");
  // RFC 3986 §3.3, §3.4: what has no place in a path or query would break a request line.
  if (!/^[\x21\x22\x24-\x7e]*$/.test(path)) throw malformed("Invalid :path");
  if (!hasAuthority(scheme)) return;
  // RFC 9114 §4.3.1: of http and https, :path MUST NOT be empty; OPTIONS may have "*".
  if (path.startsWith("/") || (path === "*" && method === "OPTIONS")) return;
  throw malformed(`:path ${quote(path)} does not start with "/"`);
}

/** RFC 8441 §4: extended CONNECT MUST have :scheme and :path, and names its host as others do. */
function checkExtendedConnect(head: RequestHead): void {
  checkTarget(head);
  if (head.authority === null) throw malformed("Extended CONNECT without :authority");
  // RFC 9110 §7.8: protocol = token ["/" token], from the registry of upgrade tokens.
  const parts = head.protocol!.split("/");
  if (parts.length > 2 || !parts.every(isToken)) throw malformed("Invalid :protocol");
}

/** RFC 9114 §4.4: CONNECT has :authority, and no :scheme and :path. */
function checkConnect({ scheme, path, authority }: RequestHead): void {
  if (scheme !== null) throw malformed("CONNECT with :scheme");
  if (path !== null) throw malformed("CONNECT with :path");
  if (authority === null) throw malformed("CONNECT without :authority");
  // RFC 9110 §9.3.6: host and port; an empty or invalid port MUST be rejected.
  if (!isConnectAuthority(authority)) throw malformed("CONNECT without a valid host and port");
}

/** RFC 9114 §4.3.1: what :authority and Host MUST be; gives the authority. */
function checkHost({ scheme, authority, fields, method }: RequestHead): string | null {
  let host: string | null = null;
  for (const [name, value] of fields) {
    if (name !== "host") continue;
    if (host !== null) throw malformed("Field host comes twice");
    host = value;
  }
  // RFC 9114 §4.3.1: if both are there, they MUST contain the same value.
  if (authority !== null && host !== null && authority.toLowerCase() !== host.toLowerCase()) {
    throw malformed(":authority and host differ");
  }
  const given = authority ?? host;
  if (method !== "CONNECT" && !hasAuthority(scheme)) return given;
  // RFC 9114 §4.3.1: http and https MUST have :authority or Host, which MUST NOT be empty.
  if (given === null) throw malformed("Request without :authority and host");
  // RFC 9114 §4.3.1: of http and https, :authority MUST NOT include userinfo.
  if (given.includes("@")) throw malformed(":authority with userinfo");
  if (!isAuthority(given)) throw malformed("Invalid :authority or host");
  return given;
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

/** RFC 9114 §4.2.1: several Cookie fields MUST be joined with "; " before they go elsewhere. */
function joinCookies(fields: Field[]): Field[] {
  let first = -1;
  let count = 0;
  for (let i = 0; i < fields.length; i++) {
    if (fields[i][0] !== "cookie") continue;
    if (count++ === 0) first = i;
  }
  if (count < 2) return fields;
  // An empty crumb would leave a blank at the end, which no value may have (RFC 9110 §5.5).
  const crumbs = fields.filter(([name, value]) => name === "cookie" && value !== "")
    .map(([, value]) => value);
  const joined: Field = ["cookie", crumbs.join("; ")];
  return fields.flatMap((field, i) =>
    i === first ? [joined] : field[0] === "cookie" ? [] : [field]
  );
}

/**
 * The field section of a request. Connection-specific fields are left out, and so is Host where
 * there is an authority.
 *
 * @throws {TypeError} what would be malformed: a mistake of ours
 */
export function encodeRequest(head: RequestHead): Field[] {
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
  orTypeError(() => readRequestHead(section));
  return section;
}

/**
 * The field section of a response. Connection-specific fields are left out.
 *
 * @throws {TypeError} what would be malformed: a mistake of ours
 */
export function encodeResponse(status: number, fields: readonly Field[]): Field[] {
  const section: Field[] = [[":status", String(status)]];
  for (const field of withoutConnection(fields)) {
    if (field[0] !== "te") section.push(field);
  }
  orTypeError(() => readResponseHead(section));
  return section;
}

function orTypeError(check: () => unknown): void {
  try {
    check();
  } catch (error) {
    throw error instanceof H3Error ? new TypeError(error.message) : error;
  }
}
