import { type Form, MAX_CONTINUATION_BYTES, readInteger } from "../hpack/integer.ts";
import type { Parser } from "../wire/parser.ts";
import { asQpackError, QpackCode, QpackError } from "./codes.ts";

/** RFC 9204 §4.4: how decoder instructions begin, told apart by the first byte's size. */
export const DecoderInstruction = {
  /** §4.4.1: 1 StreamID(7+) */
  SECTION_ACKNOWLEDGMENT: { pattern: 0x80, prefixBits: 7 },
  /** §4.4.2: 01 StreamID(6+) */
  STREAM_CANCELLATION: { pattern: 0x40, prefixBits: 6 },
  /** §4.4.3: 00 Increment(6+) */
  INSERT_COUNT_INCREMENT: { pattern: 0x00, prefixBits: 6 },
} as const satisfies Record<string, Form>;

const EMPTY = new Uint8Array(0);
const PREFIX_MASK = (1 << DecoderInstruction.STREAM_CANCELLATION.prefixBits) - 1;

/**
 * The peer's decoder stream, from behind the stream's type on, where our encoder never uses the
 * dynamic table: a Stream Cancellation tells us nothing, all else is an error.
 */
export class DecoderStreamParser implements Parser<never> {
  readonly limit = 1 + MAX_CONTINUATION_BYTES;
  #chunk: Uint8Array = EMPTY;
  /** An unfinished Stream Cancellation. */
  readonly #held = new Uint8Array(1 + MAX_CONTINUATION_BYTES);
  #heldBytes = 0;
  #error: unknown = null;

  get buffered(): number {
    return this.#heldBytes;
  }

  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
  }

  /** @throws {QpackError} QPACK_DECODER_STREAM_ERROR */
  next(): null {
    if (this.#error !== null) throw this.#error;
    const chunk = this.#chunk;
    this.#chunk = EMPTY;
    try {
      for (let i = 0; i < chunk.length; i++) this.#take(chunk[i]);
    } catch (error) {
      this.#error = asQpackError(QpackCode.QPACK_DECODER_STREAM_ERROR, error);
      throw this.#error;
    }
    return null;
  }

  /** @throws {QpackError} QPACK_DECODER_STREAM_ERROR when an instruction is cut off */
  end(): void {
    if (this.#error === null && this.#heldBytes > 0) {
      this.#error = decoderStreamError("The decoder stream ends inside an instruction");
    }
    if (this.#error !== null) throw this.#error;
  }

  #take(byte: number): void {
    if (this.#heldBytes === 0) checkFirst(byte);
    this.#held[this.#heldBytes++] = byte;
    const more = this.#heldBytes === 1 ? (byte & PREFIX_MASK) === PREFIX_MASK : byte >= 0x80;
    if (more && this.#heldBytes < this.limit) return;
    // RFC 9204 §7.4: a value larger than we can decode MUST be a connection error.
    const bytes = this.#held.subarray(0, this.#heldBytes);
    readInteger({ bytes, at: 0 }, DecoderInstruction.STREAM_CANCELLATION.prefixBits);
    this.#heldBytes = 0;
  }
}

function checkFirst(byte: number): void {
  // RFC 9204 §4.4.1: a Section Acknowledgment for a stream without a field section that awaits
  // one MUST be QPACK_DECODER_STREAM_ERROR. None of ours ever does.
  if (byte >= DecoderInstruction.SECTION_ACKNOWLEDGMENT.pattern) {
    throw decoderStreamError("Section Acknowledgment that no field section awaits");
  }
  // RFC 9204 §4.4.3: an Increment of 0, or beyond what was sent, MUST be
  // QPACK_DECODER_STREAM_ERROR. We never insert.
  if (byte < DecoderInstruction.STREAM_CANCELLATION.pattern) {
    throw decoderStreamError("Insert Count Increment without an insert");
  }
}

function decoderStreamError(message: string): QpackError {
  return new QpackError(QpackCode.QPACK_DECODER_STREAM_ERROR, message);
}
