// RFC 1928 §5: ATYP, an address and a port, as requests, replies and datagrams have them.
import { MAX_HOST_BYTES, normalHost } from "../wire/host.ts";
import { formatAddress, parseIPv4, parseIPv6 } from "../wire/ip.ts";
import { decodeUtf8 } from "../wire/utf8.ts";
import { Socks5AddressType } from "./codes.ts";

/** A host with its port. */
export interface Socks5Address {
  /** A name of 1 to 255 bytes in lower case, or an IP address, IPv6 without brackets. */
  readonly host: string;
  /** 0 to 65535. */
  readonly port: number;
}

/** RFC 1928 §4: "all zeros", where there is no address to tell. */
export const NO_ADDRESS: Socks5Address = { host: "0.0.0.0", port: 0 };

const PORT_BYTES = 2;
const ADDRESS_BYTES: ReadonlyMap<number, number> = new Map([
  [Socks5AddressType.IPV4, 4],
  [Socks5AddressType.IPV6, 16],
]);

/** The most bytes from ATYP to the end of the port. */
export const MAX_ADDRESS_BYTES = 2 + MAX_HOST_BYTES + PORT_BYTES;

const utf8 = new TextEncoder();

/**
 * How many bytes an address takes that has ATYP at `at`, as far as the bytes up to `end` tell: more
 * than are there while they don't tell all. `null` for an ATYP that is unknown.
 */
export function addressSize(bytes: Uint8Array, at: number, end: number): number | null {
  if (end <= at) return 1;
  const fixed = ADDRESS_BYTES.get(bytes[at]);
  if (fixed !== undefined) return 1 + fixed + PORT_BYTES;
  if (bytes[at] !== Socks5AddressType.DOMAINNAME) return null;
  // RFC 1928 §5: the first octet of a name is its length; there is no NUL at its end.
  return end === at + 1 ? 2 : 2 + bytes[at + 1] + PORT_BYTES;
}

/** The address at `at`, of which all bytes are there; `null` for a name that can be no host. */
export function readAddress(bytes: Uint8Array, at: number, size: number): Socks5Address | null {
  const portAt = at + size - PORT_BYTES;
  const port = bytes[portAt] << 8 | bytes[portAt + 1];
  if (bytes[at] !== Socks5AddressType.DOMAINNAME) {
    return { host: formatAddress(bytes.subarray(at + 1, portAt)), port };
  }
  const text = decodeUtf8(bytes.subarray(at + 2, portAt));
  const host = text === null ? null : normalHost(text);
  return host === null ? null : { host, port };
}

/**
 * Bytes of which the last are the address, behind `room` others that are 0.
 *
 * @throws {RangeError} for what is no host or no port
 */
export function encodeAddress(room: number, address: Socks5Address): Uint8Array<ArrayBuffer> {
  const { type, host } = hostBytes(address.host);
  const { port } = address;
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw new RangeError(`${port} is not a port`);
  }
  const bytes = new Uint8Array(room + 1 + host.length + PORT_BYTES);
  bytes[room] = type;
  bytes.set(host, room + 1);
  bytes[bytes.length - 2] = port >> 8;
  bytes[bytes.length - 1] = port & 0xff;
  return bytes;
}

/** What stands between ATYP and the port. */
function hostBytes(text: string): { type: number; host: Uint8Array } {
  const host = normalHost(text);
  if (host === null) throw new RangeError(`${JSON.stringify(text.slice(0, 40))} is not a host`);
  const ipv4 = parseIPv4(host);
  if (ipv4 !== null) return { type: Socks5AddressType.IPV4, host: ipv4 };
  const ipv6 = parseIPv6(host);
  if (ipv6 !== null) return { type: Socks5AddressType.IPV6, host: ipv6 };
  const name = utf8.encode(host);
  return { type: Socks5AddressType.DOMAINNAME, host: Uint8Array.of(name.length, ...name) };
}
