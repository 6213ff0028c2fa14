import { type HpackEncoder, maxBlockBytes } from "../hpack/encoder.ts";
import type { Cursor } from "../hpack/integer.ts";
import type { Field } from "../wire/field.ts";
import {
  CLIENT_PREFACE,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  MIN_GOAWAY_BYTES,
  MIN_MAX_FRAME_BYTES,
  PING_BYTES,
  RST_STREAM_BYTES,
  WINDOW_UPDATE_BYTES,
  writeUint32,
} from "./frame.ts";
import { SETTING_BYTES, type SettingId } from "./settings.ts";

/** RFC 9113 §4.2: the longest payload that we send; everybody takes it, and it keeps streams fair. */
export const MAX_SENT_FRAME_BYTES = MIN_MAX_FRAME_BYTES;

const FIRST_ROOM_BYTES = 512;
/** A buffer above this that was hardly used is not kept. */
const KEPT_ROOM_BYTES = 8192;

const EMPTY: Uint8Array = new Uint8Array(0);

/** The frames that wait to be sent, one behind the other in one buffer. */
export class Output implements Cursor {
  bytes = EMPTY;
  /** How many bytes wait. */
  at = 0;
  /** How many of them answer what the peer sent: it decides how many they are. */
  replyBytes = 0;
  readonly #encoder: HpackEncoder;
  /** What `take` gave last is in here. */
  #taken = EMPTY;
  #isIdle = false;

  constructor(encoder: HpackEncoder) {
    this.#encoder = encoder;
  }

  /** All that waits, to be sent now; it holds until the next `take`. */
  take(): Uint8Array {
    const { bytes, at } = this;
    const isSpare = bytes.length > KEPT_ROOM_BYTES && 4 * at < bytes.length;
    this.bytes = this.#taken;
    this.#taken = isSpare ? EMPTY : bytes;
    this.at = 0;
    this.replyBytes = 0;
    this.#isIdle = false;
    return bytes.subarray(0, at);
  }

