import { writeString } from "../hpack/huffman.ts";
import { isSecret } from "../hpack/indexing.ts";
import { type Cursor, type Form, MAX_INTEGER_BYTES, writeInteger } from "../hpack/integer.ts";
import type { Field } from "../wire/field.ts";
import {
  FieldLine,
  INDEXED_STATIC,
  LITERAL_NAME_NEVER_INDEXED,
  NAME_REFERENCE_NEVER_INDEXED,
  NAME_REFERENCE_STATIC,
  VALUE,
} from "./field_line.ts";
import { STATIC_TABLE } from "./static_table.ts";

/** §4.5.1: Required Insert Count 0 and Base 0, as we never refer to the dynamic table. */
const PREFIX_BYTES = 2;

const INDEXED = withBits(FieldLine.INDEXED, INDEXED_STATIC);
const NAME_REFERENCE = withBits(FieldLine.LITERAL_WITH_NAME_REFERENCE, NAME_REFERENCE_STATIC);
const NAME_REFERENCE_SECRET = withBits(NAME_REFERENCE, NAME_REFERENCE_NEVER_INDEXED);
const LITERAL_NAME: Form = FieldLine.LITERAL_WITH_LITERAL_NAME;
const LITERAL_NAME_SECRET = withBits(LITERAL_NAME, LITERAL_NAME_NEVER_INDEXED);

/** Where a name stands in the static table. */
interface StaticName {
  /** The first row with this name. */
  readonly index: number;
  readonly byValue: Map<string, number>;
}

const STATIC_NAMES = staticNames();

function staticNames(): Map<string, StaticName> {
  const names = new Map<string, StaticName>();
  STATIC_TABLE.forEach(([name, value], index) => {
    const row = names.get(name) ?? { index, byValue: new Map() };
    row.byValue.set(value, index);
    names.set(name, row);
  });
  return names;
}

function withBits({ pattern, prefixBits }: Form, bits: number): Form {
  return { pattern: pattern | bits, prefixBits };
}

/**
 * Encodes a field section with the static table and Huffman alone (RFC 9204 §4.5), so that any
 * peer can decode it at once. Names are in lower case, names and values latin1.
 *
 * @throws {RangeError} for a character above U+00FF: a bug of the caller
 */
export function encodeFieldSection(fields: readonly Field[]): Uint8Array {
  let most = PREFIX_BYTES;
  for (const [name, value] of fields) most += name.length + value.length + 2 * MAX_INTEGER_BYTES;
  const out: Cursor = { bytes: new Uint8Array(most), at: PREFIX_BYTES };
  for (const field of fields) writeLine(out, field);
  return out.bytes.subarray(0, out.at);
}

function writeLine(out: Cursor, [name, value]: Field): void {
  const known = STATIC_NAMES.get(name);
  const index = known?.byValue.get(value);
  if (index !== undefined) {
    writeInteger(out, INDEXED, index);
    return;
  }
  const secret = isSecret(name, value);
  if (known !== undefined) {
    writeInteger(out, secret ? NAME_REFERENCE_SECRET : NAME_REFERENCE, known.index);
  } else {
    writeString(out, secret ? LITERAL_NAME_SECRET : LITERAL_NAME, name);
  }
  writeString(out, VALUE, value);
}
