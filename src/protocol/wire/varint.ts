// RFC 9000 §16: variable-length integers, 1, 2, 4 or 8 bytes.

/** The largest length we take. RFC 9000 allows 2^62-1; a number is exact up to here only. */
export const MAX_LENGTH = Number.MAX_SAFE_INTEGER;

/** How many bytes a varint takes that begins with this byte: 1, 2, 4 or 8. */
export function varintSizeAt(first: number): number {
  return 1 << (first >> 6);
}

/** How many bytes the shortest encoding of `value` takes. */
export function varintSize(value: number): number {
  if (value < 0x40) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x40000000) return 4;
  return 8;
}

/**
 * Reads the varint at `offset`; all its bytes must be there (`varintSizeAt`).
 *
 * A value above 2^53-1 comes back inexact, but above 2^53-1: an id like that is unknown to us, a
 * length like that is an error.
 */
export function readVarint(bytes: Uint8Array, offset: number): number {
  const first = bytes[offset];
  switch (first >> 6) {
    case 0:
      return first;
    case 1:
      return ((first & 0x3f) << 8) | bytes[offset + 1];
    case 2:
      return ((first & 0x3f) * 0x1000000) + (bytes[offset + 1] << 16) +
        (bytes[offset + 2] << 8) + bytes[offset + 3];
    default: {
      const high = ((first & 0x3f) * 0x1000000) + (bytes[offset + 1] << 16) +
        (bytes[offset + 2] << 8) + bytes[offset + 3];
      const low = (bytes[offset + 4] * 0x1000000) + (bytes[offset + 5] << 16) +
        (bytes[offset + 6] << 8) + bytes[offset + 7];
      return high * 0x100000000 + low;
    }
  }
}

/** Writes `value` in its shortest form at `offset`; returns the offset behind it. */
export function writeVarint(out: Uint8Array, offset: number, value: number): number {
  if (value < 0x40) {
    out[offset] = value;
    return offset + 1;
  }
  if (value < 0x4000) {
    out[offset] = 0x40 | (value >> 8);
    out[offset + 1] = value & 0xff;
    return offset + 2;
  }
  const low = value % 0x100000000;
  if (value < 0x40000000) {
    out[offset] = 0x80 | (low >>> 24);
    out[offset + 1] = (low >>> 16) & 0xff;
    out[offset + 2] = (low >>> 8) & 0xff;
    out[offset + 3] = low & 0xff;
    return offset + 4;
  }
  const high = Math.floor(value / 0x100000000);
  out[offset] = 0xc0 | (high >>> 24);
  out[offset + 1] = (high >>> 16) & 0xff;
  out[offset + 2] = (high >>> 8) & 0xff;
  out[offset + 3] = high & 0xff;
  out[offset + 4] = (low >>> 24) & 0xff;
  out[offset + 5] = (low >>> 16) & 0xff;
  out[offset + 6] = (low >>> 8) & 0xff;
  out[offset + 7] = low & 0xff;
  return offset + 8;
}
