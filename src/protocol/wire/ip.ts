// IP addresses as text and as bytes, 4 or 16 in network order.

/** One end of a connection. */
export interface Endpoint {
  /** An IP address, IPv6 without brackets, as RFC 5952 §4 writes it. */
  readonly address: string;
  readonly port: number;
}

// RFC 3986 §3.2.2: no leading zeroes, which some read as octal.
const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const DOT = 0x2e;
const ZERO = 0x30;
const H16 = /^[0-9A-Fa-f]{1,4}$/;
const GROUPS = 8;

/** The 4 bytes of an IPv4 address in dotted decimal; `null` for anything else. */
export function parseIPv4(text: string): Uint8Array | null {
  if (!IPV4.test(text)) return null;
  const bytes = new Uint8Array(4);
  for (let i = 0, at = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) at++;
    else bytes[at] = bytes[at] * 10 + code - ZERO;
  }
  return bytes;
}

/** The 16 bytes of an IPv6 address, RFC 4291 §2.2; `null` for anything else. */
export function parseIPv6(text: string): Uint8Array | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail = null] = halves.map((half, i) => readGroups(half, i === halves.length - 1));
  if (head === null || (halves.length === 2 && tail === null)) return null;
  const given = head.length + (tail?.length ?? 0);
  // "::" stands for one group at least.
  if (tail === null ? given !== GROUPS : given >= GROUPS) return null;
  const groups = [...head, ...Array<number>(GROUPS - given).fill(0), ...(tail ?? [])];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** Groups of 16 bits, the last two of an address perhaps as IPv4. */
function readGroups(text: string, isLast: boolean): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    const ipv4 = isLast && i === parts.length - 1 ? parseIPv4(part) : null;
    if (H16.test(part)) groups.push(parseInt(part, 16));
    else if (ipv4 !== null) groups.push(ipv4[0] << 8 | ipv4[1], ipv4[2] << 8 | ipv4[3]);
    else return null;
  }
  return groups;
}

/** An address as text, from its 4 or 16 bytes. RFC 5952 §4, §5. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (isMapped(bytes)) return `::ffff:${bytes.subarray(12).join(".")}`;
  const groups = Array.from({ length: GROUPS }, (_, i) => bytes[2 * i] << 8 | bytes[2 * i + 1]);
  const { start, length } = longestZeroes(groups);
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  // RFC 5952 §4.2.2: "::" never stands for one group alone.
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** RFC 4291 §2.5.5.2: an IPv4 address within IPv6. */
function isMapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 &&
    bytes[11] === 255;
}

/** Those bytes as an IPv4-mapped IPv6 address. */
export function toMapped(ipv4: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.fill(255, 10, 12);
  bytes.set(ipv4, 12);
  return bytes;
}

/** RFC 5952 §4.2.3: the longest run of zeroes, the first of equal ones. */
function longestZeroes(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < GROUPS; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
