// RFC 9110 §7.8: from HTTP/1.1 to another protocol on the same connection.
import { type Field, isToken } from "../wire/field.ts";
import { hasConnectionOption } from "./connection.ts";
import { HttpError, HttpStatus } from "./error.ts";
import { declaredFraming } from "./framing.ts";
import type { RequestHead, ResponseHead } from "./head.ts";
import { listMembers } from "./octets.ts";

const H2C = "h2c";

/**
 * The protocols that a request offers to switch to, as they were written, in order of preference:
 * names with versions (`HTTP/2.0`) or without. `null` for an ordinary request. `h2c` is left out,
 * for a proxy that passed it on would no longer see the requests: `offersH2c` tells.
 *
 * Throws `HttpError` 400 for an offer that is malformed, and for a WebSocket with a body: there
 * one server reads frames where another reads the body.
 */
export function upgradeOf(head: RequestHead): string[] | null {
  const offered = offers(head);
  const protocols = offered.filter((protocol) => protocol.toLowerCase() !== H2C);
  if (protocols.length === 0) return null;
  if (protocols.some((protocol) => protocol.toLowerCase() === "websocket")) {
    const { version, fields } = head;
    const framing = declaredFraming({ isRequest: true, version, fields });
    if (framing !== null && framing !== 0) throw malformed("WebSocket handshake with a body");
  }
  return protocols;
}

/** Whether a request offers cleartext HTTP/2 by Upgrade, which RFC 9113 §3.1 took back. */
export function offersH2c(head: RequestHead): boolean {
  return offers(head).some((protocol) => protocol.toLowerCase() === H2C);
}

/**
 * The protocol that a 101 switches to. Throws `HttpError` 502 unless it is one of those that were
 * offered, and for a 101 that nobody asked for. RFC 9110 §7.8, §15.2.2.
 */
export function switchedTo(head: ResponseHead, offered: readonly string[]): string {
  const { status, version, fields } = head;
  const protocols = upgradeFields(fields);
  if (status !== 101 || version !== "1.1" || !hasConnectionOption(fields, "upgrade")) {
    throw refused(`${status} without Connection: Upgrade`);
  }
  // RFC 9110 §7.8: a server MUST NOT switch to a protocol that was not indicated. It may name
  // several layers, of which nothing here would make one tunnel.
  const [protocol] = protocols;
  const isOffered = (name: string) => name.toLowerCase() === protocol.toLowerCase();
  if (protocols.length !== 1 || !offered.some(isOffered)) {
    throw refused("101 to a protocol that was not offered");
  }
  return protocol;
}

/** All that Upgrade lists, where it counts. */
function offers(head: RequestHead): string[] {
  const { method, version, fields } = head;
  const protocols = upgradeFields(fields);
  // RFC 9110 §7.8: it MUST be ignored in HTTP/1.0, and it goes with the option "upgrade". What
  // follows a CONNECT is a tunnel already.
  if (protocols.length === 0 || version === "1.0" || method === "CONNECT") return [];
  if (!hasConnectionOption(fields, "upgrade")) return [];
  // RFC 9110 §7.8: protocol = token ["/" token].
  for (const protocol of protocols) {
    const parts = protocol.split("/");
    if (parts.length > 2 || !parts.every(isToken)) throw malformed("Invalid Upgrade field");
  }
  return protocols;
}

function upgradeFields(fields: readonly Field[]): string[] {
  const protocols: string[] = [];
  for (const [name, value] of fields) {
    if (name === "upgrade") protocols.push(...listMembers(value));
  }
  return protocols;
}

function malformed(message: string): HttpError {
  return new HttpError(HttpStatus.BAD_REQUEST, message);
}

function refused(message: string): HttpError {
  return new HttpError(HttpStatus.BAD_GATEWAY, message);
}
