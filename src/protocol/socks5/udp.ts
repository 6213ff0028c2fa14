// RFC 1928 §7: the header before each datagram between client and relay.
import { addressSize, encodeAddress, readAddress, type Socks5Address } from "./address.ts";

/** Where a datagram goes, or where it comes from, and what is in it. */
export interface Socks5Datagram extends Socks5Address {
  /** A view. */
  readonly data: Uint8Array;
}

const FRAG_AT = 2;
/** Where ATYP is: behind RSV, of two bytes, and FRAG. */
const ADDRESS_AT = 3;

/**
 * Takes a datagram apart; `null` for one to drop. RFC 1928 §7: a relay drops without a word what it
 * can't relay, and one without reassembly MUST drop what has a FRAG other than X'00'. Port 0 is
 * none that can be sent to.
 */
export function decodeDatagram(bytes: Uint8Array): Socks5Datagram | null {
  if (bytes.length <= ADDRESS_AT || bytes[FRAG_AT] !== 0) return null;
  const size = addressSize(bytes, ADDRESS_AT, bytes.length);
  if (size === null || ADDRESS_AT + size > bytes.length) return null;
  const address = readAddress(bytes, ADDRESS_AT, size);
  if (address === null || address.port === 0) return null;
  const data = bytes.subarray(ADDRESS_AT + size);
  return { host: address.host, port: address.port, data };
}

/**
 * What goes before the data of a datagram: the same for all that go between the same two.
 *
 * @throws {RangeError} for what is no host or no port
 */
export function encodeDatagramHeader(address: Socks5Address): Uint8Array<ArrayBuffer> {
  return encodeAddress(ADDRESS_AT, address);
}
