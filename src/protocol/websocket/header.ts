// RFC 6455 §5.2: FIN, RSV1-3 and the opcode; MASK and 7 bits of length; 0, 2 or 8 more bytes of
// length; 4 bytes of masking key when MASK is set.

/** One frame header, as it stands on the wire. */
export interface FrameHeader {
  fin: boolean;
  /** The three reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  rsv: number;
  opcode: number;
  masked: boolean;
  /**
   * Bytes of payload. A length above 2^53-1 comes back as 2^53, one whose top bit is set as 2^63:
   * no number tells more of them, and both are errors.
   */
  length: number;
  /** Bytes of the header itself, with the masking key: 2 to 14. */
  size: number;
}

/** What `writeHeader` writes. The length takes its shortest form. */
export interface FrameHeaderInit {
  fin: boolean;
  rsv: number;
  opcode: number;
  length: number;
  /** Four bytes; given means that MASK is set. The payload is for the caller to mask. */
  maskKey?: Uint8Array;
}

/** The longest header: 2 bytes, a 64-bit length and a masking key. */
export const MAX_HEADER_SIZE = 14;

/** What `readHeader` gives for a 64-bit length whose top bit is set. */
export const LENGTH_TOP_BIT = 2 ** 63;

const LENGTH_TOO_BIG = 2 ** 53;

/** How many bytes a header takes, by its second byte: 2 to 14. */
export function headerSize(byte1: number): number {
  const short = byte1 & 0x7f;
  const size = short < 126 ? 2 : short === 126 ? 4 : 10;
  return byte1 < 0x80 ? size : size + 4;
}

/** How many bytes the header of a frame takes that we write. */
export function headerSizeOf(length: number, masked: boolean): number {
  const size = length < 126 ? 2 : length <= 0xffff ? 4 : 10;
  return masked ? size + 4 : size;
}

/** A header to read into, for those who read many. */
export function emptyHeader(): FrameHeader {
  return { fin: false, rsv: 0, opcode: 0, masked: false, length: 0, size: 2 };
}

/**
 * Reads the header at `offset`; all its bytes must be there (`headerSize`). Checks nothing: that
 * is for `checkHeader`. Reads into `into` when it is given, and returns it.
 */
export function readHeader(bytes: Uint8Array, offset: number, into = emptyHeader()): FrameHeader {
  const byte0 = bytes[offset];
  const byte1 = bytes[offset + 1];
  const short = byte1 & 0x7f;
  into.fin = byte0 >= 0x80;
  into.rsv = (byte0 >> 4) & 7;
  into.opcode = byte0 & 0xf;
  into.masked = byte1 >= 0x80;
  into.size = headerSize(byte1);
  if (short < 126) into.length = short;
  else if (short === 126) into.length = (bytes[offset + 2] << 8) | bytes[offset + 3];
  else into.length = readLength64(bytes, offset + 2);
  return into;
}

function readLength64(bytes: Uint8Array, offset: number): number {
  const high = readUint32(bytes, offset);
  if (high >= 0x80000000) return LENGTH_TOP_BIT;
  if (high >= 0x200000) return LENGTH_TOO_BIG;
  return high * 0x100000000 + readUint32(bytes, offset + 4);
}

function readUint32(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) |
    bytes[offset + 3]) >>> 0;
}

/** Writes a header at `offset`, the length in its shortest form; returns the offset behind it. */
export function writeHeader(out: Uint8Array, offset: number, header: FrameHeaderInit): number {
  const { fin, rsv, opcode, length, maskKey } = header;
  const mask = maskKey === undefined ? 0 : 0x80;
  out[offset] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  let at = offset + 2;
  if (length < 126) {
    out[offset + 1] = mask | length;
  } else if (length <= 0xffff) {
    out[offset + 1] = mask | 126;
    out[at++] = length >> 8;
    out[at++] = length & 0xff;
  } else {
    out[offset + 1] = mask | 127;
    at = writeUint32(out, at, Math.floor(length / 0x100000000));
    at = writeUint32(out, at, length % 0x100000000);
  }
  if (maskKey !== undefined) {
    for (let i = 0; i < 4; i++) out[at++] = maskKey[i];
  }
  return at;
}

function writeUint32(out: Uint8Array, offset: number, value: number): number {
  out[offset] = value >>> 24;
  out[offset + 1] = (value >>> 16) & 0xff;
  out[offset + 2] = (value >>> 8) & 0xff;
  out[offset + 3] = value & 0xff;
  return offset + 4;
}
