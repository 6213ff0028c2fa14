// RFC 9112 §5: one field line.
import { type Field, isFieldValue, isToken } from "../wire/field.ts";
import { HttpError } from "./error.ts";

/**
 * `name ":" OWS value OWS` without its CRLF. The name comes back in lower case, the value as it is.
 * Throws an `HttpError` with status `invalid` for whatever a lenient reader might repair.
 */
export function parseFieldLine(line: string, invalid: number): Field {
  const first = line.charCodeAt(0);
  // RFC 9112 §5.2: a line that begins with white space is obs-fold, §2.2: or precedes all fields.
  if (first === 0x20 || first === 0x09) {
    throw new HttpError(invalid, "A field line begins with white space (obs-fold)");
  }
  const colon = line.indexOf(":");
  if (colon < 0) throw new HttpError(invalid, "A field line has no colon");
  const name = line.slice(0, colon);
  // RFC 9112 §5.1: no white space between name and colon. RFC 9110 §5.1: a name is a token.
  if (!isToken(name)) throw new HttpError(invalid, `Invalid field name ${JSON.stringify(name)}`);
  const value = trimOws(line, colon + 1);
  if (!isFieldValue(value)) {
    throw new HttpError(invalid, `A control character in the value of ${name}`);
  }
  return [name.toLowerCase(), value];
}

/** RFC 9110 §5.6.3: OWS is SP and HTAB; `trim()` would take more. */
function trimOws(line: string, start: number): string {
  let end = line.length;
  while (start < end && isOws(line.charCodeAt(start))) start++;
  while (end > start && isOws(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

function isOws(c: number): boolean {
  return c === 0x20 || c === 0x09;
}
