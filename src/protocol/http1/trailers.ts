// RFC 9110 §6.5: fields behind the content.
import { type Field, getFields } from "../wire/field.ts";
import { listMembers } from "./octets.ts";

// RFC 9110 §6.5.1: what is needed before the content is not for a trailer section: framing,
// routing, request modifiers, authentication, response control data, and how to read the content.
// A reader that merged it into the header section would take back what was checked there.
const FORBIDDEN = new Set([
  ...[
    "content-length",
    "transfer-encoding",
    "trailer",
    "connection",
    "keep-alive",
    "te",
    "upgrade",
  ],
  ...["proxy-connection", "http2-settings", "host", "via", "forwarded", "x-real-ip", "origin"],
  ...["cache-control", "expect", "max-forwards", "pragma", "range", "content-encoding"],
  ...["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"],
  ...["authorization", "proxy-authenticate", "proxy-authorization", "www-authenticate", "cookie"],
  ...["set-cookie", "age", "date", "expires", "location", "retry-after", "vary"],
  ...["content-type", "content-range", "content-location"],
]);
const FORBIDDEN_PREFIX = /^(?:x-forwarded|sec)-/;

/** Whether a trailer section may have a field of this lower-case name. */
export function isTrailerField(name: string): boolean {
  return !FORBIDDEN.has(name) && !FORBIDDEN_PREFIX.test(name);
}

/** The fields that may go on in a trailer section; RFC 9110 §6.5.1: the others are thrown away. */
export function trailerFields(fields: readonly Field[]): Field[] {
  return fields.filter(([name]) => isTrailerField(name));
}

/** RFC 9110 §10.1.4: whether the sender of these fields says, by TE, that it reads trailers. */
export function acceptsTrailers(fields: readonly Field[]): boolean {
  return getFields(fields, "te").some((value) =>
    listMembers(value).some((member) => member.toLowerCase() === "trailers")
  );
}
