import type { Form } from "../hpack/integer.ts";
import type { Parser } from "../wire/parser.ts";
import { QpackCode, QpackError } from "./codes.ts";

/** RFC 9204 §4.3: how encoder instructions begin, told apart by the first byte's size. */
export const EncoderInstruction = {
  /** §4.3.2: 1 T NameIndex(6+) */
  INSERT_WITH_NAME_REFERENCE: { pattern: 0x80, prefixBits: 6 },
  /** §4.3.3: 01 H NameLength(5+) */
  INSERT_WITH_LITERAL_NAME: { pattern: 0x40, prefixBits: 5 },
  /** §4.3.1: 001 Capacity(5+) */
  SET_DYNAMIC_TABLE_CAPACITY: { pattern: 0x20, prefixBits: 5 },
  /** §4.3.4: 000 Index(5+) */
  DUPLICATE: { pattern: 0x00, prefixBits: 5 },
} as const satisfies Record<string, Form>;

const EMPTY = new Uint8Array(0);

/**
 * The peer's encoder stream, for a dynamic table of capacity 0, from behind the stream's type on.
 * All that a peer may say is that the capacity is 0, which is one byte; so the first byte that is
 * not this one is an error, and nothing is ever held back.
 */
export class EncoderStreamParser implements Parser<never> {
  readonly limit = 0;
  readonly buffered = 0;
  #chunk: Uint8Array = EMPTY;
  #error: QpackError | null = null;

  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
  }

  /** @throws {QpackError} QPACK_ENCODER_STREAM_ERROR */
  next(): null {
    if (this.#error !== null) throw this.#error;
    const chunk = this.#chunk;
    this.#chunk = EMPTY;
    for (let i = 0; i < chunk.length; i++) {
      if (chunk[i] === EncoderInstruction.SET_DYNAMIC_TABLE_CAPACITY.pattern) continue;
      this.#error = new QpackError(QpackCode.QPACK_ENCODER_STREAM_ERROR, faultOf(chunk[i]));
      throw this.#error;
    }
    return null;
  }

  end(): void {
    if (this.#error !== null) throw this.#error;
  }
}

/** Why an instruction that begins with this byte is an error. */
function faultOf(first: number): string {
  // RFC 9204 §3.2.2: adding an entry larger than the capacity, which any is (§3.2.1: at least 32
  // bytes), MUST be QPACK_ENCODER_STREAM_ERROR.
  if (first >= EncoderInstruction.INSERT_WITH_NAME_REFERENCE.pattern) {
    return "Insert with Name Reference into a dynamic table of capacity 0";
  }
  if (first >= EncoderInstruction.INSERT_WITH_LITERAL_NAME.pattern) {
    return "Insert with Literal Name into a dynamic table of capacity 0";
  }
  // RFC 9204 §4.3.1: a capacity above the limit, which is 0, MUST be QPACK_ENCODER_STREAM_ERROR.
  if (first >= EncoderInstruction.SET_DYNAMIC_TABLE_CAPACITY.pattern) {
    return "Set Dynamic Table Capacity above 0";
  }
  // RFC 9204 §2.2.3: a reference to an entry that there is not MUST be QPACK_ENCODER_STREAM_ERROR.
  return "Duplicate in an empty dynamic table";
}
