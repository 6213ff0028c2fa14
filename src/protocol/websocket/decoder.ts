import type { Parser } from "../wire/parser.ts";
import {
  CloseCode,
  MAX_CONTROL_PAYLOAD,
  parseClosePayload,
  tooBig,
  WebSocketError,
} from "./close.ts";
import { emptyHeader, type FrameHeader, headerSize, readHeader } from "./header.ts";
import { applyMask } from "./mask.ts";
import { isControl, Opcode } from "./opcode.ts";
import { checkHeader, type HeaderContext } from "./rules.ts";
import { Utf8Validator } from "./utf8.ts";

/** What came in whole. The bytes are the receiver's own. */
export type MessageEvent =
  | { type: "text"; data: string }
  | { type: "binary"; data: Uint8Array }
  /**
   * A message with reserved bits, which only `allowedRsv` lets in: what an extension made of a
   * text or binary message. Its UTF-8 is for the one to check who turns it back.
   */
  | { type: "extended"; opcode: number; rsv: number; data: Uint8Array }
  | { type: "ping"; payload: Uint8Array }
  | { type: "pong"; payload: Uint8Array }
  /** The last event: whatever comes behind a Close is dropped. */
  | { type: "close"; code: number; reason: string };

export interface MessageDecoderOptions {
  /** Whether the peer MUST mask: `true` at a server. */
  masked: boolean;
  /** The longest payload of one data frame; `Infinity` for none. */
  maxFrameBytes: number;
  /** The longest message over all its fragments; `Infinity` for none. */
  maxMessageBytes: number;
  /** The reserved bits that were negotiated (`allowedRsvOf`); default none. */
  allowedRsv?: number;
}

const EMPTY: Uint8Array = new Uint8Array(0);

// A BOM at the start of a message is part of it.
const utf8Decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Turns the frames of one direction into messages, and throws a `WebSocketError` as soon as a
 * byte came that breaks RFC 6455: 1002 for a header, 1007 for text that is not UTF-8, 1009 for a
 * limit. Memory grows with what came, never with what was announced.
 */
export class MessageDecoder implements Parser<MessageEvent> {
  limit = 0;

  #maxFrameBytes = 0;
  #maxMessageBytes = 0;
  readonly #context: HeaderContext;
  readonly #header: FrameHeader = emptyHeader();
  readonly #key = new Uint8Array(4);
  readonly #utf8 = new Utf8Validator();
  /** A cut header or the payload of a control frame. */
  readonly #scratch = new Uint8Array(MAX_CONTROL_PAYLOAD);
  #held = 0;

  #chunk = EMPTY;
  #at = 0;
  /** Payload bytes to come of the frame in `#header`; -1 outside of a frame. */
  #left = -1;
  /** The message that was begun. */
  #opcode: number = Opcode.CONTINUATION;
  #rsv = 0;
  #message = EMPTY;
  #size = 0;
  #closed = false;
  #fault: WebSocketError | null = null;

