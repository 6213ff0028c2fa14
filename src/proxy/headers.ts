// RFC 9110 §7.6, RFC 7239: which fields go on to the next hop, and what the proxy says itself.
import type { OfferRequest } from "../ingress/offer.ts";
import { connectionOptions, endToEnd } from "../protocol/http1/connection.ts";
import type { HttpVersion } from "../protocol/http1/framing.ts";
import { loweredMaxForwards, via } from "../protocol/http1/intermediary.ts";
import { acceptsTrailers } from "../protocol/http1/trailers.ts";
import { type Field, getField, getFields, isToken } from "../protocol/wire/field.ts";

/** What is done to the fields of a message at the last; names in lower case. */
export interface FieldRules {
  /** Taken away. */
  readonly remove?: ReadonlySet<string>;
  /** Put in the place of all fields of the same name. */
  readonly set?: readonly Field[];
}

/** How a request is told to a backend. */
export interface RequestRules extends FieldRules {
  /**
   * Whether the client at this IP address is a proxy that tells the truth about its own client.
   * What it says is added to; what anyone else says is overwritten. Default: nobody is.
   */
  readonly trustedProxies?: (ip: string) => boolean;
  /** The Host that the backend gets; `null` for that of the request. */
  readonly host?: string | null;
  /** Whether Forwarded (RFC 7239) is written beside X-Forwarded-*. Default: yes. */
  readonly forwarded?: boolean;
}

/** How an answer is told to a client. */
export interface ResponseRules extends FieldRules {
  /** What Alt-Svc says (RFC 7838), `null` for none of it; without it, what the backend says. */
  readonly altSvc?: string | null;
}

// What the proxy says itself on the way to the backend.
const REWRITTEN: ReadonlySet<string> = new Set(["host", "via"]);

// What says who the client is: the word of nobody but a trusted proxy.
const CLAIM = /^(?:forwarded$|x-forwarded-|x-real-ip$)/;

// What says who the client is or where it goes is read in the head, and written there.
const HEAD_ONLY = /^(?:forwarded|x-forwarded-.*|x-real-ip|x-cmux-.*|via)$/;

const WRITTEN_CLAIMS: ReadonlySet<string> = new Set([
  ...["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"],
  "forwarded",
]);

// The handshake that the client made with us is not the one that we make with the backend.
const HANDSHAKE: ReadonlySet<string> = new Set([
  ...["content-length", "expect", "trailer"],
  ...["sec-websocket-key", "sec-websocket-version", "sec-websocket-accept"],
]);

const UPGRADE_RULES: RequestRules = { forwarded: false };

/** "ip:port" or "[ip]:port" without its port; "unknown" stays (RFC 7239 §6.2). */
export function ipOf(remote: string): string {
  const ip = remote.replace(/:[0-9]+$/, "");
  return ip.startsWith("[") ? ip.slice(1, -1) : ip;
}

/**
 * The fields of an ordinary request for the backend: `host`, all that the client sent end to end,
 * and who it is. What frames its content is left to those who send it.
 */
export function requestFields(request: OfferRequest, rules: RequestRules = {}): Field[] {
  const fields: Field[] = [["host", rules.host ?? request.authority]];
  pushFields(fields, request, rules);
  // RFC 9110 §10.1.4: TE is for one hop, but this hop passes trailers on.
  if (acceptsTrailers(request.fields)) fields.push(["te", "trailers"]);
  return withRules(fields, rules);
}

/**
 * The fields of the upgrade request that goes to the backend, but for those of the handshake: all
 * that the client sent end to end, and who it is.
 */
export function upgradeFields(
  request: OfferRequest,
  rules: RequestRules = UPGRADE_RULES,
): Field[] {
  const fields: Field[] = [];
  pushFields(fields, request, rules);
  return withRules(fields.filter(([name]) => !HANDSHAKE.has(name)), rules);
}

function pushFields(fields: Field[], request: OfferRequest, rules: RequestRules): void {
  const trusted = rules.trustedProxies?.(ipOf(request.remote)) ?? false;
  pushEndToEnd(fields, request, trusted);
  pushHops(fields, request, trusted);
  if (rules.forwarded !== false) fields.push(forwarded(request, trusted));
  fields.push(via(request.fields, request.received ?? request.http));
}

function pushEndToEnd(fields: Field[], request: OfferRequest, trusted: boolean): void {
  for (const field of endToEnd(request.fields)) {
    const name = field[0];
    if (REWRITTEN.has(name) || WRITTEN_CLAIMS.has(name)) continue;
    // RFC 3875 §4.1.18: to a CGI program "-" and "_" in names are the same.
    if (CLAIM.test(name) ? !trusted : CLAIM.test(name.replaceAll("_", "-"))) continue;
    fields.push(
      name === "max-forwards"
        ? ["max-forwards", loweredMaxForwards(request.method, field[1])]
        : field,
    );
  }
}

