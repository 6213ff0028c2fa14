// RFC 9112 §5: field lines as bytes. What can't be written is a bug of ours: TypeError.
import { type Field, isFieldValue, isToken } from "../wire/field.ts";
import { latin1Bytes } from "../wire/latin1.ts";
import { canonicalName, LINE_START } from "./names.ts";
import { CONTROL, isOws } from "./octets.ts";

const utf8 = new TextEncoder();

/**
 * A start line, without its CRLF, the lines of fields and the empty line, as bytes. Throws
 * TypeError for a field that would not come back as it is.
 */
export function encodeLines(startLine: string, fields: readonly Field[]): Uint8Array {
  let text = startLine + "\r\n";
  for (const [name, value] of fields) {
    text += (LINE_START.get(name) ?? lineStart(name)) + value + "\r\n";
    if (hasBlankEnds(value)) refuse(name);
  }
  text += "\r\n";
  const bytes = new Uint8Array(text.length);
  // ASCII is the same in UTF-8; of all else, each character is one byte.
  if (utf8.encodeInto(text, bytes).read !== text.length) {
    if (/[^\0-\xff]/.test(text)) refuseWhere(fields);
    bytes.set(latin1Bytes(text));
  }
  // RFC 9110 §5.5: CR, LF and NUL are dangerous: none is written but those that end the lines.
  let controls = 0;
  for (let i = 0; i < bytes.length; i++) controls += CONTROL[bytes[i]];
  if (controls !== 2 * (fields.length + 2)) refuseWhere(fields);
  return bytes;
}

function lineStart(name: string): string {
  if (!isToken(name) || name !== name.toLowerCase()) {
    throw new TypeError(`Invalid field name ${JSON.stringify(name)}`);
  }
  return `${canonicalName(name)}: `;
}

function hasBlankEnds(value: string): boolean {
  return isOws(value.charCodeAt(0)) || isOws(value.charCodeAt(value.length - 1));
}

function refuseWhere(fields: readonly Field[]): never {
  const bad = fields.find(([, value]) => !isFieldValue(value));
  if (bad === undefined) throw new TypeError("Invalid start line");
  return refuse(bad[0]);
}

function refuse(name: string): never {
  throw new TypeError(`Invalid value of field ${name}`);
}