  constructor(options: MessageDecoderOptions) {
    this.limitTo(options);
    this.#context = {
      masked: options.masked,
      inMessage: false,
      allowedRsv: options.allowedRsv ?? 0,
    };
  }

  get buffered(): number {
    return this.#size + this.#held;
  }

  /** From the next frame on. */
  limitTo(
    { maxFrameBytes, maxMessageBytes }: Pick<
      MessageDecoderOptions,
      "maxFrameBytes" | "maxMessageBytes"
    >,
  ): void {
    // A length above 2^53-1 comes as 2^53 and is above every limit.
    this.#maxFrameBytes = Math.min(maxFrameBytes, Number.MAX_SAFE_INTEGER);
    this.#maxMessageBytes = Math.min(maxMessageBytes, Number.MAX_SAFE_INTEGER);
    this.limit = this.#maxMessageBytes + MAX_CONTROL_PAYLOAD;
  }

  push(chunk: Uint8Array): void {
    // RFC 6455 §5.5.1: nothing may follow a Close frame. §7.1.7: nothing is read after a fault.
    if (this.#closed || this.#fault !== null) return;
    if (this.#at < this.#chunk.length) throw new Error("push() before next() gave null");
    this.#chunk = chunk;
    this.#at = 0;
  }

  next(): MessageEvent | null {
    if (this.#fault !== null) throw this.#fault;
    try {
      const event = this.#advance();
      if (event === null) this.#forget();
      return event;
    } catch (error) {
      if (error instanceof WebSocketError) this.#fail(error);
      throw error;
    }
  }

  end(): void {
    if (this.#fault !== null) throw this.#fault;
    if (this.#closed || (this.#held === 0 && this.#left < 0 && !this.#context.inMessage)) return;
    // RFC 6455 §7.1.7: a connection that ends inside a message has failed.
    this.#fail(new WebSocketError(CloseCode.PROTOCOL_ERROR, "Connection ended inside a message"));
    throw this.#fault;
  }

  #advance(): MessageEvent | null {
    for (;;) {
      if (this.#left < 0 && !this.#readHeader()) return null;
      const done = isControl(this.#header.opcode) ? this.#readControl() : this.#readData();
      if (!done) return null;
      this.#left = -1;
      const event = this.#finish();
      if (event !== null) return event;
    }
  }

  /** Reads and checks a header as soon as it is whole; `false` when it needs more. */
  #readHeader(): boolean {
    const available = this.#chunk.length - this.#at;
    if (
      this.#held === 0 && available >= 2 && available >= headerSize(this.#chunk[this.#at + 1])
    ) {
      this.#begin(this.#chunk, this.#at);
      this.#at += this.#header.size;
      return true;
    }
    while (this.#held < 2 || this.#held < headerSize(this.#scratch[1])) {
      if (this.#at === this.#chunk.length) return false;
      this.#scratch[this.#held++] = this.#chunk[this.#at++];
    }
    this.#held = 0;
    this.#begin(this.#scratch, 0);
    return true;
  }

  #begin(bytes: Uint8Array, at: number): void {
    const header = readHeader(bytes, at, this.#header);
    checkHeader(header, this.#context);
    if (!isControl(header.opcode)) this.#beginData(header);
    if (header.masked) {
      const key = at + header.size - 4;
      for (let i = 0; i < 4; i++) this.#key[i] = bytes[key + i];
    }
    this.#left = header.length;
  }

  #beginData(header: FrameHeader): void {
    if (header.length > this.#maxFrameBytes) throw tooBig("frame", this.#maxFrameBytes);
    if (this.#size + header.length > this.#maxMessageBytes) {
      throw tooBig("message", this.#maxMessageBytes);
    }
    if (header.opcode === Opcode.CONTINUATION) return;
    this.#opcode = header.opcode;
    this.#rsv = header.rsv;
    this.#context.inMessage = true;
  }

  /** The next piece of the frame's payload, still masked. */
  #take(): Uint8Array {
    const end = Math.min(this.#at + this.#left, this.#chunk.length);
    const piece = this.#chunk.subarray(this.#at, end);
    this.#at = end;
    return piece;
  }

  #unmask(bytes: Uint8Array): void {
    if (this.#header.masked) {
      applyMask(bytes, this.#key, (this.#header.length - this.#left) & 3);
    }
    this.#left -= bytes.length;
  }

  #readControl(): boolean {
    const piece = this.#take();
    this.#scratch.set(piece, this.#held);
    this.#unmask(this.#scratch.subarray(this.#held, this.#held + piece.length));
    this.#held += piece.length;
    return this.#left === 0;
  }

  #readData(): boolean {
    const piece = this.#take();
    if (piece.length > 0) {
      const size = this.#size + piece.length;
      this.#reserve(size);
      this.#message.set(piece, this.#size);
      const fresh = this.#message.subarray(this.#size, size);
      this.#unmask(fresh);
      this.#size = size;
      if (this.#isText() && !this.#utf8.push(fresh)) throw notUtf8();
    }
    return this.#left === 0;
  }

  /** Makes room for `size` bytes: at most four times what has come, and what can still come. */
  #reserve(size: number): void {
    if (size <= this.#message.length) return;
    const { fin } = this.#header;
    const most = fin ? this.#size + this.#left : this.#maxMessageBytes;
    const room = new Uint8Array(Math.min(Math.max(size, 4 * this.#message.length), most));
    room.set(this.#message.subarray(0, this.#size));
    this.#message = room;
  }

  #isText(): boolean {
    return this.#opcode === Opcode.TEXT && this.#rsv === 0;
  }

  /** A frame is whole: what is there to tell? */
  #finish(): MessageEvent | null {
    const { opcode, fin } = this.#header;
    if (isControl(opcode)) return this.#finishControl(opcode);
    return fin ? this.#finishMessage() : null;
  }

  #finishControl(opcode: number): MessageEvent {
    const payload = this.#scratch.slice(0, this.#held);
    this.#held = 0;
    if (opcode === Opcode.PING) return { type: "ping", payload };
    if (opcode === Opcode.PONG) return { type: "pong", payload };
    const { code, reason } = parseClosePayload(payload);
    this.#closed = true;
    this.#drop();
    return { type: "close", code, reason };
  }

  #finishMessage(): MessageEvent {
    const size = this.#size;
    const data = this.#message.length === size ? this.#message : this.#message.slice(0, size);
    const isText = this.#isText();
    // RFC 6455 §8.1: text that is not UTF-8 MUST fail the connection; here, text cut off.
    if (isText && !this.#utf8.end()) throw notUtf8();
    this.#context.inMessage = false;
    this.#message = EMPTY;
    this.#size = 0;
    if (isText) return { type: "text", data: utf8Decoder.decode(data) };
    if (this.#rsv === 0) return { type: "binary", data };
    return { type: "extended", opcode: this.#opcode, rsv: this.#rsv, data };
  }

  #fail(fault: WebSocketError): void {
    this.#fault = fault;
    this.#drop();
  }

  /** Lets go of the chunk, so that an idle session does not keep a buffer alive. */
  #forget(): void {
    this.#chunk = EMPTY;
    this.#at = 0;
  }

  #drop(): void {
    this.#forget();
    this.#held = 0;
    this.#message = EMPTY;
    this.#size = 0;
  }
}

function notUtf8(): WebSocketError {
  return new WebSocketError(
    CloseCode.INVALID_FRAME_PAYLOAD_DATA,
    "Text message that is not UTF-8",
  );
}
