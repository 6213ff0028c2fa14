import { type Kind, MAX_DURATION_MS, type Range, ranged } from "../config/kinds.ts";
import { formatDuration, parseDuration } from "../config/units.ts";

/** The times of the tools for the terminal, in words. */
export const SECONDS_ALLOWED = "seconds (10, 0.5) or a duration (500ms, 1m30s)";

/** Milliseconds; a bare number is seconds, as autocannon, wscat and websocat have them. */
export function seconds({ min = 1, max = MAX_DURATION_MS }: Partial<Range> = {}): Kind<number> {
  const unit = { placeholder: "time", noun: "a time", allowed: SECONDS_ALLOWED };
  return ranged({ ...unit, parse: parseSeconds, format: formatDuration }, { min, max });
}

function parseSeconds(text: string): number | undefined {
  return /^\d+(?:\.\d+)?$/.test(text) ? Math.round(Number(text) * 1000) : parseDuration(text);
}
