// RFC 1928 §4, §6: requests and replies.
import {
  addressSize,
  encodeAddress,
  MAX_ADDRESS_BYTES,
  NO_ADDRESS,
  readAddress,
  type Socks5Address,
} from "./address.ts";
import {
  Socks5Command,
  socks5CommandName,
  Socks5Error,
  Socks5Reply,
  SOCKS_VERSION,
  unanswered,
} from "./codes.ts";

/** What a client asks for. */
export interface Socks5Request extends Socks5Address {
  readonly command: Socks5Command;
}

/** What a server answers: the address is the one that it is bound to. */
export interface Socks5Answer extends Socks5Address {
  /** A code of `Socks5Reply`, or one that is unassigned. */
  readonly reply: number;
}

/** Where ATYP is: behind VER, CMD or REP, and RSV. */
const ADDRESS_AT = 3;

/** The most bytes of a request, and of a reply. */
export const MAX_REQUEST_BYTES = ADDRESS_AT + MAX_ADDRESS_BYTES;

const COMMANDS: ReadonlySet<number> = new Set(Object.values(Socks5Command));

/**
 * How many bytes a request has, as far as the first `length` of it tell.
 *
 * @throws {Socks5Error} with the reply to give
 */
export function requestSize(bytes: Uint8Array, length: number): number {
  // RFC 1928 §4: VER is X'05'.
  if (length > 0 && bytes[0] !== SOCKS_VERSION) {
    throw refused(Socks5Reply.GENERAL_FAILURE, `Unknown version ${bytes[0]} in the request`);
  }
  // RFC 1928 §6: X'07' Command not supported.
  if (length > 1 && !COMMANDS.has(bytes[1])) {
    const command = socks5CommandName(bytes[1]);
    throw refused(Socks5Reply.COMMAND_NOT_SUPPORTED, `Unknown command ${command}`);
  }
  if (length <= ADDRESS_AT) return ADDRESS_AT + 1;
  // RFC 1928 §4: RSV is reserved, so that it says nothing.
  const size = addressSize(bytes, ADDRESS_AT, length);
  if (size !== null) return ADDRESS_AT + size;
  // RFC 1928 §6: X'08' Address type not supported.
  const type = bytes[ADDRESS_AT];
  throw refused(Socks5Reply.ADDRESS_TYPE_NOT_SUPPORTED, `Unknown type ${type} of an address`);
}

/**
 * Takes a whole request apart.
 *
 * @throws {Socks5Error} with the reply to give
 */
export function readRequest(bytes: Uint8Array): Socks5Request {
  const address = readAddress(bytes, ADDRESS_AT, bytes.length - ADDRESS_AT);
  if (address === null) {
    throw refused(Socks5Reply.GENERAL_FAILURE, "The name in the request can be no host");
  }
  const command = bytes[1] as Socks5Command;
  // TCP has no port 0; the system would answer that the connection is refused.
  if (command === Socks5Command.CONNECT && address.port === 0) {
    throw refused(Socks5Reply.CONNECTION_REFUSED, "CONNECT to port 0");
  }
  return { command, host: address.host, port: address.port };
}

/**
 * The client's request.
 *
 * @throws {RangeError} for what is no host or no port
 */
export function encodeRequest(request: Socks5Request): Uint8Array<ArrayBuffer> {
  return encode(request.command, request);
}

/**
 * How many bytes a reply has, as far as the first `length` of it tell.
 *
 * @throws {Socks5Error}
 */
export function replySize(bytes: Uint8Array, length: number): number {
  if (length > 0 && bytes[0] !== SOCKS_VERSION) {
    throw unanswered(`Unknown version ${bytes[0]} in the server's reply`);
  }
  if (length <= ADDRESS_AT) return ADDRESS_AT + 1;
  const size = addressSize(bytes, ADDRESS_AT, length);
  if (size !== null) return ADDRESS_AT + size;
  throw unanswered(`Unknown type ${bytes[ADDRESS_AT]} of an address in the server's reply`);
}

/**
 * Takes a whole reply apart.
 *
 * @throws {Socks5Error}
 */
export function readReply(bytes: Uint8Array): Socks5Answer {
  const address = readAddress(bytes, ADDRESS_AT, bytes.length - ADDRESS_AT);
  if (address === null) throw unanswered("The name in the server's reply can be no host");
  return { reply: bytes[1], host: address.host, port: address.port };
}

/**
 * The server's reply. RFC 1928 §6: after one that is no success the connection MUST end within 10
 * seconds.
 *
 * @param bound BND.ADDR and BND.PORT, all zeros if left out
 * @throws {RangeError} for what is no host or no port
 */
export function encodeReply(
  reply: Socks5Reply,
  bound: Socks5Address = NO_ADDRESS,
): Uint8Array<ArrayBuffer> {
  return encode(reply, bound);
}

/** RFC 1928 §6: fields marked RESERVED must be set to X'00'. */
function encode(code: number, address: Socks5Address): Uint8Array<ArrayBuffer> {
  const bytes = encodeAddress(ADDRESS_AT, address);
  bytes[0] = SOCKS_VERSION;
  bytes[1] = code;
  return bytes;
}

function refused(reply: Socks5Reply, message: string): Socks5Error {
  return new Socks5Error(reply, message, encodeReply(reply));
}
