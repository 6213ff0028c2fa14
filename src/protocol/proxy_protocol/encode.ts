import { type Endpoint, formatAddress, parseIPv4, parseIPv6, toMapped } from "../wire/ip.ts";
import { latin1Bytes } from "../wire/latin1.ts";
import {
  Command,
  Family,
  FIXED_BYTES,
  PREFIX,
  type ProxyHeader,
  SIGNATURE,
  Transport,
  VERSION_2,
} from "./header.ts";

interface Ends {
  readonly family: typeof Family.INET | typeof Family.INET6;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly ports: readonly [source: number, destination: number];
}

/**
 * The header that goes before all bytes of a connection that is passed on. `proxied` is `null` for
 * a connection of the proxy's own: UNKNOWN in version 1, LOCAL in version 2. Where the one address
 * is IPv4 and the other IPv6, both go as IPv6.
 *
 * @throws {RangeError} if an address is no IP address or a port none of TCP
 */
export function encodeProxyHeader({ version, proxied }: ProxyHeader): Uint8Array<ArrayBuffer> {
  const ends = proxied === null ? null : readEnds(proxied.source, proxied.destination);
  return version === 1 ? encodeLine(ends) : encodeBlock(ends);
}

function readEnds(source: Endpoint, destination: Endpoint): Ends {
  const ports = [readPort(source), readPort(destination)] as const;
  const [from, to] = [readAddress(source), readAddress(destination)];
  if (from.length === to.length) {
    const family = from.length === 4 ? Family.INET : Family.INET6;
    return { family, source: from, destination: to, ports };
  }
  const wide = (bytes: Uint8Array) => bytes.length === 4 ? toMapped(bytes) : bytes;
  return { family: Family.INET6, source: wide(from), destination: wide(to), ports };
}

function readAddress({ address }: Endpoint): Uint8Array {
  const bytes = parseIPv4(address) ?? parseIPv6(address);
  if (bytes === null) throw new RangeError(`${address} is not an IP address`);
  return bytes;
}

function readPort({ port }: Endpoint): number {
  if (Number.isInteger(port) && port >= 0 && port <= 0xffff) return port;
  throw new RangeError(`${port} is not a port`);
}

/** Section 2.1. */
function encodeLine(ends: Ends | null): Uint8Array<ArrayBuffer> {
  if (ends === null) return latin1Bytes(`${PREFIX}UNKNOWN\r\n`);
  const family = ends.family === Family.INET ? "TCP4" : "TCP6";
  const addresses = `${formatAddress(ends.source)} ${formatAddress(ends.destination)}`;
  return latin1Bytes(`${PREFIX}${family} ${addresses} ${ends.ports.join(" ")}\r\n`);
}

/** Section 2.2. */
function encodeBlock(ends: Ends | null): Uint8Array<ArrayBuffer> {
  const length = ends === null ? 0 : 2 * ends.source.length + 4;
  const bytes = new Uint8Array(FIXED_BYTES + length);
  bytes.set(SIGNATURE);
  bytes[12] = VERSION_2 << 4 | (ends === null ? Command.LOCAL : Command.PROXY);
  bytes[15] = length;
  if (ends === null) return bytes;
  bytes[13] = ends.family << 4 | Transport.STREAM;
  bytes.set(ends.source, FIXED_BYTES);
  bytes.set(ends.destination, FIXED_BYTES + ends.source.length);
  const view = new DataView(bytes.buffer);
  ends.ports.forEach((port, i) => view.setUint16(bytes.length - 4 + 2 * i, port));
  return bytes;
}
