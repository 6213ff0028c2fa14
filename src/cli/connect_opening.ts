import type { Offer, Tunnel } from "../ingress/offer.ts";
import { sha1 } from "../net/sha1.ts";
import { acceptFor, isValidKey, parseTokenList } from "../protocol/websocket/handshake.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { type Field, getField, getFields } from "../protocol/wire/field.ts";

/** A WebSocket whose handshake is done. */
export interface Opening {
  readonly stream: Tunnel;
  readonly http: "1.1" | "2" | "3";
  readonly protocol: string;
  readonly fields: readonly Field[];
}

/**
 * Answers a request: opens a WebSocket with the first of `subprotocols` that the client offers, or
 * refuses what is none (RFC 6455 §4.2). `null` where none was opened.
 */
export async function openingOf(
  offer: Offer,
  subprotocols: readonly string[],
): Promise<Opening | null> {
  const { fields, http } = offer.request;
  try {
    const refusal = refusalOf(offer);
    if (refusal !== null) {
      const body = new TextEncoder().encode(`${refusal.text}\n`);
      await offer.respond(refusal.status, refusal.fields, body);
      return null;
    }
    const offered = getFields(fields, "sec-websocket-protocol").flatMap(parseTokenList);
    const protocol = subprotocols.find((name) => offered.includes(name)) ?? "";
    const stream = await offer.accept(answerFields(fields, protocol));
    return { stream, http, protocol, fields };
  } catch (error) {
    if (error instanceof PeerError) await offer.respond(error.code, []).catch(() => {});
    // The client is gone.
    return null;
  }
}

interface Refusal {
  readonly status: number;
  readonly fields: readonly Field[];
  readonly text: string;
}

const WEBSOCKET: readonly Field[] = [["upgrade", "websocket"], ["connection", "Upgrade"]];

function refusalOf({ request }: Offer): Refusal | null {
  const { protocol, fields, http, method } = request;
  if (protocol?.toLowerCase() !== "websocket") {
    const text = "this is a WebSocket server";
    return { status: 426, fields: http === "1.1" ? WEBSOCKET : [], text };
  }
  // RFC 6455 §4.4: the versions that are spoken.
  if ((getField(fields, "sec-websocket-version") ?? "13") !== "13") {
    return { status: 426, fields: [["sec-websocket-version", "13"]], text: "version 13 alone" };
  }
  if (http !== "1.1") return null;
  const key = getField(fields, "sec-websocket-key");
  if (method === "GET" && key !== null && isValidKey(key)) return null;
  return { status: 400, fields: [], text: "no handshake of a WebSocket" };
}

function answerFields(fields: readonly Field[], protocol: string): Field[] {
  const key = getField(fields, "sec-websocket-key");
  return [
    ...(key === null ? [] : [["sec-websocket-accept", acceptFor(key, sha1)]] as const),
    ...(protocol === "" ? [] : [["sec-websocket-protocol", protocol]] as const),
  ];
}
