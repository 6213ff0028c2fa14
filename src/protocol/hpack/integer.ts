// RFC 7541 §5.1, RFC 9204 §4.1.1: integers with a prefix of 1 to 8 bits.
import { PeerError } from "../wire/error.ts";

/** RFC 9113 §4.3: a decoding error MUST be treated as a connection error of this code. */
export const COMPRESSION_ERROR = 0x9;

/** What RFC 7541 calls a decoding error. HTTP/3 has codes of its own for it (RFC 9204 §6). */
export class HpackError extends PeerError {
  override name = "HpackError";

  constructor(message: string) {
    super(COMPRESSION_ERROR, "connection", message);
  }
}

/** Where in `bytes` to read or to write next. */
export interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

/** How something that begins with an integer looks: its bits in front of the prefix. */
export interface Form {
  /** The first byte, with a prefix of zeros. */
  readonly pattern: number;
  readonly prefixBits: number;
}

/** RFC 9204 §4.1.1: integers up to and including 62 bits MUST be decodable; so 9 bytes at most. */
export const MAX_CONTINUATION_BYTES = 9;

/** The most bytes that `writeInteger` writes: 2^53-1 with a prefix of one bit. */
export const MAX_INTEGER_BYTES = 9;

const LOW_BITS = 28;
const HIGH_LIMIT = 2 ** (62 - LOW_BITS);

/**
 * Reads the integer at the cursor, whatever the bits in front of its prefix, and moves the cursor
 * behind it. A value above 2^53-1 comes back inexact, but above 2^53-1.
 *
 * @throws {HpackError} when it passes 62 bits, has more than 9 bytes behind its prefix, or is cut
 */
export function readInteger(cursor: Cursor, prefixBits: number): number {
  const { bytes, at } = cursor;
  const most = (1 << prefixBits) - 1;
  if (at >= bytes.length) throw new HpackError("The block ends where an integer should begin");
  const prefix = bytes[at] & most;
  cursor.at = at + 1;
  return prefix < most ? prefix : readContinuation(cursor, most);
}

/** Reads 7 bits a byte, the lowest first: four bytes into `low`, the others into `high`. */
function readContinuation(cursor: Cursor, prefix: number): number {
  const { bytes, at } = cursor;
  let low = prefix;
  let high = 0;
  for (let i = 0; i < MAX_CONTINUATION_BYTES; i++) {
    if (at + i >= bytes.length) throw new HpackError("The block ends inside an integer");
    const byte = bytes[at + i];
    if (i < 4) low += (byte & 0x7f) << (7 * i);
    else high += (byte & 0x7f) * 2 ** (7 * (i - 4));
    if (byte < 0x80) {
      cursor.at = at + i + 1;
      return join(high, low);
    }
  }
  // RFC 7541 §5.1: encodings that exceed our limits in value or in octet length MUST be treated
  // as decoding errors.
  throw new HpackError(`Integer of more than ${MAX_CONTINUATION_BYTES} bytes behind its prefix`);
}

function join(high: number, low: number): number {
  if (high + (low >>> LOW_BITS) >= HIGH_LIMIT) throw new HpackError("Integer above 2^62-1");
  return high * 2 ** LOW_BITS + low;
}

/** Writes an integer from 0 to 2^53-1 in its shortest encoding and moves the cursor behind it. */
export function writeInteger(cursor: Cursor, form: Form, value: number): void {
  const { bytes } = cursor;
  const most = (1 << form.prefixBits) - 1;
  if (value < most) {
    bytes[cursor.at++] = form.pattern | value;
    return;
  }
  bytes[cursor.at++] = form.pattern | most;
  let rest = value - most;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[cursor.at++] = 0x80 | (rest % 0x80);
  bytes[cursor.at++] = rest;
}
