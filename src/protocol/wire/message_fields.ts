// RFC 9113 §8.2, RFC 9114 §4.2: what holds for the regular fields of every message of HTTP/2 and
// HTTP/3. Both say the same; only the error's code is each one's own.
import type { PeerError } from "./error.ts";
import { type Field, isFieldValue } from "./field.ts";

/** Makes the stream error for a message that is malformed. */
export type Malformed = (message: string) => PeerError;

/** What a message has beside its pseudo-header fields. */
export interface RegularFields {
  readonly fields: Field[];
  /** What the first Host says; `null` without one. */
  host: string | null;
  hosts: number;
  hasContentLength: boolean;
  /** How many Cookie fields there are. */
  cookies: number;
  hasTe: boolean;
}

/** Names of fields that have rules of their own. */
const Special = { CONNECTION: 0, TE: 1, HOST: 2, CONTENT_LENGTH: 3, COOKIE: 4 } as const;
type Special = typeof Special[keyof typeof Special];

const SPECIAL = new Map<string, Special>([
  // RFC 9110 §7.6.1: fields that speak of one connection.
  ["connection", Special.CONNECTION],
  ["keep-alive", Special.CONNECTION],
  ["proxy-connection", Special.CONNECTION],
  ["transfer-encoding", Special.CONNECTION],
  ["upgrade", Special.CONNECTION],
  ["te", Special.TE],
  ["host", Special.HOST],
  ["content-length", Special.CONTENT_LENGTH],
  ["cookie", Special.COOKIE],
]);

const COLON = 0x3a;

const LOWER_TOKEN = new Uint8Array(128);
for (const c of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
  LOWER_TOKEN[c.charCodeAt(0)] = 1;
}

/**
 * Checks all fields of `section` from `start` on, where its pseudo-header fields end.
 *
 * @throws what `malformed` makes
 */
export function readRegularFields(
  section: readonly Field[],
  start: number,
  malformed: Malformed,
): RegularFields {
  const regular: RegularFields = {
    fields: section.slice(start),
    host: null,
    hosts: 0,
    hasContentLength: false,
    cookies: 0,
    hasTe: false,
  };
  for (let i = start; i < section.length; i++) {
    const name = section[i][0];
    const value = section[i][1];
    // RFC 9113 §8.2.1, RFC 9114 §4.2 and §10.3: a name with upper-case characters, or with such as
    // are not allowed, name or value, MUST be treated as malformed.
    if (!isLowerToken(name)) throw badName(name, malformed);
    if (!isFieldValue(value)) throw malformed(`Invalid value of field ${name}`);
    const special = SPECIAL.get(name);
    // RFC 9113 §8.2.2, RFC 9114 §4.2: connection-specific fields make a message malformed.
    if (special === Special.CONNECTION) throw malformed(`Connection-specific field ${name}`);
    if (special !== undefined) note(regular, section[i], malformed);
  }
  return regular;
}

/** Takes down what a field with rules of its own says. */
function note(regular: RegularFields, [name, value]: Field, malformed: Malformed): void {
  switch (SPECIAL.get(name)) {
    case Special.TE:
      // RFC 9113 §8.2.2, RFC 9114 §4.2: TE MUST NOT contain any value other than "trailers".
      if (value.toLowerCase() !== "trailers") throw malformed("Bad field te");
      regular.hasTe = true;
      return;
    case Special.HOST:
      if (regular.hosts++ === 0) regular.host = value;
      return;
    case Special.CONTENT_LENGTH:
      regular.hasContentLength = true;
      return;
    case Special.COOKIE:
      regular.cookies++;
  }
}

/**
 * What Content-Length says; `null` without one.
 *
 * @throws what `malformed` makes, when it is not one whole number
 */
export function readContentLength(fields: readonly Field[], malformed: Malformed): number | null {
  let length: number | null = null;
  for (const [name, value] of fields) {
    if (name !== "content-length") continue;
    // RFC 9110 §8.6: Content-Length = 1*DIGIT; several of them are an error.
    if (length !== null) throw malformed("Field content-length comes twice");
    length = /^[0-9]{1,16}$/.test(value) ? Number(value) : NaN;
    if (!Number.isSafeInteger(length)) throw malformed("Bad content-length");
  }
  return length;
}

/**
 * RFC 9113 §8.2.3, RFC 9114 §4.2.1: several Cookie fields MUST be joined with "; " before they go
 * elsewhere.
 */
export function joinCookies({ fields, cookies }: RegularFields): Field[] {
  if (cookies < 2) return fields;
  const first = fields.findIndex(([name]) => name === "cookie");
  // An empty crumb would leave a blank at the end, which no value may have (RFC 9110 §5.5).
  const crumbs = fields.filter(([name, value]) => name === "cookie" && value !== "")
    .map(([, value]) => value);
  const joined: Field = ["cookie", crumbs.join("; ")];
  return fields.flatMap((field, i) =>
    i === first ? [joined] : field[0] === "cookie" ? [] : [field]
  );
}

/** RFC 9110 §7.6.1: without the fields of the connection, and those that Connection names. */
export function withoutConnection(fields: readonly Field[]): Field[] {
  let named: Set<string> | null = null;
  for (const [name, value] of fields) {
    if (name !== "connection") continue;
    named ??= new Set();
    for (const option of value.split(",")) named.add(option.trim().toLowerCase());
  }
  return fields.filter(([name]) =>
    SPECIAL.get(name) !== Special.CONNECTION && !(named?.has(name) ?? false)
  );
}

/** What a peer sent, short and harmless enough for a message. */
export function quote(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}

function isLowerToken(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i);
    if (c > 127 || LOWER_TOKEN[c] === 0) return false;
  }
  return name.length > 0;
}

/** Why a name is not one of a regular field. */
function badName(name: string, malformed: Malformed): PeerError {
  if (name.charCodeAt(0) !== COLON) return malformed(`Invalid field name ${quote(name)}`);
  // RFC 9113 §8.3, RFC 9114 §4.3: pseudo-header fields MUST come before regular ones.
  return malformed(`Pseudo-header field ${quote(name)} has no place here`);
}
