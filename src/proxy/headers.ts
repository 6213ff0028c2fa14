import type { OfferRequest } from "../ingress/offer.ts";
import type { Field } from "../protocol/wire/field.ts";
import { getField, getFields } from "../protocol/wire/field.ts";

/** The name under which the proxy stands in `Via` (RFC 9110 §7.6.3). */
const PSEUDONYM = "h3ws";

// RFC 9110 §7.6.1: fields that are for one hop; those named by Connection come on top.
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

// What the proxy says itself on the way to the backend.
const REWRITTEN = new Set([
  "host",
  "content-length",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-accept",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "forwarded",
  "via",
]);

/** All fields that go on to the next hop. */
export function endToEnd(fields: readonly Field[]): Field[] {
  const named = new Set<string>();
  for (const value of getFields(fields, "connection")) {
    for (const token of value.split(",")) named.add(token.trim().toLowerCase());
  }
  return fields.filter(([name]) => !HOP_BY_HOP.has(name) && !named.has(name));
}

/** "ip:port" or "[ip]:port" without its port; "unknown" stays (RFC 7239 §6.2). */
function ipOf(remote: string): string {
  const ip = remote.replace(/:[0-9]+$/, "");
  return ip.startsWith("[") ? ip.slice(1, -1) : ip;
}

/** RFC 9110 §7.6.3: one entry for each hop, ours last. */
function via(fields: readonly Field[], version: string): Field {
  return ["via", [...getFields(fields, "via"), `${version} ${PSEUDONYM}`].join(", ")];
}

/**
 * The fields of the upgrade request that goes to the backend: all that the client sent end to end,
 * and who it is. X-Forwarded-* and Forwarded of the client are overwritten, for anyone could have
 * written them.
 */
export function upgradeFields(request: OfferRequest): Field[] {
  const fields = endToEnd(request.fields).filter(([name]) => !REWRITTEN.has(name));
  fields.push(
    ["x-forwarded-for", ipOf(request.remote)],
    // Any :scheme can be written, but HTTP/3 comes by TLS alone (RFC 9114 §3.1).
    ["x-forwarded-proto", request.http === "3" ? "https" : request.scheme],
    ["x-forwarded-host", request.authority],
    via(request.fields, request.http),
  );
  return fields;
}

/** The fields of the backend's 101 that the client gets with its 200. */
export function acceptedFields(fields: readonly Field[], accept: string | null): Field[] {
  const answer = endToEnd(fields).filter(([name]) =>
    name !== "sec-websocket-accept" && name !== "content-length" && name !== "via"
  );
  // Not asked for over HTTP/3 (RFC 9220 §3), but a client that sent a key may look for it.
  if (accept !== null) answer.push(["sec-websocket-accept", accept]);
  answer.push(via(fields, "1.1"));
  return answer;
}

/** The fields of a refusal of the backend's, for the client. */
export function refusalFields(fields: readonly Field[]): Field[] {
  return [...endToEnd(fields).filter(([name]) => name !== "via"), via(fields, "1.1")];
}

export function clientKey(request: OfferRequest): string | null {
  return getField(request.fields, "sec-websocket-key");
}
