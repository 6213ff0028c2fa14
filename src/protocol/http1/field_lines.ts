// RFC 9112 §5: the field lines of a head or of a trailer section.
import type { Field } from "../wire/field.ts";
import { latin1 } from "../wire/latin1.ts";
import { HttpError } from "./error.ts";
import { hashName, knownName } from "./names.ts";
import { isOws, LOWER_TCHAR } from "./octets.ts";

const EMPTY = new Uint8Array(0);
const COLON = 0x3a;

/**
 * Gathers `name ":" OWS value OWS` lines. Each is checked as it comes; the text of all that came in
 * one piece is made at once. Names are in lower case, values as they are. Throws an `HttpError`
 * with status `invalid` for whatever a lenient reader might repair.
 */
export class FieldLines {
  readonly #invalid: number;
  #fields: Field[] = [];
  #count = 0;
  /** What the lines lie in that have no text yet. */
  #source: Uint8Array = EMPTY;
  /** Of each of them its name if it is known. */
  #names: (string | null)[] = [];
  /** Of each of them where the name begins and ends, and the value. */
  #places: number[] = [];

  constructor(invalid: number) {
    this.#invalid = invalid;
  }

  /** How many lines there are. */
  get count(): number {
    return this.#count;
  }

  /**
   * Takes the line from `start` to `end`, without its CRLF and known to have no control character
   * but HTAB. The bytes must stay as they are until `settle` or `take`.
   */
  add(source: Uint8Array, start: number, end: number): void {
    if (source !== this.#source) {
      this.settle();
      this.#source = source;
    }
    let hash = 0;
    let colon = start;
    for (; colon < end; colon++) {
      const lower = LOWER_TCHAR[source[colon]];
      if (lower === 0) break;
      hash = hashName(hash, lower);
    }
    if (colon === start || colon === end || source[colon] !== COLON) {
      this.#refuse(latin1(source, start, end));
    }
    let from = colon + 1;
    let to = end;
    while (from < to && isOws(source[from])) from++;
    while (to > from && isOws(source[to - 1])) to--;
    this.#names.push(knownName(hash, source, start));
    this.#places.push(start, colon, from, to);
    this.#count++;
  }

  /** Makes text of all lines that came, so that their bytes may change. */
  settle(): void {
    const count = this.#names.length;
    if (count === 0) return;
    const places = this.#places;
    const first = places[0];
    const text = latin1(this.#source, first, places[places.length - 1]);
    for (let i = 0; i < count; i++) {
      const name = this.#names[i] ??
        text.slice(places[4 * i] - first, places[4 * i + 1] - first).toLowerCase();
      this.#fields.push([name, text.slice(places[4 * i + 2] - first, places[4 * i + 3] - first)]);
    }
    this.#names.length = 0;
    places.length = 0;
    this.#source = EMPTY;
  }

  /** All fields in order; it is empty after that. */
  take(): Field[] {
    this.settle();
    const fields = this.#fields;
    this.#fields = [];
    this.#count = 0;
    return fields;
  }

  #refuse(line: string): never {
    // RFC 9112 §5.2: a line that begins with white space is obs-fold, §2.2: or precedes all fields.
    if (isOws(line.charCodeAt(0))) {
      throw new HttpError(this.#invalid, "A field line begins with white space (obs-fold)");
    }
    const colon = line.indexOf(":");
    if (colon < 0) throw new HttpError(this.#invalid, "A field line has no colon");
    // RFC 9112 §5.1: no white space between name and colon. RFC 9110 §5.1: a name is a token.
    const name = JSON.stringify(line.slice(0, Math.min(colon, 40)));
    throw new HttpError(this.#invalid, `Invalid field name ${name}`);
  }
}
