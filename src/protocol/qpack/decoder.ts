import { readString } from "../hpack/huffman.ts";
import { type Cursor, readInteger } from "../hpack/integer.ts";
import { type Field, FIELD_OVERHEAD_BYTES, fieldSize } from "../wire/field.ts";
import { asQpackError, QpackCode, QpackError } from "./codes.ts";
import {
  DELTA_BASE,
  DELTA_BASE_SIGN,
  FieldLine,
  INDEXED_STATIC,
  NAME_REFERENCE_STATIC,
  REQUIRED_INSERT_COUNT,
  VALUE,
} from "./field_line.ts";
import { STATIC_TABLE } from "./static_table.ts";

/** A decoded field section; when it is `oversize`, `fields` are those before the limit. */
export interface FieldSection {
  fields: Field[];
  oversize: boolean;
}

/**
 * Decodes an encoded field section (RFC 9204 §4.5) that a peer made for a dynamic table of capacity
 * 0. Names and values are latin1. `maxBytes` is the size that RFC 9114 §4.2.2 speaks of: where
 * the section passes it, decoding stops, and the string that passed it is never made.
 *
 * @throws {QpackError} QPACK_DECOMPRESSION_FAILED
 */
export function decodeFieldSection(block: Uint8Array, maxBytes: number): FieldSection {
  const section = new SectionReader(block, maxBytes);
  try {
    section.readPrefix();
    while (section.at < block.length && !section.oversize) section.readLine();
  } catch (error) {
    throw asQpackError(QpackCode.QPACK_DECOMPRESSION_FAILED, error);
  }
  return { fields: section.fields, oversize: section.oversize };
}

class SectionReader implements Cursor, FieldSection {
  readonly bytes: Uint8Array;
  at = 0;
  readonly fields: Field[] = [];
  oversize = false;
  /** How much of the limit is left. */
  #leftBytes: number;

  constructor(bytes: Uint8Array, maxBytes: number) {
    this.bytes = bytes;
    this.#leftBytes = maxBytes;
  }

  readPrefix(): void {
    const requiredInsertCount = readInteger(this, REQUIRED_INSERT_COUNT.prefixBits);
    // RFC 9204 §4.5.1.1: a Required Insert Count that no conformant encoder could have produced
    // MUST be QPACK_DECOMPRESSION_FAILED; for a table of capacity 0, that is any but 0.
    if (requiredInsertCount !== 0) throw failed("Required Insert Count is not 0");
    const first = this.bytes[this.at];
    readInteger(this, DELTA_BASE.prefixBits);
    // RFC 9204 §4.5.1.2: a sign bit of 1 MUST be treated as invalid if Required Insert Count is
    // less than or equal to Delta Base. With a sign bit of 0 any Base will do.
    if ((first & DELTA_BASE_SIGN) !== 0) throw failed("Base is negative");
  }

  readLine(): void {
    const first = this.bytes[this.at];
    if (first >= FieldLine.INDEXED.pattern) {
      this.#readIndexed((first & INDEXED_STATIC) !== 0);
    } else if (first >= FieldLine.LITERAL_WITH_NAME_REFERENCE.pattern) {
      if ((first & NAME_REFERENCE_STATIC) === 0) throw dynamicReference("name index");
      const { prefixBits } = FieldLine.LITERAL_WITH_NAME_REFERENCE;
      this.#readValue(staticField(readInteger(this, prefixBits))[0]);
    } else if (first >= FieldLine.LITERAL_WITH_LITERAL_NAME.pattern) {
      const { prefixBits } = FieldLine.LITERAL_WITH_LITERAL_NAME;
      this.#readValue(readString(this, prefixBits, this.#leftBytes - FIELD_OVERHEAD_BYTES));
    } else if (first >= FieldLine.INDEXED_WITH_POST_BASE_INDEX.pattern) {
      throw dynamicReference("post-base index");
    } else {
      throw dynamicReference("post-base name index");
    }
  }

  #readIndexed(isStatic: boolean): void {
    if (!isStatic) throw dynamicReference("index");
    const field = staticField(readInteger(this, FieldLine.INDEXED.prefixBits));
    this.#leftBytes -= fieldSize(field[0], field[1]);
    if (this.#leftBytes < 0) this.oversize = true;
    else this.fields.push(field);
  }

  /** Reads the value of a field whose name was not too long. */
  #readValue(name: string | null): void {
    if (name === null) {
      this.oversize = true;
      return;
    }
    this.#leftBytes -= name.length + FIELD_OVERHEAD_BYTES;
    const value = readString(this, VALUE.prefixBits, this.#leftBytes);
    if (value === null) {
      this.oversize = true;
      return;
    }
    this.#leftBytes -= value.length;
    this.fields.push([name, value]);
  }
}

function staticField(index: number): Field {
  // RFC 9204 §3.1: an invalid static table index in a field line MUST be
  // QPACK_DECOMPRESSION_FAILED.
  if (index >= STATIC_TABLE.length) throw failed(`Static table index ${index} is above 98`);
  return STATIC_TABLE[index];
}

/**
 * RFC 9204 §2.2.3: a reference to a dynamic table entry whose index is not below the Required
 * Insert Count MUST be QPACK_DECOMPRESSION_FAILED; that count is 0.
 */
function dynamicReference(what: string): QpackError {
  return failed(`Field line with a ${what} of the dynamic table, which is empty`);
}

function failed(message: string): QpackError {
  return new QpackError(QpackCode.QPACK_DECOMPRESSION_FAILED, message);
}
