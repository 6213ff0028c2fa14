import { type Field, fieldSize } from "../wire/field.ts";
import { DEFAULT_TABLE_BYTES } from "./dynamic_table.ts";
import { EncoderTable } from "./encoder_table.ts";
import { writeString } from "./huffman.ts";
import { Indexing, indexingOf } from "./indexing.ts";
import { type Cursor, type Form, MAX_INTEGER_BYTES, writeInteger } from "./integer.ts";
import { Representation, STRING } from "./representation.ts";
import { STATIC_TABLE } from "./static_table.ts";

/** Where a name stands in the static table. */
interface StaticName {
  /** The index of the first row with this name. */
  readonly index: number;
  /** The rows that have a value too; `null` for none, as to look one up costs a hash of it. */
  byValue: Map<string, number> | null;
}

const STATIC_NAMES = staticNames();

function staticNames(): Map<string, StaticName> {
  const names = new Map<string, StaticName>();
  STATIC_TABLE.forEach(([name, value], row) => {
    const known = names.get(name) ?? { index: row + 1, byValue: null };
    if (value !== "") known.byValue = (known.byValue ?? new Map()).set(value, row + 1);
    names.set(name, known);
  });
  return names;
}

/** By `Indexing`. */
const FORMS: readonly Form[] = [
  Representation.LITERAL_WITH_INCREMENTAL_INDEXING,
  Representation.LITERAL_WITHOUT_INDEXING,
  Representation.LITERAL_NEVER_INDEXED,
];

export interface HpackEncoderOptions {
  /** The largest table that we want, however large the peer's may be; default 4096. */
  maxTableBytes?: number;
  /** What is put into the table; default `indexingOf`. */
  indexing?: (name: string, value: string) => Indexing;
}

/**
 * RFC 7541 §3: encodes the header blocks of one connection, which must be sent in the same order.
 * Names are in lower case, names and values latin1.
 */
export class HpackEncoder {
  readonly #table = new EncoderTable(DEFAULT_TABLE_BYTES);
  readonly #ownMaxBytes: number;
  readonly #indexing: (name: string, value: string) => Indexing;
  /** What the table's maximum is to become, and the least that it was to become meanwhile. */
  #nextMaxBytes: number;
  #leastMaxBytes: number;

  constructor(options: HpackEncoderOptions = {}) {
    this.#ownMaxBytes = options.maxTableBytes ?? DEFAULT_TABLE_BYTES;
    this.#indexing = options.indexing ?? indexingOf;
    this.#nextMaxBytes = Math.min(this.#ownMaxBytes, DEFAULT_TABLE_BYTES);
    this.#leastMaxBytes = this.#nextMaxBytes;
  }

  /** RFC 7541 §4.1: the size of the dynamic table. */
  get tableBytes(): number {
    return this.#table.bytes;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE, which the next block tells of if it has to. */
  setMaxTableBytes(maxTableBytes: number): void {
    this.#nextMaxBytes = Math.min(this.#ownMaxBytes, maxTableBytes);
    this.#leastMaxBytes = Math.min(this.#leastMaxBytes, this.#nextMaxBytes);
  }

  /** Encodes a block into an array of its own. */
  encode(fields: readonly Field[]): Uint8Array {
    const out: Cursor = { bytes: new Uint8Array(maxBlockBytes(fields)), at: 0 };
    this.encodeInto(out, fields);
    return out.bytes.subarray(0, out.at);
  }

  /**
   * Writes a block at the cursor, behind which there must be `maxBlockBytes` of room.
   *
   * @throws {RangeError} for a character above U+00FF: a bug of the caller, and the connection's end
   */
  encodeInto(out: Cursor, fields: readonly Field[]): void {
    this.#writeSizeUpdates(out);
    for (let i = 0; i < fields.length; i++) this.#writeField(out, fields[i]);
  }

  /** RFC 7541 §4.2: a change of the size is told at the beginning of the next block. */
  #writeSizeUpdates(out: Cursor): void {
    const least = this.#leastMaxBytes;
    // RFC 7541 §4.2: the smallest size that was set between two blocks MUST be signaled.
    if (least < this.#table.maxBytes) this.#writeSizeUpdate(out, least);
    const next = this.#nextMaxBytes;
    if (next !== this.#table.maxBytes) this.#writeSizeUpdate(out, next);
    this.#leastMaxBytes = next;
  }

  #writeSizeUpdate(out: Cursor, maxBytes: number): void {
    writeInteger(out, Representation.SIZE_UPDATE, maxBytes);
    this.#table.resize(maxBytes);
  }

  #writeField(out: Cursor, field: Field): void {
    const name = field[0];
    const value = field[1];
    const known = STATIC_NAMES.get(name);
    const row = known?.byValue?.get(value);
    if (row !== undefined) {
      writeInteger(out, Representation.INDEXED, row);
      return;
    }
    const indexing = this.#indexing(name, value);
    const index = indexing === Indexing.INCREMENTAL ? this.#table.indexOf(name, value) : 0;
    if (index > 0) {
      writeInteger(out, Representation.INDEXED, STATIC_TABLE.length + index);
      return;
    }
    // What takes more than half of the table would cost more than it saves.
    const fits = 2 * fieldSize(name, value) <= this.#table.maxBytes;
    const form = indexing === Indexing.INCREMENTAL && !fits ? Indexing.WITHOUT : indexing;
    this.#writeLiteral(out, field, FORMS[form]);
    if (form === Indexing.INCREMENTAL) this.#table.insert(field);
  }

  #writeLiteral(out: Cursor, field: Field, form: Form): void {
    const name = field[0];
    const known = STATIC_NAMES.get(name);
    const index = known === undefined ? this.#table.indexOfName(name) : 0;
    if (known !== undefined) {
      writeInteger(out, form, known.index);
    } else if (index > 0) {
      writeInteger(out, form, STATIC_TABLE.length + index);
    } else {
      out.bytes[out.at++] = form.pattern;
      writeString(out, STRING, name);
    }
    writeString(out, STRING, field[1]);
  }
}

/** The most bytes that a block of these fields takes. */
export function maxBlockBytes(fields: readonly Field[]): number {
  let most = 2 * MAX_INTEGER_BYTES;
  for (let i = 0; i < fields.length; i++) {
    most += fields[i][0].length + fields[i][1].length + 2 * MAX_INTEGER_BYTES;
  }
  return most;
}
