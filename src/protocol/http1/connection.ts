// RFC 9110 §7.6.1, RFC 9112 §9: what a message says about its connection, and to the next hop only.
import type { Field } from "../wire/field.ts";
import type { HttpVersion } from "./framing.ts";
import { listMembers } from "./octets.ts";

// RFC 9110 §7.6.1: to be removed even where Connection does not name them. HTTP2-Settings is that
// of RFC 7540 §3.2.1. Proxy-Auth* are for the next proxy alone (RFC 9110 §11.7), and the server of
// a reverse proxy is none. Trailer is end to end (§6.6.2), for trailers are, too.
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  ...["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"],
  // RFC 3875 §4.1.18: to a CGI program these are Content-Length and Transfer-Encoding.
  ...["content_length", "transfer_encoding"],
  ...["http2-settings", "proxy-authenticate", "proxy-authorization", "proxy-authentication-info"],
]);

// RFC 9110 §7.6.1: Connection MUST NOT name fields that are for all recipients. Without these the
// next one would find other content than was sent, or none; so they stay.
const NEVER_NAMED: ReadonlySet<string> = new Set([
  ...["host", "content-length", "content-type", "content-encoding", "trailer"],
]);

/** The connection options of a message (RFC 9110 §7.6.1), in lower case. */
export function connectionOptions(fields: readonly Field[]): string[] {
  const options: string[] = [];
  for (const [name, value] of fields) {
    if (name === "connection") options.push(...listMembers(value.toLowerCase()));
  }
  return options;
}

/** Whether a message has this connection option, given in lower case. */
export function hasConnectionOption(fields: readonly Field[], option: string): boolean {
  for (const [name, value] of fields) {
    if (name !== "connection" || value.length < option.length) continue;
    const options = value.toLowerCase();
    if (options === option || listMembers(options).includes(option)) return true;
  }
  return false;
}

/**
 * Whether the connection goes on after this message, RFC 9112 §9.3: "close" says no, HTTP/1.1 says
 * yes, HTTP/1.0 needs "keep-alive". A response whose body ends with the connection, and one that
 * something comes behind unasked, is the last one in any case.
 */
export function isPersistent(
  head: { readonly version: HttpVersion; readonly fields: readonly Field[] },
): boolean {
  if (hasConnectionOption(head.fields, "close")) return false;
  return head.version === "1.1" || hasConnectionOption(head.fields, "keep-alive");
}

/** Whether a field of this lower-case name is for one hop, whatever Connection says. */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name);
}

/**
 * The fields that go on to the next hop, RFC 9110 §7.6.1. Transfer-Encoding is gone: the next head
 * needs a framing of its own.
 */
export function endToEnd(fields: readonly Field[]): Field[] {
  const named = connectionOptions(fields).filter((name) => !NEVER_NAMED.has(name));
  return fields.filter(([name]) => !HOP_BY_HOP.has(name) && !named.includes(name));
}
