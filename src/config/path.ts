import type { PathRule } from "../proxy/answers.ts";
import { LinearRegExp } from "../proxy/linear_regexp.ts";
import { ValueError } from "./error.ts";

export type { PathRule } from "../proxy/answers.ts";

export const PATH_ALLOWED = "a path (/ws), or a regular expression that begins with ^ " +
  "(^/rooms/[^/]+/ws$)";

/**
 * `/ws` for that path alone, `^/rooms/[^/]+$` for a regular expression, as `LinearRegExp` takes it.
 * Throws `ValueError`.
 */
export function parsePathRule(text: string): PathRule {
  if (text.startsWith("^")) return { regexp: parseLinearRegExp(text) };
  // RFC 3986 §3.3: what is not ASCII stands in a path as %XX.
  if (!/^\/[\x21-\x7e]*$/.test(text)) throw new ValueError("is not a path", PATH_ALLOWED);
  if (/[?#]/.test(text)) throw new ValueError("has more than a path", PATH_ALLOWED);
  return { exact: text };
}

export const REGEXP_ALLOWED =
  "a regular expression without backreferences, lookaround, \\b and flags";

/** What anyone asks for is tried: only what takes linear time can be used. Throws `ValueError`. */
export function parseLinearRegExp(text: string): LinearRegExp {
  try {
    return new LinearRegExp(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const why = error.message.split(": ").at(-1);
    throw new ValueError(`is not a regular expression that can be used (${why})`, REGEXP_ALLOWED);
  }
}
