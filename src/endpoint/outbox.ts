import type { ByteStream } from "../net/byte_stream.ts";
import { NetError, toNetError } from "../net/error.ts";
import { HEADROOM } from "../net/read_buffer.ts";
import { encodeClosePayload, MAX_CONTROL_PAYLOAD } from "../protocol/websocket/close.ts";
import { headerSizeOf, writeHeader } from "../protocol/websocket/header.ts";
import { applyMask } from "../protocol/websocket/mask.ts";
import { Opcode } from "../protocol/websocket/opcode.ts";
import { RSV1 } from "../protocol/websocket/rules.ts";
import type { Deflater } from "./deflate.ts";
import { forgivable } from "./forgivable.ts";
import type { Message } from "./message.ts";

/** A larger message goes in frames of this size, so that others go between them. */
const FRAGMENT_BYTES = 64 * 1024;

/** Below it deflate costs more than it saves. */
const DEFLATE_FROM_BYTES = 1024;

const KEYS_BYTES = 128;
const EMPTY = new Uint8Array(0);
const utf8 = new TextEncoder();

export interface OutboxOptions {
  stream: ByteStream;
  /** RFC 6455 §5.1: a client masks what it sends, a server MUST NOT. */
  masks: boolean;
  deflater: Deflater | null;
  /** Called when a write has failed. */
  onBroken: (error: NetError) => void;
}

interface OutFrame {
  fin: boolean;
  rsv: number;
  opcode: Opcode;
  payload: Uint8Array;
}

/**
 * What a socket sends: messages one after the other, in the order of the calls; Ping and Pong
 * between their frames; Close behind all of them, and nothing behind it.
 */
export class Outbox {
  readonly #stream: ByteStream;
  readonly #masks: boolean;
  readonly #deflater: Deflater | null;
  readonly #onBroken: (error: NetError) => void;
  /** Payload that `send` was given and the stream has not taken; all that is queued is in it. */
  buffered = 0;
  /** How many frames the stream has taken. */
  written = 0;
  /** Settles with the last work that is queued; `null` when there is none. Never rejects. */
  #tail: Promise<void> | null = null;
  /** Whether `close` was called, and whether a Close went out. */
  #closing = false;
  #closed = false;
  /** Why nothing more is written of what was queued. */
  #stopped: NetError | null = null;
  #ponging = false;
  #probing = false;
  #nextPong: Uint8Array | null = null;
  #keys = EMPTY;
  #keysUsed = 0;

  constructor(options: OutboxOptions) {
    this.#stream = options.stream;
    this.#masks = options.masks;
    this.#deflater = options.deflater;
    this.#onBroken = options.onBroken;
  }

