// RFC 9110 §15: what a proxy answers where no target does.
import type { Offer } from "../ingress/offer.ts";
import { NetError } from "../net/error.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import { authenticationRequired } from "../protocol/http1/proxy_authorization.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { NotLetIn } from "./client_gate.ts";
import { failureKind, TunnelRefused } from "./target.ts";

const TEXT: Field = ["content-type", "text/plain; charset=utf-8"];
/** RFC 9110 §10.2.3: how long one who is told 503 may wait. */
const RETRY_AFTER: Field = ["retry-after", "1"];
const utf8 = new TextEncoder();

/** Answers with a line for people, and these fields beside. */
export async function respondText(
  offer: Offer,
  status: number,
  text: string,
  fields: readonly Field[] = [],
): Promise<void> {
  await offer.respond(status, [TEXT, ...fields], utf8.encode(`${text}\n`));
}

/** What a browser shows whoever is asked for a password. */
const REALM = "proxy";

/** Asks who it is, unless no other answer would help; `null` for who has said nothing. */
export async function answerNotLetIn(offer: Offer, not: NotLetIn | null): Promise<void> {
  if (not?.not === "group") return await respondText(offer, 403, not.reason);
  if (not?.not === "unknown") return await respondText(offer, 503, not.reason, [RETRY_AFTER]);
  const { status, fields } = authenticationRequired(REALM);
  await offer.respond(status, fields);
}

/** Says why there is no connection to the target, or why it gave no answer. */
export async function answerRefused(offer: Offer, error: unknown): Promise<void> {
  const status = statusOf(error);
  const text = error instanceof Error ? error.message : "no connection";
  await respondText(offer, status, text, status === 503 ? [RETRY_AFTER] : []);
}

function statusOf(error: unknown): 403 | 502 | 503 | 504 {
  if (error instanceof TunnelRefused) {
    if (error.code === TunnelCode.FORBIDDEN_HOST) return 403;
    if (error.code === TunnelCode.RATE_LIMITED) return 503;
    return failureKind(error) === "timeout" ? 504 : 502;
  }
  return error instanceof NetError && error.kind === "timeout" ? 504 : 502;
}
