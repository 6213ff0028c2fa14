import { type Field, getField } from "../protocol/wire/field.ts";

// RFC 9110 §5.6.7: IMF-fixdate, RFC 850 and asctime; Date.parse would take much else.
const HTTP_DATE = /^[A-Z][a-z]{2,8},? [\w :-]+$/;

/**
 * RFC 9110 §10.2.3: the milliseconds that an answer asks to wait, from its Retry-After in seconds or
 * as a date; `null` where it says nothing that can be read. A date counts from that of the answer, or
 * else from `nowMs`, in milliseconds since 1970.
 */
export function retryAfterMs(fields: readonly Field[], nowMs: number): number | null {
  const value = getField(fields, "retry-after")?.trim() ?? "";
  if (/^[0-9]+$/.test(value)) return Number(value) * 1000;
  const untilMs = httpDateMs(value);
  if (untilMs === null) return null;
  return Math.max(0, untilMs - (httpDateMs(getField(fields, "date") ?? "") ?? nowMs));
}

function httpDateMs(value: string): number | null {
  if (!HTTP_DATE.test(value)) return null;
  // asctime names no zone: all of them are UTC.
  const ms = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(ms) ? null : ms;
}
