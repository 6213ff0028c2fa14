import { type Field, FIELD_OVERHEAD_BYTES, fieldSize } from "../wire/field.ts";
import { DEFAULT_TABLE_BYTES, DynamicTable } from "./dynamic_table.ts";
import { readString } from "./huffman.ts";
import { type Cursor, HpackError, readInteger } from "./integer.ts";
import { Representation, STRING } from "./representation.ts";
import { STATIC_TABLE } from "./static_table.ts";

const { INDEXED, LITERAL_WITH_INCREMENTAL_INDEXING, SIZE_UPDATE, LITERAL_NEVER_INDEXED } =
  Representation;

/** RFC 7541 §4.2: where the size changed more than once, the smallest and the final one. */
const MAX_SIZE_UPDATES = 2;
const DEFAULT_MAX_FIELDS = 256;

export interface HpackDecoderOptions {
  /** What the peer may use before it heard of `setMaxTableBytes`; default 4096. */
  maxTableBytes?: number;
  /** The most fields of one block; default 256. */
  maxFields?: number;
}

/** A decoded block; when it is `oversize`, `fields` are those before the limit. */
export interface HeaderList {
  fields: Field[];
  oversize: boolean;
}

/** RFC 7541 §3: decodes the header blocks of one connection, in the order they came. */
export class HpackDecoder {
  readonly #table: DynamicTable;
  readonly #maxFields: number;
  #maxTableBytes: number;
  /** Whether the next block has to begin with a size update. */
  #awaitsSizeUpdate = false;

  constructor(options: HpackDecoderOptions = {}) {
    this.#maxTableBytes = options.maxTableBytes ?? DEFAULT_TABLE_BYTES;
    this.#maxFields = options.maxFields ?? DEFAULT_MAX_FIELDS;
    this.#table = new DynamicTable(this.#maxTableBytes);
  }

  /** RFC 7541 §4.1: the size of the dynamic table. */
  get tableBytes(): number {
    return this.#table.bytes;
  }

  /** The entries of the dynamic table, the newest first. */
  get tableFields(): Field[] {
    return Array.from({ length: this.#table.length }, (_, i) => this.#table.at(i));
  }

  /** RFC 9113 §4.3.1: the peer acknowledged this SETTINGS_HEADER_TABLE_SIZE of ours. */
  setMaxTableBytes(maxTableBytes: number): void {
    this.#maxTableBytes = maxTableBytes;
    if (this.#table.bytes > maxTableBytes) this.#awaitsSizeUpdate = true;
    else if (this.#table.maxBytes > maxTableBytes) this.#table.resize(maxTableBytes);
  }

  /**
   * Decodes a whole block. Names and values are latin1. `maxBytes` is the size that RFC 9113 §6.5.2
   * speaks of. Where the fields pass it, or are too many, the rest is read for the dynamic table's
   * sake and forgotten; a string beyond the limit is made only if it goes into the table.
   *
   * @throws {HpackError} COMPRESSION_ERROR of the connection
   */
  decode(block: Uint8Array, maxBytes: number): HeaderList {
    const reader = new BlockReader(block, maxBytes, this.#maxFields);
    this.#readSizeUpdates(reader);
    while (reader.at < block.length) this.#readField(reader);
    return { fields: reader.fields, oversize: reader.oversize };
  }

  #readSizeUpdates(reader: BlockReader): void {
    for (let count = 0; isSizeUpdate(reader.bytes[reader.at]); count++) {
      // RFC 7541 §4.2: at most two size updates are signaled.
      if (count === MAX_SIZE_UPDATES) throw new HpackError("More than two size updates");
      const maxBytes = readInteger(reader, SIZE_UPDATE.prefixBits);
      // RFC 7541 §6.3: a size above the limit that the protocol sets MUST be a decoding error.
      if (maxBytes > this.#maxTableBytes) {
        throw new HpackError(`Size update to ${maxBytes}, above ${this.#maxTableBytes}`);
      }
      this.#table.resize(maxBytes);
      this.#awaitsSizeUpdate = false;
    }
    // RFC 9113 §4.3.1: a block that follows the acknowledgment of a reduction below the size of the
    // table MUST start with a size update.
    if (this.#awaitsSizeUpdate) throw new HpackError("Block without the size update that is due");
  }

  #readField(reader: BlockReader): void {
    const first = reader.bytes[reader.at];
    if (first >= INDEXED.pattern) {
      reader.keep(this.#field(readInteger(reader, INDEXED.prefixBits)));
      return;
    }
    const indexing = first >= LITERAL_WITH_INCREMENTAL_INDEXING.pattern;
    // RFC 7541 §4.2: a size update MUST occur at the beginning of a block.
    if (!indexing && isSizeUpdate(first)) throw new HpackError("Size update behind a field");
    // What goes into the table may be longer than what is kept.
    const room = Math.max(reader.leftBytes, indexing ? this.#table.maxBytes : 0);
    const form = indexing ? LITERAL_WITH_INCREMENTAL_INDEXING : LITERAL_NEVER_INDEXED;
    const name = this.#readName(reader, form.prefixBits, room);
    const valueRoom = name === null ? -1 : room - name.length - FIELD_OVERHEAD_BYTES;
    const value = readString(reader, STRING.prefixBits, valueRoom);
    if (name === null || value === null) {
      // RFC 7541 §4.4: an entry larger than the table empties it.
      if (indexing) this.#table.clear();
      reader.drop();
      return;
    }
    const field: Field = [name, value];
    if (indexing) this.#table.insert(field);
    reader.keep(field);
  }

  #readName(reader: BlockReader, prefixBits: number, room: number): string | null {
    const index = readInteger(reader, prefixBits);
    if (index !== 0) return this.#field(index)[0];
    return readString(reader, STRING.prefixBits, room - FIELD_OVERHEAD_BYTES);
  }

  /** RFC 7541 §2.3.3: the static table from 1 on, and the dynamic one right behind it. */
  #field(index: number): Field {
    if (index <= STATIC_TABLE.length) {
      // RFC 7541 §6.1: the index value of 0 MUST be a decoding error.
      if (index === 0) throw new HpackError("Index 0");
      return STATIC_TABLE[index - 1];
    }
    const place = index - STATIC_TABLE.length - 1;
    // RFC 7541 §2.3.3: an index beyond both tables MUST be a decoding error.
    if (place >= this.#table.length) throw new HpackError(`Index ${index} is beyond both tables`);
    return this.#table.at(place);
  }
}

/** Where in a block we are, and what of it is kept. */
class BlockReader implements Cursor {
  readonly bytes: Uint8Array;
  at = 0;
  readonly fields: Field[] = [];
  oversize = false;
  /** How much of the limit is left; 0 once it was passed. */
  leftBytes: number;
  readonly #maxFields: number;

  constructor(bytes: Uint8Array, maxBytes: number, maxFields: number) {
    this.bytes = bytes;
    this.leftBytes = maxBytes;
    this.#maxFields = maxFields;
  }

  keep(field: Field): void {
    this.leftBytes -= fieldSize(field[0], field[1]);
    if (this.leftBytes < 0 || this.fields.length === this.#maxFields) this.drop();
    if (!this.oversize) this.fields.push(field);
  }

  drop(): void {
    this.oversize = true;
    this.leftBytes = 0;
  }
}

function isSizeUpdate(first: number | undefined): boolean {
  return first !== undefined && first >> SIZE_UPDATE.prefixBits === 1;
}
