import { type Field, fieldSize } from "../wire/field.ts";

/** RFC 9113 §6.5.2: what a table may hold before anybody said anything. */
export const DEFAULT_TABLE_BYTES = 4096;

const FIRST_ROOM = 16;

/**
 * RFC 7541 §2.3.2: the dynamic table, first in, first out, of either end. A ring, so that to insert
 * and to evict takes the same time however many entries there are.
 */
export class DynamicTable {
  /** RFC 7541 §4.1: the sum of the sizes of all entries. */
  bytes = 0;
  /** How many entries there are. */
  length = 0;
  /** How many entries there have ever been; entry number n is the nth of them, from 0. */
  inserted = 0;
  #maxBytes: number;
  /** As many as a power of two. Entry number n stands at n modulo that. */
  #ring: Field[] = [];

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The most that `bytes` may be. */
  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** The entry `index` places behind the newest, which has 0. The index must be below `length`. */
  at(index: number): Field {
    return this.#ring[(this.inserted - 1 - index) & (this.#ring.length - 1)];
  }

  /** RFC 7541 §4.3: sets the maximum size, and evicts until the table fits. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    while (this.bytes > maxBytes) this.#evict();
    if (this.length === 0) this.#ring = [];
  }

  /**
   * RFC 7541 §4.4: evicts until there is room, then adds the entry as the newest. One that is larger
   * than the whole table leaves the table empty, which is no error.
   */
  insert(field: Field): void {
    const bytes = fieldSize(field[0], field[1]);
    if (bytes > this.#maxBytes) {
      this.clear();
      return;
    }
    while (this.bytes + bytes > this.#maxBytes) this.#evict();
    if (this.length === this.#ring.length) this.#grow();
    this.#ring[this.inserted & (this.#ring.length - 1)] = field;
    this.inserted++;
    this.length++;
    this.bytes += bytes;
  }

  /** Evicts all entries. */
  clear(): void {
    while (this.length > 0) this.#evict();
  }

  /** Told of each entry that is evicted, with its number. */
  protected evicted(_field: Field, _number: number): void {}

  #evict(): void {
    const number = this.inserted - this.length;
    const field = this.#ring[number & (this.#ring.length - 1)];
    this.length--;
    this.bytes -= fieldSize(field[0], field[1]);
    this.evicted(field, number);
  }

  #grow(): void {
    const ring = new Array<Field>(Math.max(FIRST_ROOM, 2 * this.#ring.length));
    for (let i = 0; i < this.length; i++) {
      const number = this.inserted - 1 - i;
      ring[number & (ring.length - 1)] = this.at(i);
    }
    this.#ring = ring;
  }
}