/** Who the client is, and what it asked for, in the fields that all backends know. */
function pushHops(fields: Field[], request: OfferRequest, trusted: boolean): void {
  const { authority, remote } = request;
  // As they came: a client could have Connection name them, for them to be lost here.
  const claims = trusted ? request.fields : [];
  const proto = protoOf(request);
  fields.push(
    ["x-forwarded-for", [...getFields(claims, "x-forwarded-for"), ipOf(remote)].join(", ")],
    ["x-forwarded-proto", getField(claims, "x-forwarded-proto") ?? proto],
    ["x-forwarded-host", getField(claims, "x-forwarded-host") ?? authority],
    ["x-forwarded-port", getField(claims, "x-forwarded-port") ?? portOf(authority, proto)],
  );
}

/** RFC 7239 §4: one element for each hop, ours last. */
function forwarded(request: OfferRequest, trusted: boolean): Field {
  const { authority, remote } = request;
  const host = authority === "" ? "" : `;host=${quoted(authority)}`;
  const hop = `for=${node(ipOf(remote))}${host};proto=${protoOf(request)}`;
  return ["forwarded", trusted ? [...forwardedBefore(request.fields), hop].join(", ") : hop];
}

/** RFC 7239 §7.4: what a proxy said by X-Forwarded-For alone is said by Forwarded too. */
function forwardedBefore(claims: readonly Field[]): string[] {
  const before = getFields(claims, "forwarded");
  if (before.length > 0) return before;
  return getFields(claims, "x-forwarded-for").flatMap((value) => value.split(","))
    .map((one) => one.trim()).filter((one) => one !== "")
    .map((one) => `for=${node(one)}`);
}

/** Any :scheme can be written, but HTTP/3 comes by TLS alone (RFC 9114 §3.1). */
function protoOf({ http, scheme }: OfferRequest): string {
  return http === "3" ? "https" : scheme;
}

/** The port that the client went to. */
function portOf(authority: string, proto: string): string {
  const port = /:([0-9]+)$/.exec(authority);
  return port?.[1] ?? (proto === "https" ? "443" : "80");
}

/** RFC 7239 §6: an address as a node: IPv6 in brackets and quoted. */
function node(ip: string): string {
  return quoted(IPV6.test(ip) ? `[${ip}]` : ip);
}

const IPV6 = /^[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*$/i;

/** RFC 7239 §4: value = token / quoted-string. */
function quoted(text: string): string {
  return isToken(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/**
 * The trailer fields of a message for the next hop: nothing goes by them that was taken out of its
 * head, where its Connection field is, too. Those of requests say nothing of who the client is.
 */
export function trailerFields(
  trailers: readonly Field[],
  head: readonly Field[],
  { remove, set }: FieldRules,
): Field[] {
  if (trailers.length === 0) return [];
  // RFC 9110 §7.6.1: what Connection names is removed from header and trailer fields.
  const named = connectionOptions(head);
  return endToEnd(trailers).filter(([name]) =>
    !named.includes(name) && remove?.has(name) !== true &&
    set?.some((field) => field[0] === name) !== true &&
    !HEAD_ONLY.test(name.replaceAll("_", "-"))
  );
}

function withRules(fields: Field[], { remove, set }: FieldRules): Field[] {
  if (remove === undefined && set === undefined) return fields;
  const left = fields.filter(([name]) =>
    remove?.has(name) !== true && set?.some((field) => field[0] === name) !== true
  );
  return set === undefined ? left : [...left, ...set];
}

/**
 * The fields of a backend's answer for the client, whatever its status. `version` is that of HTTP
 * by which it came.
 */
export function responseFields(
  fields: readonly Field[],
  rules: ResponseRules = {},
  version: HttpVersion = "1.1",
): Field[] {
  const { altSvc } = rules;
  const answer: Field[] = [];
  for (const field of endToEnd(fields)) {
    if (field[0] === "via" || (altSvc !== undefined && field[0] === "alt-svc")) continue;
    answer.push(field);
  }
  answer.push(via(fields, version));
  if (typeof altSvc === "string") answer.push(["alt-svc", altSvc]);
  return withRules(answer, rules);
}

/** The fields of the backend's 101 that the client gets with its 200. */
export function acceptedFields(
  fields: readonly Field[],
  accept: string | null,
  rules: ResponseRules = {},
): Field[] {
  const answer = responseFields(fields, rules).filter(([name]) =>
    name !== "sec-websocket-accept" && name !== "content-length"
  );
  // Not asked for over HTTP/3 (RFC 9220 §3), but a client that sent a key may look for it.
  if (accept !== null) answer.push(["sec-websocket-accept", accept]);
  return answer;
}

export function clientKey(request: OfferRequest): string | null {
  return getField(request.fields, "sec-websocket-key");
}
