// RFC 7541 §5.2, Appendix B: the static Huffman code, and the string literals that it is used in.
// RFC 9204 §4.1.2 uses the same, with prefixes of other sizes.
import { latin1 } from "../wire/latin1.ts";
import { CODE_LENGTHS, CODES, EOS } from "./huffman_table.ts";
import { type Cursor, type Form, HpackError, readInteger, writeInteger } from "./integer.ts";

const SHORTEST_CODE = 5;
const LONGEST_CODE = 30;

/** Codes of up to this many bits are found in one step: all of letters, digits and most signs. */
const SHORT_BITS = 10;
const SHORT_MASK = (1 << SHORT_BITS) - 1;

/** By the next 10 bits: `code length << 8 | symbol`, or 0 for what begins a longer code. */
const SHORT_CODES = shortCodes();

/** For each length above 10 bits that there are codes of, in order. */
const LONG_CODES = longCodes();

/** Decoded bytes gather here until they become a string. It holds nothing between two calls. */
const scratch = new Uint8Array(1024);

function shortCodes(): Uint16Array {
  const rows = new Uint16Array(1 << SHORT_BITS);
  for (let symbol = 0; symbol < EOS; symbol++) {
    const free = SHORT_BITS - CODE_LENGTHS[symbol];
    if (free < 0) continue;
    const first = CODES[symbol] << free;
    rows.fill((CODE_LENGTHS[symbol] << 8) | symbol, first, first + (1 << free));
  }
  return rows;
}

interface LongCodes {
  readonly length: number;
  readonly firstCode: number;
  /** The 32 bits from a code of this length on are less than this. */
  readonly limit: number;
  /** RFC 7541 Appendix B: the code is canonical: codes of one length ascend with their symbols. */
  readonly symbols: readonly number[];
}

function longCodes(): LongCodes[] {
  const rows: LongCodes[] = [];
  for (let length = SHORT_BITS + 1; length <= LONGEST_CODE; length++) {
    const symbols = Array.from(CODE_LENGTHS.keys()).filter((s) => CODE_LENGTHS[s] === length);
    if (symbols.length === 0) continue;
    const firstCode = CODES[symbols[0]];
    const limit = (firstCode + symbols.length) * 2 ** (32 - length);
    rows.push({ length, firstCode, limit, symbols });
  }
  return rows;
}

/**
 * Decodes `bytes` from `start` to `end` to a latin1 string, or to `null` when that would have more
 * than `maxBytes` characters; then nothing of that size was allocated.
 *
 * @throws {HpackError} RFC 7541 §5.2: for EOS, and for padding that is longer than 7 bits or does
 * not consist of ones
 */
export function huffmanDecode(
  bytes: Uint8Array,
  start: number,
  end: number,
  maxBytes: number,
): string | null {
  if (maxBytes < 0 || (end - start) * 8 - 7 > maxBytes * LONGEST_CODE) return null;
  let text = "";
  let length = 0;
  let room = Math.min(scratch.length, maxBytes);
  let at = start;
  // The low `bits` bits of `held` are yet to be decoded, 17 at most.
  let held = 0;
  let bits = 0;
  while (at < end) {
    held = (held << 8) | bytes[at++];
    bits += 8;
    while (bits >= SHORT_BITS) {
      if (length === room) {
        if (text.length + length >= maxBytes) return null;
        text += latin1(scratch, 0, length);
        length = 0;
        room = Math.min(scratch.length, maxBytes - text.length);
      }
      let row = SHORT_CODES[(held >>> (bits - SHORT_BITS)) & SHORT_MASK];
      if (row === 0) {
        const position = at * 8 - bits;
        row = longCode(bytes, position, end);
        at = Math.ceil((position + (row >> 8)) / 8);
        bits = at * 8 - position;
        held = bytes[at - 1];
      }
      bits -= row >> 8;
      scratch[length++] = row;
    }
  }
  const last = lastSymbol(held, bits);
  if (last < 0) return text + latin1(scratch, 0, length);
  if (text.length + length >= maxBytes) return null;
  return text + latin1(scratch, 0, length) + String.fromCharCode(last);
}

