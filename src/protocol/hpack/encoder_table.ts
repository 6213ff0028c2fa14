import type { Field } from "../wire/field.ts";
import { DynamicTable } from "./dynamic_table.ts";

/** Where a name stands in the dynamic table. Entries go by their numbers, which never change. */
interface DynamicName {
  /** The newest entry with this name. */
  newest: number;
  /** The newest entry with this name and value. */
  readonly byValue: Map<string, number>;
}

/** The dynamic table of an encoder, which finds entries by name and value. */
export class EncoderTable extends DynamicTable {
  /** Has no name that is in no entry. */
  readonly #names = new Map<string, DynamicName>();

  /** The entry's place from the newest, which has 1; 0 when there is none. */
  indexOf(name: string, value: string): number {
    const number = this.#names.get(name)?.byValue.get(value);
    return number === undefined ? 0 : this.inserted - number;
  }

  /** The place from the newest, which has 1, of an entry with this name; 0 when there is none. */
  indexOfName(name: string): number {
    const known = this.#names.get(name);
    return known === undefined ? 0 : this.inserted - known.newest;
  }

  override insert(field: Field): void {
    const number = this.inserted;
    super.insert(field);
    if (this.inserted === number) return;
    const known = this.#names.get(field[0]);
    if (known === undefined) {
      this.#names.set(field[0], { newest: number, byValue: new Map([[field[1], number]]) });
      return;
    }
    known.newest = number;
    known.byValue.set(field[1], number);
  }

  protected override evicted(field: Field, number: number): void {
    const known = this.#names.get(field[0]);
    if (known === undefined) return;
    if (known.byValue.get(field[1]) === number) known.byValue.delete(field[1]);
    if (known.newest === number) this.#names.delete(field[0]);
  }
}
