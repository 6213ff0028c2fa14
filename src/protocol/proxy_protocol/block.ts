// Section 2.2: the binary block of version 2.
import { type Endpoint, formatAddress } from "../wire/ip.ts";
import { ProxyProtocolError } from "./error.ts";
import {
  ADDRESS_BYTES,
  Command,
  Family,
  FIXED_BYTES,
  type ProxyHeader,
  Transport,
  VERSION_2,
} from "./header.ts";

const MAX_FAMILY = Family.UNIX;
const MAX_TRANSPORT = Transport.DGRAM;

/** What the first 16 bytes of version 2 say. */
export interface Fixed {
  /** Whether addresses follow that count. */
  readonly isProxied: boolean;
  /** One of `Family`. */
  readonly family: number;
  /** The bytes of addresses that are to be read. */
  readonly addressBytes: number;
  /** The bytes behind those, TLVs: to be skipped. */
  readonly restBytes: number;
}

/**
 * Reads the first 16 bytes, whose signature is right.
 *
 * @param maxRestBytes the most that may follow the addresses
 * @throws {ProxyProtocolError}
 */
export function readFixed(bytes: Uint8Array, maxRestBytes: number): Fixed {
  const version = bytes[12] >> 4;
  const command = bytes[12] & 0x0f;
  const family = bytes[13] >> 4;
  const transport = bytes[13] & 0x0f;
  const length = bytes[14] << 8 | bytes[15];
  // Section 2.2: the receiver must only accept 0x2 here.
  if (version !== VERSION_2) throw new ProxyProtocolError(`Unknown version ${version}`);
  // Section 2.2: receivers must drop connections with other commands.
  if (command > Command.PROXY) throw new ProxyProtocolError(`Unknown command ${command}`);
  if (command === Command.LOCAL) return ignored(length, maxRestBytes);
  // Section 2.2: other values of family and transport must be rejected as invalid.
  if (family > MAX_FAMILY) throw new ProxyProtocolError(`Unknown family ${family}`);
  if (transport > MAX_TRANSPORT) throw new ProxyProtocolError(`Unknown transport ${transport}`);
  const addressBytes = ADDRESS_BYTES[family];
  if (length < addressBytes) {
    throw new ProxyProtocolError(`${length} bytes are too few for two addresses`);
  }
  const restBytes = checkRest(length - addressBytes, maxRestBytes);
  // Section 2.2: a family or a transport that is not specified: the address is to be ignored.
  const isProxied = family !== Family.UNSPEC && transport !== Transport.UNSPEC;
  return { isProxied, family, addressBytes, restBytes };
}

/** Section 2.2: of LOCAL the family and the addresses are ignored. */
function ignored(length: number, maxRestBytes: number): Fixed {
  const restBytes = checkRest(length, maxRestBytes);
  return { isProxied: false, family: Family.UNSPEC, addressBytes: 0, restBytes };
}

function checkRest(restBytes: number, maxRestBytes: number): number {
  if (restBytes <= maxRestBytes) return restBytes;
  throw new ProxyProtocolError(`${restBytes} bytes behind the addresses, above ${maxRestBytes}`);
}

/** The addresses behind the first 16 bytes. */
export function readAddresses(bytes: Uint8Array, fixed: Fixed): ProxyHeader {
  // A path of a unix socket is no address of a client.
  if (!fixed.isProxied || fixed.family === Family.UNIX) return { version: 2, proxied: null };
  const size = fixed.family === Family.INET ? 4 : 16;
  const ports = FIXED_BYTES + 2 * size;
  const endpoint = (at: number, port: number): Endpoint => ({
    address: formatAddress(bytes.subarray(at, at + size)),
    port: bytes[port] << 8 | bytes[port + 1],
  });
  return {
    version: 2,
    proxied: {
      source: endpoint(FIXED_BYTES, ports),
      destination: endpoint(FIXED_BYTES + size, ports + 2),
    },
  };
}
