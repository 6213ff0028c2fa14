// RFC 1928 §3: the greeting, in which the client says how it can authenticate itself.
import { Socks5Error, Socks5Method, SOCKS_VERSION, unanswered } from "./codes.ts";

const MAX_METHODS = 255;
const HEADER_BYTES = 2;

/** The most bytes of a greeting. */
export const MAX_GREETING_BYTES = HEADER_BYTES + MAX_METHODS;

/**
 * How many bytes a greeting has, as far as the first `length` of it tell.
 *
 * @throws {Socks5Error}
 */
export function greetingSize(bytes: Uint8Array, length: number): number {
  // RFC 1928 §3: "The VER field is set to X'05' for this version of the protocol."
  if (length > 0 && bytes[0] !== SOCKS_VERSION) {
    throw unanswered(`The client does not speak SOCKS5: version ${bytes[0]}`);
  }
  if (length < HEADER_BYTES) return HEADER_BYTES;
  // RFC 1928 §3: METHODS has 1 to 255 octets.
  if (bytes[1] === 0) throw noMethod("The client offers no method");
  return HEADER_BYTES + bytes[1];
}

/**
 * The first of `accepted` that a greeting offers.
 *
 * @throws {Socks5Error} RFC 1928 §3: X'FF' where none of them is acceptable
 */
export function selectMethod(greeting: Uint8Array, accepted: readonly number[]): number {
  const offered = greeting.subarray(HEADER_BYTES);
  const method = accepted.find((one) => offered.includes(one));
  if (method === undefined) throw noMethod("The client offers no method that is accepted");
  return method;
}

/**
 * The client's greeting.
 *
 * @throws {RangeError} unless there are 1 to 255 methods of one byte
 */
export function encodeGreeting(methods: readonly number[]): Uint8Array<ArrayBuffer> {
  if (methods.length === 0 || methods.length > MAX_METHODS) {
    throw new RangeError(`${methods.length} methods, not 1 to ${MAX_METHODS}`);
  }
  return Uint8Array.of(SOCKS_VERSION, methods.length, ...methods);
}

/** The server's answer to a greeting. */
export function encodeMethod(method: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(SOCKS_VERSION, method);
}

function noMethod(message: string): Socks5Error {
  const method = Socks5Method.NO_ACCEPTABLE_METHODS;
  return new Socks5Error(method, message, encodeMethod(method));
}
