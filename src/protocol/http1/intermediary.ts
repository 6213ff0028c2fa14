// RFC 9110 §7.6: what a proxy owes to those before and behind it.
import { type Field, getField, getFields } from "../wire/field.ts";

/** The name under which the proxy stands in `Via` (RFC 9110 §7.6.3). */
const PSEUDONYM = "h3ws";

/** So often a request may have been here already: a chain of proxies like us, but no loop. */
const MAX_VISITS = 8;

/** What of a request says whether it goes on. */
export interface HopRequest {
  readonly method: string;
  readonly fields: readonly Field[];
}

/** RFC 9110 §7.6, §7.6.3: a request MUST NOT be forwarded in a loop; Via tells how often it came by. */
export function isLooping({ fields }: Pick<HopRequest, "fields">): boolean {
  let visits = 0;
  for (const value of getFields(fields, "via")) {
    for (const hop of value.split(",")) {
      if (hop.trim().endsWith(` ${PSEUDONYM}`) && ++visits >= MAX_VISITS) return true;
    }
  }
  return false;
}

/** RFC 9110 §7.6.2: whether this hop MUST be the last one of a TRACE or an OPTIONS. */
export function isLastHop({ method, fields }: HopRequest): boolean {
  if (method !== "TRACE" && method !== "OPTIONS") return false;
  const value = getField(fields, "max-forwards");
  return value !== null && /^0+$/.test(value);
}

/** RFC 9110 §7.6.2: counts the hops that are left to TRACE and OPTIONS, and to nothing else. */
export function loweredMaxForwards(method: string, value: string): string {
  const counts = method === "TRACE" || method === "OPTIONS";
  return counts && /^[0-9]{1,9}$/.test(value) ? String(Math.max(0, Number(value) - 1)) : value;
}

/** RFC 9110 §7.6.3: one entry for each hop, ours last; `version` is that by which it came. */
export function via(fields: readonly Field[], version: string): Field {
  return ["via", [...getFields(fields, "via"), `${version} ${PSEUDONYM}`].join(", ")];
}