  /** Gives up room that was not used since the last call. */
  trim(): void {
    if (this.at > 0) return;
    if (this.#isIdle) this.bytes = this.#taken = EMPTY;
    this.#isIdle = true;
  }

  /** RFC 9113 §3.4: what a client sends before all frames. */
  clientPreface(): void {
    this.#reserve(CLIENT_PREFACE.length);
    this.bytes.set(CLIENT_PREFACE, this.at);
    this.at += CLIENT_PREFACE.length;
  }

  /** RFC 9113 §6.1: one frame, of `MAX_SENT_FRAME_BYTES` at most. */
  data(streamId: number, payload: Uint8Array, endStream: boolean): void {
    const flags = endStream ? Flag.END_STREAM : 0;
    this.#frame(payload.length, kindOf(FrameType.DATA, flags), streamId);
    this.bytes.set(payload, this.at);
    this.at += payload.length;
  }

  /** RFC 9113 §6.2, §6.10: HEADERS, and CONTINUATION where one frame is too small. */
  headers(streamId: number, fields: readonly Field[], endStream: boolean): void {
    const most = maxBlockBytes(fields);
    const frames = Math.ceil(most / MAX_SENT_FRAME_BYTES);
    this.#reserve(most + frames * FRAME_HEADER_BYTES);
    const start = this.at;
    this.at += FRAME_HEADER_BYTES;
    this.#encoder.encodeInto(this, fields);
    const length = this.at - start - FRAME_HEADER_BYTES;
    const endFlag = endStream ? Flag.END_STREAM : 0;
    if (length > MAX_SENT_FRAME_BYTES) {
      this.#continue(start, streamId);
      this.#header(start, kindOf(FrameType.HEADERS, endFlag), streamId);
      writeLength(this.bytes, start, MAX_SENT_FRAME_BYTES);
      return;
    }
    this.#header(start, kindOf(FrameType.HEADERS, endFlag | Flag.END_HEADERS), streamId);
    writeLength(this.bytes, start, length);
  }

  /** RFC 9113 §6.4 */
  rstStream(streamId: number, code: number): void {
    this.#frame(RST_STREAM_BYTES, kindOf(FrameType.RST_STREAM, 0), streamId);
    this.#uint32(code);
    this.replyBytes += FRAME_HEADER_BYTES + RST_STREAM_BYTES;
  }

  /** RFC 9113 §6.5 */
  settings(rows: readonly [id: SettingId, value: number][]): void {
    this.#frame(rows.length * SETTING_BYTES, kindOf(FrameType.SETTINGS, 0), 0);
    for (const [id, value] of rows) {
      this.bytes[this.at++] = id >> 8;
      this.bytes[this.at++] = id;
      this.#uint32(value);
    }
  }

  /** RFC 9113 §6.5.3 */
  settingsAck(): void {
    this.#frame(0, kindOf(FrameType.SETTINGS, Flag.ACK), 0);
    this.replyBytes += FRAME_HEADER_BYTES;
  }

  /** RFC 9113 §6.7: `payload` has 8 bytes. */
  ping(payload: Uint8Array, ack: boolean): void {
    this.#frame(PING_BYTES, kindOf(FrameType.PING, ack ? Flag.ACK : 0), 0);
    this.bytes.set(payload.subarray(0, PING_BYTES), this.at);
    this.at += PING_BYTES;
    if (ack) this.replyBytes += FRAME_HEADER_BYTES + PING_BYTES;
  }

  /** RFC 9113 §6.8: `debug` is for the peer's eyes, in ASCII. */
  goaway(lastStreamId: number, code: number, debug: string): void {
    this.#frame(MIN_GOAWAY_BYTES + debug.length, kindOf(FrameType.GOAWAY, 0), 0);
    this.#uint32(lastStreamId);
    this.#uint32(code);
    for (let i = 0; i < debug.length; i++) this.bytes[this.at++] = debug.charCodeAt(i);
  }

  /** RFC 9113 §6.9: for a stream, or for the connection as stream 0. */
  windowUpdate(streamId: number, increment: number): void {
    this.#frame(WINDOW_UPDATE_BYTES, kindOf(FrameType.WINDOW_UPDATE, 0), streamId);
    this.#uint32(increment);
  }

  /** Makes CONTINUATION frames of what is too much for the HEADERS frame that begins at `start`. */
  #continue(start: number, streamId: number): void {
    const blockAt = start + FRAME_HEADER_BYTES;
    const length = this.at - blockAt;
    const last = Math.ceil(length / MAX_SENT_FRAME_BYTES) - 1;
    this.at += last * FRAME_HEADER_BYTES;
    for (let i = last; i > 0; i--) {
      const from = i * MAX_SENT_FRAME_BYTES;
      const end = Math.min(length, from + MAX_SENT_FRAME_BYTES);
      const frameAt = blockAt + from + (i - 1) * FRAME_HEADER_BYTES;
      this.bytes.copyWithin(frameAt + FRAME_HEADER_BYTES, blockAt + from, blockAt + end);
      const flags = i === last ? Flag.END_HEADERS : 0;
      this.#header(frameAt, kindOf(FrameType.CONTINUATION, flags), streamId);
      writeLength(this.bytes, frameAt, end - from);
    }
  }

  /** Makes room for a frame, and writes its header. */
  #frame(length: number, kind: number, streamId: number): void {
    this.#reserve(FRAME_HEADER_BYTES + length);
    const at = this.at;
    this.#header(at, kind, streamId);
    writeLength(this.bytes, at, length);
    this.at = at + FRAME_HEADER_BYTES;
  }

  /** Writes a frame header without its length. */
  #header(at: number, kind: number, streamId: number): void {
    const { bytes } = this;
    bytes[at + 3] = kind >> 8;
    bytes[at + 4] = kind;
    writeUint32(bytes, at + 5, streamId);
  }

  #uint32(value: number): void {
    this.at = writeUint32(this.bytes, this.at, value);
  }

  #reserve(size: number): void {
    const need = this.at + size;
    if (need <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(need, 2 * this.bytes.length, FIRST_ROOM_BYTES));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }
}

/** RFC 9113 §4.1: Type (8), Flags (8). */
function kindOf(type: FrameType, flags: number): number {
  return (type << 8) | flags;
}

/** RFC 9113 §4.1: Length (24). */
function writeLength(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
}
