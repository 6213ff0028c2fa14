import { DnsError } from "./error.ts";

/** RFC 9460 §14.3.2 */
export const SvcParamKey = {
  MANDATORY: 0,
  ALPN: 1,
  NO_DEFAULT_ALPN: 2,
  PORT: 3,
  IPV4HINT: 4,
  ECH: 5,
  IPV6HINT: 6,
} as const;

/** What an HTTPS record says of its service. */
export interface SvcParams {
  /** The ALPN names of what it speaks. */
  alpn: string[];
  /** Whether it does not speak the scheme's own, HTTP/1.1, unless `alpn` has it. */
  noDefaultAlpn: boolean;
  /** `null` for that of the origin. */
  port: number | null;
  ipv4Hints: string[];
  ipv6Hints: string[];
  /** Whether it says how a ClientHello is encrypted. */
  ech: boolean;
  /** Keys that a client must understand, or else not use the record. */
  mandatory: number[];
  /** Keys that are not known here. */
  other: number[];
}

/** What an empty list of parameters says. */
export function defaultSvcParams(): SvcParams {
  return {
    alpn: [],
    noDefaultAlpn: false,
    port: null,
    ipv4Hints: [],
    ipv6Hints: [],
    ech: false,
    mandatory: [],
    other: [],
  };
}

/**
 * RFC 9460 §2.2: reads what stands behind the target of a record.
 *
 * @throws {DnsError} also for keys that are not in strictly increasing order
 */
export function readSvcParams(bytes: Uint8Array): SvcParams {
  const params = defaultSvcParams();
  let last = -1;
  for (let at = 0; at < bytes.length;) {
    if (at + 4 > bytes.length) throw cut();
    const key = uint16(bytes, at);
    const behind = at + 4 + uint16(bytes, at + 2);
    if (behind > bytes.length) throw cut();
    if (key <= last) throw new DnsError("The keys of a record are not in increasing order");
    last = key;
    setOne(params, key, bytes.subarray(at + 4, behind));
    at = behind;
  }
  return params;
}

function setOne(params: SvcParams, key: number, value: Uint8Array): void {
  switch (key) {
    case SvcParamKey.MANDATORY:
      params.mandatory = parts(value, 2, "mandatory").map((part) => uint16(part, 0));
      return;
    case SvcParamKey.ALPN:
      params.alpn = readAlpn(value);
      return;
    case SvcParamKey.NO_DEFAULT_ALPN:
      // RFC 9460 §7.1.1: its value MUST be empty.
      if (value.length > 0) throw new DnsError("no-default-alpn has a value");
      params.noDefaultAlpn = true;
      return;
    case SvcParamKey.PORT:
      // RFC 9460 §7.2: exactly 2 octets.
      if (value.length !== 2) throw new DnsError("port is not of 2 bytes");
      params.port = uint16(value, 0);
      return;
    case SvcParamKey.IPV4HINT:
      params.ipv4Hints = parts(value, 4, "ipv4hint").map((part) => part.join("."));
      return;
    case SvcParamKey.IPV6HINT:
      params.ipv6Hints = parts(value, 16, "ipv6hint").map(ipv6Text);
      return;
    case SvcParamKey.ECH:
      params.ech = true;
      return;
    default:
      params.other.push(key);
  }
}

/** RFC 9460 §7.1.1: names of 1 to 255 bytes, each behind its length; at least one. */
function readAlpn(value: Uint8Array): string[] {
  const names: string[] = [];
  for (let at = 0; at < value.length;) {
    const behind = at + 1 + value[at];
    if (value[at] === 0 || behind > value.length) throw new DnsError("alpn can't be read");
    names.push(String.fromCharCode(...value.subarray(at + 1, behind)));
    at = behind;
  }
  if (names.length === 0) throw new DnsError("alpn is empty");
  return names;
}

/** RFC 9460 §7.3, §8: lists of values of one size; at least one. */
function parts(value: Uint8Array, size: number, name: string): Uint8Array[] {
  if (value.length === 0 || value.length % size !== 0) throw new DnsError(`${name} can't be read`);
  const found: Uint8Array[] = [];
  for (let at = 0; at < value.length; at += size) found.push(value.subarray(at, at + size));
  return found;
}

/** RFC 5952 §4.2: the longest run of zeros is left out. */
export function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => uint16(bytes, 2 * i).toString(16));
  const runs = groups.join(":").match(/(?:\b0\b:?){2,}/g) ?? [];
  const longest = runs.reduce((best, run) => run.length > best.length ? run : best, "");
  const text = groups.join(":");
  if (longest === "") return text;
  const at = text.search(new RegExp(`(?<![0-9a-f])${longest}`));
  return `${text.slice(0, at).replace(/:$/, "")}::${text.slice(at + longest.length)}`;
}

export function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

function cut(): DnsError {
  return new DnsError("A record ends inside a parameter");
}