/** `code length << 8 | symbol` of the code of more than 10 bits at this bit of `bytes`. */
function longCode(bytes: Uint8Array, position: number, end: number): number {
  const at = Math.floor(position / 8);
  const shift = position % 8;
  const byte = (i: number) => at + i < end ? bytes[at + i] : 0xff;
  const four = (byte(0) << 24) | (byte(1) << 16) | (byte(2) << 8) | byte(3);
  const window = ((four << shift) | (byte(4) >>> (8 - shift))) >>> 0;
  for (const { length, limit, firstCode, symbols } of LONG_CODES) {
    if (window >= limit) continue;
    // RFC 7541 §5.2: a padding strictly longer than 7 bits MUST be a decoding error.
    if (position + length > end * 8) throw new HpackError("Huffman string ends inside a code");
    const symbol = symbols[(window >>> (32 - length)) - firstCode];
    // RFC 7541 §5.2: a Huffman string that contains EOS MUST be a decoding error.
    if (symbol === EOS) throw new HpackError("Huffman string contains EOS");
    return (length << 8) | symbol;
  }
  throw new HpackError("Huffman string contains EOS");
}

/** The symbol in the last 9 bits or less, -1 when there is none; the padding behind it is checked. */
function lastSymbol(held: number, bits: number): number {
  let symbol = -1;
  let left = bits;
  if (bits >= SHORTEST_CODE) {
    const index = (held << (SHORT_BITS - bits)) | (SHORT_MASK >> bits);
    const row = SHORT_CODES[index & SHORT_MASK];
    if (row !== 0 && row >> 8 <= bits) {
      symbol = row & 0xff;
      left -= row >> 8;
    }
  }
  const ones = (1 << left) - 1;
  // RFC 7541 §5.2: a padding strictly longer than 7 bits, or one that does not correspond to the
  // most significant bits of the code for EOS, MUST be a decoding error.
  if (left > 7) throw new HpackError("Huffman string with a padding of more than 7 bits");
  if ((held & ones) !== ones) throw new HpackError("Huffman string with a padding not of ones");
  return symbol;
}

/**
 * How many bytes the text takes when it is Huffman-coded.
 *
 * @throws {RangeError} for a character above U+00FF: a bug of the caller
 */
export function huffmanEncodedLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c > 0xff) throw new RangeError(`Cannot encode U+${c.toString(16)}: fields are latin1`);
    bits += CODE_LENGTHS[c];
  }
  return Math.ceil(bits / 8);
}

/** Writes the Huffman-coded latin1 text at `offset`; returns the offset behind it. */
export function huffmanEncode(text: string, out: Uint8Array, offset: number): number {
  let held = 0;
  let bits = 0;
  let at = offset;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    let length = CODE_LENGTHS[symbol];
    // Beside the 7 bits that may wait, a number has no room for the longest codes.
    if (length > 24) {
      length -= 15;
      held = (held << 15) | (CODES[symbol] >>> length);
      for (bits += 15; bits >= 8;) out[at++] = held >>> (bits -= 8);
    }
    held = (held << length) | (CODES[symbol] & ((1 << length) - 1));
    for (bits += length; bits >= 8;) out[at++] = held >>> (bits -= 8);
  }
  // RFC 7541 §5.2: padding is the most significant bits of EOS, all of them ones.
  if (bits > 0) out[at++] = (held << (8 - bits)) | (0xff >> bits);
  return at;
}

/**
 * Reads the string literal at the cursor and moves the cursor behind it. The bit in front of the
 * prefix says whether it is Huffman-coded. Gives `null` for more than `maxBytes` characters.
 *
 * @throws {HpackError} when it is cut or wrongly coded
 */
export function readString(cursor: Cursor, prefixBits: number, maxBytes: number): string | null {
  const { bytes, at: start } = cursor;
  const length = readInteger(cursor, prefixBits);
  const { at } = cursor;
  if (length > bytes.length - at) throw new HpackError("The block ends inside a string");
  cursor.at = at + length;
  if (((bytes[start] >> prefixBits) & 1) === 1) {
    return huffmanDecode(bytes, at, at + length, maxBytes);
  }
  return length > maxBytes ? null : latin1(bytes, at, at + length);
}

/** Writes a latin1 text as a string literal, Huffman-coded where that is shorter. */
export function writeString(cursor: Cursor, form: Form, text: string): void {
  const { pattern, prefixBits } = form;
  const length = huffmanEncodedLength(text);
  if (length < text.length) {
    writeInteger(cursor, { pattern: pattern | (1 << prefixBits), prefixBits }, length);
    cursor.at = huffmanEncode(text, cursor.bytes, cursor.at);
    return;
  }
  writeInteger(cursor, form, text.length);
  for (let i = 0; i < text.length; i++) cursor.bytes[cursor.at++] = text.charCodeAt(i);
}
