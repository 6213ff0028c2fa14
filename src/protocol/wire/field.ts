/**
 * One header field. Names are in lower case; each character of a value is one byte (latin1), so
 * that what a peer sent goes on unchanged.
 */
export type Field = readonly [name: string, value: string];

/** RFC 7541 §4.1, RFC 9113 §6.5.2, RFC 9114 §4.2.2: what a field counts beside name and value. */
export const FIELD_OVERHEAD_BYTES = 32;

/** RFC 7541 §4.1, RFC 9113 §6.5.2, RFC 9114 §4.2.2: the size of a field that is not encoded. */
export function fieldSize(name: string, value: string): number {
  return name.length + value.length + FIELD_OVERHEAD_BYTES;
}

/** The value of the first field with this lower-case name, or `null`. */
export function getField(fields: readonly Field[], name: string): string | null {
  for (const field of fields) {
    if (field[0] === name) return field[1];
  }
  return null;
}

/** The values of all fields with this lower-case name, in order. */
export function getFields(fields: readonly Field[], name: string): string[] {
  const values: string[] = [];
  for (const field of fields) {
    if (field[0] === name) values.push(field[1]);
  }
  return values;
}

const TOKEN = new Uint8Array(128);
for (const c of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  TOKEN[c.charCodeAt(0)] = 1;
}

/** RFC 9110 §5.6.2: token = 1*tchar. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c > 127 || TOKEN[c] === 0) return false;
  }
  return text.length > 0;
}

/**
 * RFC 9110 §5.5: no CR, LF or NUL, and no white space at either end. Other control characters but
 * HTAB are refused too.
 */
export function isFieldValue(text: string): boolean {
  const last = text.length - 1;
  if (last < 0) return true;
  if (isBlank(text.charCodeAt(0)) || isBlank(text.charCodeAt(last))) return false;
  for (let i = 0; i <= last; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x20 ? c !== 0x09 : c === 0x7f || c > 0xff) return false;
  }
  return true;
}

function isBlank(c: number): boolean {
  return c === 0x20 || c === 0x09;
}
