import { latin1 } from "../wire/latin1.ts";
import type { Parser } from "../wire/parser.ts";
import { type Fixed, readAddresses, readFixed } from "./block.ts";
import { ProxyProtocolError } from "./error.ts";
import {
  ADDRESS_BYTES,
  FIXED_BYTES,
  MAX_LINE_BYTES,
  PREFIX,
  type ProxyHeader,
  SIGNATURE,
} from "./header.ts";
import { parseLine } from "./line.ts";

const PREFIX_BYTES: readonly number[] = Array.from(PREFIX, (c) => c.charCodeAt(0));
const CR = 0x0d;
const LF = 0x0a;
const EMPTY = new Uint8Array(0);
const DEFAULT_MAX_TLV_BYTES = 4096;

/**
 * Reads the header that a proxy sends before all else. `next` gives it once; then `done` holds and
 * `rest` has the bytes behind it, which are the connection's own. A wrong byte is told as soon as
 * it is there. TLVs are skipped.
 */
export class ProxyHeaderParser implements Parser<ProxyHeader> {
  readonly limit = FIXED_BYTES + Math.max(...ADDRESS_BYTES);
  readonly #maxTlvBytes: number;
  readonly #held = new Uint8Array(this.limit);
  #length = 0;
  #chunk = EMPTY as Uint8Array;
  #at = 0;
  #fixed: Fixed | null = null;
  #header: ProxyHeader | null = null;
  /** What is still to be skipped. */
  #skip = 0;
  #done = false;
  #error: ProxyProtocolError | null = null;

  /** @param maxTlvBytes the most bytes of TLVs behind the addresses of version 2 */
  constructor(maxTlvBytes: number = DEFAULT_MAX_TLV_BYTES) {
    this.#maxTlvBytes = maxTlvBytes;
  }

  /** Whether the header has come. */
  get done(): boolean {
    return this.#done;
  }

  get buffered(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The header, once it is whole. Throws a `ProxyProtocolError`, and the same again ever after. */
  next(): ProxyHeader | null {
    if (this.#error !== null) throw this.#error;
    if (this.#done) return null;
    try {
      while (this.#header === null && this.#at < this.#chunk.length) this.#take();
    } catch (error) {
      if (error instanceof ProxyProtocolError) this.#error = error;
      throw error;
    }
    return this.#header === null ? null : this.#skipTlvs(this.#header);
  }

  /** Takes the bytes behind the header out of the chunk: a view, empty before `done`. */
  rest(): Uint8Array {
    if (!this.#done) return EMPTY;
    const rest = this.#chunk.subarray(this.#at);
    this.#at = this.#chunk.length;
    return rest;
  }

  end(): void {
    if (this.#error !== null) throw this.#error;
    if (this.#done) return;
    this.#error = new ProxyProtocolError("The connection ended before the end of the header");
    throw this.#error;
  }

  #take(): void {
    const byte = this.#chunk[this.#at++];
    const at = this.#length;
    this.#held[this.#length++] = byte;
    if (this.#held[0] === SIGNATURE[0]) this.#takeBlock(byte, at);
    else this.#takeLine(byte, at);
  }

  #takeLine(byte: number, at: number): void {
    if (at < PREFIX_BYTES.length && byte !== PREFIX_BYTES[at]) throw noHeader();
    if (byte === LF && this.#held[at - 1] === CR) {
      this.#header = parseLine(latin1(this.#held, 0, at - 1));
    } else if (this.#length === MAX_LINE_BYTES) {
      // Section 2.1: a line whose CRLF is not in the first 107 bytes is invalid.
      throw new ProxyProtocolError(`No CRLF in the first ${MAX_LINE_BYTES} bytes`);
    }
  }

  #takeBlock(byte: number, at: number): void {
    if (at < SIGNATURE.length && byte !== SIGNATURE[at]) throw noHeader();
    if (this.#length < FIXED_BYTES) return;
    this.#fixed ??= readFixed(this.#held, this.#maxTlvBytes);
    if (this.#length < FIXED_BYTES + this.#fixed.addressBytes) return;
    this.#header = readAddresses(this.#held, this.#fixed);
    this.#skip = this.#fixed.restBytes;
  }

  #skipTlvs(header: ProxyHeader): ProxyHeader | null {
    const bytes = Math.min(this.#skip, this.#chunk.length - this.#at);
    this.#at += bytes;
    this.#skip -= bytes;
    if (this.#skip > 0) return null;
    this.#done = true;
    this.#length = 0;
    return header;
  }
}

function noHeader(): ProxyProtocolError {
  return new ProxyProtocolError("The connection does not begin with a PROXY header");
}
