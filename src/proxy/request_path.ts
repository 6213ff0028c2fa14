// A path that the proxy reads in one way and a backend in another would get around the rules of a
// route. So it is read in all ways that are about, and must lead to the same route in each.

/** One path as it may be understood. */
export interface PathReadings {
  /** RFC 3986 §6.2.2: escapes and dot segments resolved. Rules are compared with this one. */
  readonly normal: string;
  /** Others that a backend may come to; empty for most paths. */
  readonly others: readonly string[];
}

// RFC 3986 §3.3: pchar, without the escapes. They mean the same escaped or not (§2.2 would keep
// some apart, but backends decode them all).
const PLAIN = /[A-Za-z0-9\-._~!$&'()*+,;=:@]/;
const NOT_PLAIN = /%([0-9a-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@%/\\]/gi;
/** Only in a path with one of these do readings differ. */
const SUSPECT = /[\\;]|\/\/|\/\.|%(?:2e|2f|5c|25|3b|c0|c1)/i;

/**
 * The readings of a request's path, without its query. More than one slash at the start counts as
 * one, for so it is sent on. `null` when it is no path: an escape that is none, an escaped control
 * character, or no slash at the start.
 */
export function readPath(path: string): PathReadings | null {
  const raw = mergeLeadingSlashes(path);
  if (!raw.startsWith("/") || /%(?![0-9a-f]{2})|%(?:[01][0-9a-f]|7f)/i.test(raw)) return null;
  const decoded = normalizeEscapes(raw);
  if (!SUSPECT.test(raw)) return { normal: decoded, others: [] };
  const normal = removeDotSegments(decoded);
  const others = new Set([decoded, lenient(raw, 1), lenient(raw, 2)]);
  others.delete(normal);
  return { normal, others: [...others] };
}

/** `//host/path` in a request line could be taken for an authority. */
export function mergeLeadingSlashes(path: string): string {
  return path.startsWith("//") ? path.replace(/^\/+/, "/") : path;
}

/**
 * RFC 3986 §6.2.2.1, §6.2.2.2: capital hexadecimal digits, and no escape that need not be. So are
 * the paths of rules to be written that requests' are compared with.
 */
export function normalizeEscapes(path: string): string {
  return path.replace(NOT_PLAIN, (text, hex: string | undefined) => {
    if (hex === undefined) return escapeOf(text);
    const c = String.fromCharCode(parseInt(hex, 16));
    return PLAIN.test(c) ? c : text.toUpperCase();
  });
}

/** Each character is one byte. */
function escapeOf(c: string): string {
  return `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}

/** RFC 3986 §5.2.4: `.` and `..` segments, the last with the slash that it leaves. */
function removeDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.split("/").slice(1);
  segments.forEach((segment, i) => {
    const isDot = segment === "." || segment === "..";
    if (segment === "..") kept.pop();
    if (!isDot) kept.push(segment);
    else if (i === segments.length - 1) kept.push("");
  });
  return `/${kept.join("/")}`;
}

// RFC 3629 §3: these overlong forms are no UTF-8, but some decoders take them for . / and \.
const OVERLONG: Readonly<Record<string, string>> = {
  "%c0%ae": ".",
  "%c0%af": "/",
  "%c1%9c": "\\",
};

/**
 * As the most lenient servers read it: escapes decoded so many times, backslashes are slashes,
 * parameters of segments (`..;x`) are dropped, and several slashes are one.
 */
function lenient(path: string, times: number): string {
  let text = path;
  for (let i = 0; i < times; i++) {
    text = text.replace(/%c0%a[ef]|%c1%9c/gi, (escape) => OVERLONG[escape.toLowerCase()])
      .replace(/%([2-7][0-9a-f])/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  }
  const slashes = text.replaceAll("\\", "/").replace(/;[^/]*/g, "").replace(/\/{2,}/g, "/");
  return removeDotSegments(normalizeEscapes(slashes));
}
