import { type Field, isFieldValue, isToken } from "../wire/field.ts";
import { H3Code, H3Error } from "./codes.ts";

/** RFC 9114 §4.2: fields that speak of one connection, which HTTP/3 does without. */
const CONNECTION_SPECIFIC = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** A field section that was checked: pseudo-header fields by name, and the others. */
export interface Section {
  pseudo: Map<string, string>;
  fields: Field[];
}

/**
 * RFC 9114 §4.2, §4.3: checks what holds for the fields of every message.
 *
 * @throws {H3Error} H3_MESSAGE_ERROR of the stream
 */
export function readSection(section: readonly Field[], allowed: ReadonlySet<string>): Section {
  const pseudo = new Map<string, string>();
  const fields: Field[] = [];
  for (const field of section) {
    const [name, value] = field;
    if (name.charCodeAt(0) !== 0x3a) {
      checkField(name, value);
      fields.push(field);
      continue;
    }
    // RFC 9114 §4.3: pseudo-header fields MUST come before regular ones, only those that are
    // defined, in the messages they are defined for. §4.3.1, §4.3.2: each of them once.
    if (!allowed.has(name)) {
      throw malformed(`Pseudo-header field ${quote(name)} is not allowed here`);
    }
    if (fields.length > 0) throw malformed(`Pseudo-header field ${name} after a regular field`);
    if (pseudo.has(name)) throw malformed(`Pseudo-header field ${name} comes twice`);
    if (!isFieldValue(value)) throw malformed(`Invalid value of ${name}`);
    pseudo.set(name, value);
  }
  return { pseudo, fields };
}

function checkField(name: string, value: string): void {
  // RFC 9114 §4.2: a field name with upper-case characters MUST be treated as malformed.
  // RFC 9114 §10.3: so MUST one with characters that are not allowed, name or value.
  if (!isToken(name) || hasUpperCase(name)) throw malformed(`Invalid field name ${quote(name)}`);
  if (!isFieldValue(value)) throw malformed(`Invalid value of field ${name}`);
  // RFC 9114 §4.2: a message with connection-specific fields MUST be treated as malformed.
  if (CONNECTION_SPECIFIC.has(name)) throw malformed(`Connection-specific field ${name}`);
}

/** RFC 9114 §4.2.2: what each field counts beside its name and value. */
const FIELD_OVERHEAD_BYTES = 32;

/**
 * RFC 9114 §4.2.2: the size in bytes of a section that is not encoded, with its pseudo-header
 * fields: what SETTINGS_MAX_FIELD_SECTION_SIZE limits.
 */
export function fieldSectionSize(section: readonly Field[]): number {
  let size = 0;
  for (const [name, value] of section) size += name.length + value.length + FIELD_OVERHEAD_BYTES;
  return size;
}

/** RFC 9114 §4.2: TE MUST NOT contain any value other than "trailers". */
export function checkTe(fields: readonly Field[]): void {
  for (const [name, value] of fields) {
    if (name === "te" && value.toLowerCase() !== "trailers") throw malformed("Bad field te");
  }
}

/**
 * What Content-Length says; `null` without one.
 *
 * @throws {H3Error} H3_MESSAGE_ERROR of the stream when it is not one whole number
 */
export function contentLength(fields: readonly Field[]): number | null {
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

/** RFC 9110 §7.6.1: without the fields of the connection, and those that Connection names. */
export function withoutConnection(fields: readonly Field[]): Field[] {
  const named = new Set<string>();
  for (const [name, value] of fields) {
    if (name !== "connection") continue;
    for (const option of value.split(",")) named.add(option.trim().toLowerCase());
  }
  return fields.filter(([name]) => !CONNECTION_SPECIFIC.has(name) && !named.has(name));
}

function hasUpperCase(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i);
    if (c >= 0x41 && c <= 0x5a) return true;
  }
  return false;
}

/** What a peer sent, short and harmless enough for a message. */
export function quote(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}

/** RFC 9114 §4.1.2: a malformed message is a stream error H3_MESSAGE_ERROR. */
export function malformed(message: string): H3Error {
  return new H3Error(H3Code.H3_MESSAGE_ERROR, "stream", message);
}
