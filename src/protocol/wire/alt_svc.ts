// RFC 7838: where else the same origin is served.

/** One alternative service. */
export interface AltService {
  /** The ALPN name of what it speaks, decoded: "h3". */
  protocol: string;
  /** Empty for the origin's own host; IPv6 without brackets. */
  host: string;
  port: number;
  /** For how long it is good. */
  maxAgeSeconds: number;
}

/** RFC 7838 §3.1: 24 hours, where nothing is said. */
const DEFAULT_MAX_AGE_SECONDS = 86_400;
/** More than a year is as good as a year. */
const MAX_MAX_AGE_SECONDS = 366 * 86_400;
/** More of them nobody tries. */
const MAX_SERVICES = 32;

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const QUOTED = '"(?:[^"\\\\]|\\\\.)*"';
const ALTERNATIVE = new RegExp(`(${TOKEN})=(${QUOTED})`, "y");
const PARAMETER = new RegExp(`[ \\t]*;[ \\t]*(${TOKEN})=(${TOKEN}|${QUOTED})`, "y");
const COMMA = /[ \t]*(?:,[ \t]*)+|[ \t]*$/y;

/**
 * Reads an Alt-Svc field; several fields are joined with ", " first. Gives the services in the
 * server's order, an empty list for "clear", and `null` for what is no Alt-Svc.
 */
export function parseAltSvc(value: string): AltService[] | null {
  const text = value.trim();
  // RFC 7838 §3: "clear" invalidates all alternatives; it is case-sensitive.
  if (text === "clear") return [];
  const services: AltService[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  while (at < text.length) {
    const alternative = match(ALTERNATIVE);
    if (alternative === null) return null;
    let maxAge: number | null = DEFAULT_MAX_AGE_SECONDS;
    for (let found = match(PARAMETER); found !== null; found = match(PARAMETER)) {
      // RFC 7838 §3.1: unknown parameters MUST be ignored.
      if (found[1].toLowerCase() === "ma") maxAge = seconds(unquote(found[2]));
    }
    if (match(COMMA) === null) return null;
    const service = serviceOf(alternative[1], unquote(alternative[2]), maxAge);
    if (service !== null && services.length < MAX_SERVICES) services.push(service);
  }
  return services.length > 0 ? services : null;
}

function serviceOf(id: string, authority: string, maxAge: number | null): AltService | null {
  const found = /^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~-]*):([0-9]{1,5})$/.exec(authority);
  const protocol = decodeId(id);
  if (found === null || protocol === null || maxAge === null) return null;
  const port = Number(found[2]);
  if (port < 1 || port > 65_535) return null;
  return { protocol, host: found[1].replace(/^\[|\]$/g, ""), port, maxAgeSeconds: maxAge };
}

/** RFC 7838 §3: octets that no token may have are percent-encoded, and so is "%". */
function decodeId(id: string): string | null {
  if (/%(?![0-9A-Fa-f]{2})/.test(id)) return null;
  return id.replace(/%(..)/g, (_, pair: string) => String.fromCharCode(parseInt(pair, 16)));
}

function seconds(text: string): number | null {
  return /^[0-9]+$/.test(text) ? Math.min(Number(text), MAX_MAX_AGE_SECONDS) : null;
}

/** RFC 9110 §5.6.4 */
function unquote(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, "$1") : text;
}