  /** Resolves when the stream has taken all of it. Only a fault of the caller's is not forgiven. */
  send(data: Message): Promise<void> {
    const text = typeof data === "string";
    if (!text && !(data instanceof Uint8Array)) return Promise.reject(noMessage(data));
    if (this.#closing || this.#stopped !== null) return forgivable(Promise.reject(closed()));
    const payload = text ? utf8.encode(data) : data;
    const opcode = text ? Opcode.TEXT : Opcode.BINARY;
    this.buffered += payload.length;
    const deflater = payload.length < DEFLATE_FROM_BYTES ? null : this.#deflater;
    if (this.#tail === null && deflater === null && payload.length <= FRAGMENT_BYTES) {
      return forgivable(
        this.#write({ fin: true, rsv: 0, opcode, payload }).then(() => {
          this.buffered -= payload.length;
        }),
      );
    }
    return this.#queue(() => this.#sendWhole(opcode, payload, deflater));
  }

  /** Work is done one after the other, even where one has failed. */
  #queue(work: () => Promise<void>): Promise<void> {
    const done = this.#tail === null ? work() : this.#tail.then(work);
    const tail: Promise<void> = done.catch(() => {}).then(() => {
      if (this.#tail === tail) this.#tail = null;
    });
    this.#tail = tail;
    return done;
  }

  async #sendWhole(opcode: Opcode, payload: Uint8Array, deflater: Deflater | null): Promise<void> {
    this.#checkStopped();
    const deflated = deflater === null ? null : await this.#deflate(deflater, payload);
    const bytes = deflated ?? payload;
    const rsv = deflated === null ? 0 : RSV1;
    // One for all its frames: the stream is done with it when it has taken one.
    const room = this.#roomFor(Math.min(bytes.length, FRAGMENT_BYTES));
    for (let at = 0; at === 0 || at < bytes.length; at += FRAGMENT_BYTES) {
      this.#checkStopped();
      const piece = bytes.subarray(at, at + FRAGMENT_BYTES);
      const fin = at + FRAGMENT_BYTES >= bytes.length;
      // RFC 7692 §6.1: RSV1 is for the first frame.
      const first = at === 0;
      await this.#write({
        fin,
        rsv: first ? rsv : 0,
        opcode: first ? opcode : Opcode.CONTINUATION,
        payload: piece,
      }, room);
      if (deflated === null) this.buffered -= piece.length;
    }
    if (deflated !== null) this.buffered -= payload.length;
  }

  /** `null` where it grows by it, and may be sent as it is. */
  async #deflate(deflater: Deflater, payload: Uint8Array): Promise<Uint8Array | null> {
    try {
      const deflated = await deflater.deflate(payload);
      return deflater.keepsContext || deflated.length < payload.length ? deflated : null;
    } catch (error) {
      this.#checkStopped();
      throw error;
    }
  }

  #checkStopped(): void {
    if (this.#stopped !== null) throw this.#stopped;
  }

  /** A Ping, at once. */
  ping(payload: Uint8Array): Promise<void> {
    return this.#now(Opcode.PING, payload);
  }

  /** A Ping for its writing alone, unless one is on its way. */
  probe(): void {
    if (this.#closed || this.#probing) return;
    this.#probing = true;
    const done = () => void (this.#probing = false);
    this.#write({ fin: true, rsv: 0, opcode: Opcode.PING, payload: EMPTY }).then(done, done);
  }

  /** RFC 6455 §5.5.3: a Pong that answers no Ping, at once. */
  unasked(payload: Uint8Array): Promise<void> {
    if (payload.length > MAX_CONTROL_PAYLOAD) {
      const text = `Cannot send a Pong of ${payload.length} bytes: it takes 125`;
      return Promise.reject(new RangeError(text));
    }
    return forgivable(this.#now(Opcode.PONG, payload));
  }

  async #now(opcode: Opcode, payload: Uint8Array): Promise<void> {
    if (this.#closed) throw closed();
    await this.#write({ fin: true, rsv: 0, opcode, payload });
  }

  /**
   * A Pong, at once. RFC 6455 §5.5.3: while one is on its way only the last of further Pings is
   * answered, so that a peer that does not read can't make them pile up.
   */
  pong(payload: Uint8Array): void {
    // §5.5.1: nothing is sent behind a Close.
    if (this.#closed) return;
    if (this.#ponging) {
      this.#nextPong = payload;
      return;
    }
    this.#ponging = true;
    const next = () => {
      this.#ponging = false;
      const payload = this.#nextPong;
      this.#nextPong = null;
      if (payload !== null) this.pong(payload);
    };
    this.#write({ fin: true, rsv: 0, opcode: Opcode.PONG, payload }).then(next, () => {});
  }

  /** A Close behind all that was sent before it. */
  close(code: number, reason: string): Promise<void> {
    const payload = encodeClosePayload(code, reason);
    this.#closing = true;
    return this.#queue(() => {
      if (this.#closed) return Promise.reject(this.#stopped ?? closed());
      return this.#writeClose(payload);
    });
  }

  /** A Close at once, unless there was one; what was not sent is dropped. */
  async fail(code: number, reason: string): Promise<void> {
    this.#stopped ??= closed();
    if (!this.#closed) await this.#writeClose(encodeClosePayload(code, reason));
  }

  #writeClose(payload: Uint8Array): Promise<void> {
    this.#closed = true;
    return this.#write({ fin: true, rsv: 0, opcode: Opcode.CLOSE, payload });
  }

  /** Writes nothing more. */
  stop(): void {
    this.#stopped ??= closed();
    this.#closed = true;
    this.#deflater?.close();
  }

  #write(frame: OutFrame, room: Uint8Array = this.#roomFor(frame.payload.length)): Promise<void> {
    return this.#stream.write(this.#encode(frame, room), HEADROOM).then(this.#took, this.#broke);
  }

  readonly #took = (): void => {
    this.written++;
  };

  readonly #broke = (cause: unknown): never => {
    const error = toNetError(cause);
    this.#onBroken(error);
    throw error;
  };

  /** Takes a frame of so many bytes, with room before it for the header of what carries it. */
  #roomFor(length: number): Uint8Array {
    return new Uint8Array(HEADROOM + headerSizeOf(length, this.#masks) + length);
  }

  #encode({ fin, rsv, opcode, payload }: OutFrame, room: Uint8Array): Uint8Array {
    const { length } = payload;
    const maskKey = this.#masks ? this.#maskKey() : undefined;
    const start = writeHeader(room, HEADROOM, { fin, rsv, opcode, length, maskKey });
    room.set(payload, start);
    const end = start + length;
    if (maskKey !== undefined) applyMask(room.subarray(start, end), maskKey);
    return room.subarray(HEADROOM, end);
  }

  /** RFC 6455 §5.3: fresh for each frame, and nothing that could be foreseen. */
  #maskKey(): Uint8Array {
    if (this.#keysUsed === this.#keys.length) {
      this.#keys = crypto.getRandomValues(new Uint8Array(KEYS_BYTES));
      this.#keysUsed = 0;
    }
    return this.#keys.subarray(this.#keysUsed, this.#keysUsed += 4);
  }
}

function noMessage(data: unknown): TypeError {
  const what = data?.constructor?.name ?? String(data);
  return new TypeError(`Cannot send ${what}: a message is a string or a Uint8Array`);
}

function closed(): NetError {
  return new NetError("aborted", "Cannot send: the WebSocket is closed");
}
