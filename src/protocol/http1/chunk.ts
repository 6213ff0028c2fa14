// RFC 9112 §7.1: the lines of the chunked transfer coding.
import type { Field } from "../wire/field.ts";
import { concat } from "../wire/bytes.ts";
import { latin1, latin1Bytes } from "../wire/latin1.ts";
import { encodeLines } from "./encode_fields.ts";
import { trailerFields } from "./trailers.ts";

/** The most bytes of a chunk's header: a length of 2^53-1, and CRLF. */
export const MAX_CHUNK_HEADER_SIZE = 16;

/** What ends each line, and the data of each chunk. */
export const CRLF: Uint8Array = latin1Bytes("\r\n");

const CR = 0x0d;
const LF = 0x0a;
const HEX_DIGIT = latin1Bytes("0123456789abcdef");

/** Of each byte that is a HEXDIG its value, of each other 16. */
const HEX_VALUE = new Uint8Array(256).fill(16);
for (let value = 0; value < 16; value++) {
  HEX_VALUE[HEX_DIGIT[value]] = value;
  HEX_VALUE[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED = String.raw`"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"`;
const EXTENSION = String.raw`[ \t]*;[ \t]*${TOKEN}(?:[ \t]*=[ \t]*(?:${TOKEN}|${QUOTED}))?`;
const EXTENSIONS = new RegExp(`^(?:${EXTENSION})*$`);

/** How many bytes the header of a chunk takes. `length` is that of its data, and not 0. */
export function chunkHeaderSize(length: number): number {
  let digits = 1;
  for (let left = length; left >= 16; left = Math.floor(left / 16)) digits++;
  return digits + 2;
}

/**
 * Writes the header of a chunk at `offset`; returns the offset behind it. There belong `length`
 * bytes of data (not 0: that would end the body), and `CRLF`.
 */
export function writeChunkHeader(out: Uint8Array, offset: number, length: number): number {
  const end = offset + chunkHeaderSize(length);
  let left = length;
  for (let at = end - 3; at >= offset; at--) {
    out[at] = HEX_DIGIT[left % 16];
    left = Math.floor(left / 16);
  }
  out[end - 2] = CR;
  out[end - 1] = LF;
  return end;
}

/** The header of a chunk of `length` bytes, which is not 0. */
export function chunkHeader(length: number): Uint8Array {
  const header = new Uint8Array(chunkHeaderSize(length));
  writeChunkHeader(header, 0, length);
  return header;
}

/** A whole chunk, for one write; nothing for no data. */
export function encodeChunk(data: Uint8Array): Uint8Array {
  return data.length === 0 ? data : concat([chunkHeader(data.length), data, CRLF]);
}

/**
 * The last chunk and the trailer section (RFC 9112 §7.1.2). Fields that no trailer section may have
 * are left out (`isTrailerField`). Throws TypeError for what is no field at all.
 */
export function encodeLastChunk(trailers: readonly Field[] = []): Uint8Array {
  return encodeLines("0", trailerFields(trailers));
}

/**
 * The size that a chunk's line says, or -1 if it is no such line. RFC 9112 §7.1, §7.1.1:
 * chunk-size [ chunk-ext ], where extensions that are not known MUST be ignored: not what looks
 * like one only to some. A size of more than 16 digits is none; above 2^53-1 it is inexact.
 */
export function chunkSize(line: { source: Uint8Array; start: number; end: number }): number {
  const { source, start, end } = line;
  let size = 0;
  let at = start;
  for (; at < end; at++) {
    const digit = HEX_VALUE[source[at]];
    if (digit === 16) break;
    size = size * 16 + digit;
  }
  if (at === start || at > start + 16) return -1;
  return at === end || isExtensions(source.subarray(at, end)) ? size : -1;
}

function isExtensions(bytes: Uint8Array): boolean {
  return EXTENSIONS.test(latin1(bytes, 0, bytes.length));
}
