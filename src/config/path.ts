import type { PathRule } from "../proxy/answers.ts";
import { ValueError } from "./error.ts";

export type { PathRule } from "../proxy/answers.ts";

export const PATH_ALLOWED = "a path (/ws), or a regular expression that begins with ^ " +
  "(^/rooms/[^/]+/ws$)";

/**
 * `/ws` for that path alone, `^/rooms/[^/]+$` for a regular expression.
 * Throws `ValueError`.
 */
export function parsePathRule(text: string): PathRule {
  if (text.startsWith("^")) return { regexp: parsePathRegexp(text) };
  // RFC 3986 §3.3: what is not ASCII stands in a path as %XX.
  if (!/^\/[\x21-\x7e]*$/.test(text)) throw new ValueError("is not a path", PATH_ALLOWED);
  if (/[?#]/.test(text)) throw new ValueError("has more than a path", PATH_ALLOWED);
  return { exact: text };
}

function parsePathRegexp(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    const why = (error as Error).message.split(": ").at(-1);
    throw new ValueError(`is not a regular expression (${why})`, PATH_ALLOWED);
  }
}
