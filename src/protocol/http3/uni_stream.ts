import { DecoderStreamParser } from "../qpack/decoder_stream.ts";
import { EncoderStreamParser } from "../qpack/encoder_stream.ts";
import { PeerError } from "../wire/error.ts";
import type { Parser } from "../wire/parser.ts";
import { readVarint, varintSizeAt } from "../wire/varint.ts";
import type { ConnectionState, UniStreamKind } from "./connection.ts";
import { type ControlStreamEvent, ControlStreamParser } from "./control_stream.ts";

export { UniStreamType } from "./connection.ts";

/** `ignore`: the stream is of unknown type; its owner should stop reading it. */
export type UniStreamEvent = ControlStreamEvent | { type: "ignore" };

const MAX_TYPE_SIZE = 8;

const EMPTY: Uint8Array = new Uint8Array(0);

/**
 * RFC 9114 §6.2: reads one unidirectional stream of the peer: its type, then what the type says.
 *
 * What SETTINGS and GOAWAY say is put down in the connection's state before they are told. All
 * faults are of the connection; a fault is thrown by `next` and `end` ever after.
 */
export class UniStreamParser implements Parser<UniStreamEvent> {
  readonly #connection: ConnectionState;
  #kind: UniStreamKind | null = null;
  #inner: Parser<ControlStreamEvent> | null = null;
  /** A type that is cut. */
  #scratch = EMPTY;
  #held = 0;
  /** What was pushed and may hold the type. */
  #chunk = EMPTY;
  #fault: PeerError | null = null;

  constructor(connection: ConnectionState) {
    this.#connection = connection;
  }

  /** What the stream is; `null` until its type came. */
  get kind(): UniStreamKind | null {
    return this.#kind;
  }

  get limit(): number {
    return this.#inner?.limit ?? MAX_TYPE_SIZE;
  }

  get buffered(): number {
    return this.#inner?.buffered ?? this.#held;
  }

  push(chunk: Uint8Array): void {
    if (this.#fault !== null || this.#kind === "unknown") return;
    if (this.#inner !== null) return this.#inner.push(chunk);
    if (this.#chunk.length > 0) throw new Error("push() before next() gave null");
    this.#chunk = chunk;
  }

  next(): UniStreamEvent | null {
    if (this.#fault !== null) throw this.#fault;
    try {
      if (this.#kind === null && this.#readType() === "unknown") return { type: "ignore" };
      const event = this.#inner?.next() ?? null;
      if (event?.type === "settings") this.#connection.peerSettings = event.settings;
      if (event?.type === "goaway") this.#connection.peerGoaway = event.id;
      return event;
    } catch (error) {
      throw this.#fail(error);
    }
  }

  end(): void {
    if (this.#fault !== null) throw this.#fault;
    // RFC 9114 §6.2: a stream that ends before its type MUST be tolerated.
    if (this.#kind === null) return;
    try {
      this.#connection.closeUniStream(this.#kind);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Reads the type, if it is all there, and hands over what is behind it. */
  #readType(): UniStreamKind | null {
    const chunk = this.#chunk;
    this.#chunk = EMPTY;
    if (chunk.length === 0) return null;
    const size = varintSizeAt(this.#held > 0 ? this.#scratch[0] : chunk[0]);
    const missing = size - this.#held;
    if (chunk.length < missing) {
      if (this.#held === 0) this.#scratch = new Uint8Array(MAX_TYPE_SIZE);
      this.#scratch.set(chunk, this.#held);
      this.#held += chunk.length;
      return null;
    }
    if (this.#held > 0) this.#scratch.set(chunk.subarray(0, missing), this.#held);
    const type = readVarint(this.#held > 0 ? this.#scratch : chunk, 0);
    this.#held = 0;
    this.#scratch = EMPTY;
    const kind = this.#connection.openUniStream(type);
    this.#kind = kind;
    this.#inner = this.#parserOf(kind);
    this.#inner?.push(chunk.subarray(missing));
    return kind;
  }

  #parserOf(kind: UniStreamKind): Parser<ControlStreamEvent> | null {
    switch (kind) {
      case "control":
        return new ControlStreamParser({ role: this.#connection.role });
      case "encoder":
        return new EncoderStreamParser();
      case "decoder":
        return new DecoderStreamParser();
      case "unknown":
        return null;
    }
  }

  #fail(error: unknown): unknown {
    if (error instanceof PeerError) this.#fault = error;
    this.#chunk = EMPTY;
    return error;
  }
}
