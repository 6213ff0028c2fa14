import type { Parser } from "../wire/parser.ts";
import { readVarint, varintSizeAt } from "../wire/varint.ts";
import { H3Code, H3Error } from "./codes.ts";
import {
  FrameHeaderReader,
  FrameType,
  frameTypeName,
  isReservedHttp2FrameType,
  MAX_FRAME_HEADER_SIZE,
  PayloadBuffer,
  type Role,
} from "./frame.ts";
import { decodeSettings, type Settings } from "./settings.ts";

/** What a control stream tells. Identifiers above 2^53-1 are not exact. */
export type ControlStreamEvent =
  | { type: "settings"; settings: Settings }
  | { type: "goaway"; id: number }
  | { type: "max_push_id"; id: number }
  | { type: "cancel_push"; id: number };

export interface ControlStreamOptions {
  /** Which end we are, not the peer. */
  role: Role;
  /** The longest SETTINGS payload that is taken; default 4096. */
  maxSettingsBytes?: number;
  /** How many push IDs exist: promised as a server, allowed as a client; default none. */
  pushIds?: number;
}

/** What becomes of the payload at hand. */
const Payload = { SKIP: 0, TAKE: 1 } as const;
type Payload = typeof Payload[keyof typeof Payload];

const EMPTY: Uint8Array = new Uint8Array(0);

/**
 * RFC 9114 §6.2.1, §7.2: reads the frames of the peer's control stream, behind its stream type.
 *
 * All faults are of the connection. A fault is thrown by `next` and `end` ever after.
 */
export class ControlStreamParser implements Parser<ControlStreamEvent> {
  readonly limit: number;

  readonly #role: Role;
  readonly #maxSettingsBytes: number;
  readonly #pushIds: number;
  readonly #header = new FrameHeaderReader();
  readonly #buffer = new PayloadBuffer();
  #chunk = EMPTY;
  #at = 0;
  #payload: Payload = Payload.SKIP;
  /** Payload bytes to come; with TAKE, all of them until they are there. */
  #left = 0;
  #hasSettings = false;
  #goaway = Infinity;
  #maxPushId = -1;
  #fault: H3Error | null = null;

  constructor(options: ControlStreamOptions) {
    this.#role = options.role;
    this.#maxSettingsBytes = options.maxSettingsBytes ?? 4096;
    this.#pushIds = options.pushIds ?? 0;
    this.limit = Math.max(this.#maxSettingsBytes, MAX_FRAME_HEADER_SIZE);
  }

  get buffered(): number {
    return this.#header.held + this.#buffer.held;
  }

  push(chunk: Uint8Array): void {
    if (this.#fault !== null) return;
    if (this.#at < this.#chunk.length) throw new Error("push() before next() gave null");
    this.#chunk = chunk;
    this.#at = 0;
  }

  next(): ControlStreamEvent | null {
    if (this.#fault !== null) throw this.#fault;
    try {
      const event = this.#step();
      if (event === null) this.#drop();
      return event;
    } catch (error) {
      if (error instanceof H3Error) this.#fault = error;
      this.#drop();
      throw error;
    }
  }

  /** RFC 9114 §6.2.1: a control stream that is closed is H3_CLOSED_CRITICAL_STREAM, always. */
  end(): void {
    this.#fault ??= connectionError(H3Code.H3_CLOSED_CRITICAL_STREAM, "Control stream was closed");
    throw this.#fault;
  }

  #step(): ControlStreamEvent | null {
    for (;;) {
      if (this.#payload === Payload.TAKE) {
        const missing = this.#left - this.#buffer.held;
        const payload = this.#buffer.take(this.#chunk, this.#at, this.#left);
        if (payload === null) return null;
        this.#at += missing;
        this.#payload = Payload.SKIP;
        this.#left = 0;
        return this.#read(payload);
      }
      const available = this.#chunk.length - this.#at;
      if (available === 0) return null;
      if (this.#left > 0) {
        const size = Math.min(this.#left, available);
        this.#at += size;
        this.#left -= size;
        continue;
      }
      const behind = this.#header.read(this.#chunk, this.#at);
      if (behind < 0) return null;
      this.#at = behind;
      this.#left = this.#header.length;
      this.#payload = this.#judge(this.#header.type, this.#header.length);
    }
  }

  /** Judges a frame by its header. */
  #judge(type: number, length: number): Payload {
    // RFC 9114 §6.2.1, §7.2.4: a control stream that does not begin with SETTINGS.
    if (!this.#hasSettings && type !== FrameType.SETTINGS) {
      throw connectionError(
        H3Code.H3_MISSING_SETTINGS,
        `Frame ${frameTypeName(type)} before SETTINGS`,
      );
    }
    switch (type) {
      case FrameType.SETTINGS:
        this.#judgeSettings(length);
        return Payload.TAKE;
      case FrameType.MAX_PUSH_ID:
        // RFC 9114 §7.2.7: a client MUST treat MAX_PUSH_ID as H3_FRAME_UNEXPECTED.
        if (this.#role === "client") throw unexpected(type, "from a server");
        checkIdLength(type, length);
        return Payload.TAKE;
      case FrameType.GOAWAY:
      case FrameType.CANCEL_PUSH:
        checkIdLength(type, length);
        return Payload.TAKE;
      // RFC 9114 §7.2.1, §7.2.2, §7.2.5: DATA, HEADERS and PUSH_PROMISE have no place here.
      case FrameType.DATA:
      case FrameType.HEADERS:
      case FrameType.PUSH_PROMISE:
        throw unexpected(type, "on the control stream");
    }
    // RFC 9114 §7.2.8: frame types of HTTP/2 are H3_FRAME_UNEXPECTED.
    if (isReservedHttp2FrameType(type)) throw unexpected(type, "is of HTTP/2");
    // RFC 9114 §9: unknown frame types MUST be ignored.
    return Payload.SKIP;
  }

  #judgeSettings(length: number): void {
    // RFC 9114 §7.2.4: a second SETTINGS is H3_FRAME_UNEXPECTED.
    if (this.#hasSettings) throw unexpected(FrameType.SETTINGS, "came twice");
    // RFC 9114 §10.5: what is not needed may be treated as H3_EXCESSIVE_LOAD.
    if (length > this.#maxSettingsBytes) {
      throw connectionError(
        H3Code.H3_EXCESSIVE_LOAD,
        `SETTINGS of ${length} bytes, more than ${this.#maxSettingsBytes}`,
      );
    }
    this.#hasSettings = true;
  }

  /** Reads the payload of the frame at hand. */
  #read(payload: Uint8Array): ControlStreamEvent {
    const type = this.#header.type;
    if (type === FrameType.SETTINGS) {
      return { type: "settings", settings: decodeSettings(payload) };
    }
    // RFC 9114 §7.1: a payload with more or less than its fields is H3_FRAME_ERROR.
    if (varintSizeAt(payload[0]) !== payload.length) throw badLength(type);
    const id = readVarint(payload, 0);
    switch (type) {
      case FrameType.GOAWAY:
        return this.#readGoaway(id, payload[payload.length - 1]);
      case FrameType.MAX_PUSH_ID:
        // RFC 9114 §7.2.7: a MAX_PUSH_ID below one that came before is H3_ID_ERROR.
        if (id < this.#maxPushId) {
          throw connectionError(H3Code.H3_ID_ERROR, `MAX_PUSH_ID fell to ${id}`);
        }
        this.#maxPushId = id;
        return { type: "max_push_id", id };
      default:
        // RFC 9114 §7.2.3: a push ID that was not promised, or not allowed, is H3_ID_ERROR.
        if (id >= this.#pushIds) {
          throw connectionError(H3Code.H3_ID_ERROR, `CANCEL_PUSH of ${id}, which does not exist`);
        }
        return { type: "cancel_push", id };
    }
  }

  #readGoaway(id: number, lastByte: number): ControlStreamEvent {
    // RFC 9114 §7.2.6: a client MUST treat a GOAWAY with an ID that is not of a client-initiated
    // bidirectional stream as H3_ID_ERROR. (The last bits, as an ID near 2^62 is not exact.)
    if (this.#role === "client" && (lastByte & 0x3) !== 0) {
      throw connectionError(H3Code.H3_ID_ERROR, `GOAWAY with ${id}, which is not a request's ID`);
    }
    // RFC 9114 §5.2: a GOAWAY with an ID above that of one before is H3_ID_ERROR.
    if (id > this.#goaway) {
      throw connectionError(H3Code.H3_ID_ERROR, `GOAWAY rose from ${this.#goaway} to ${id}`);
    }
    this.#goaway = id;
    return { type: "goaway", id };
  }

  #drop(): void {
    this.#chunk = EMPTY;
    this.#at = 0;
  }
}

/** RFC 9114 §7.1: a payload with more or less than its fields is H3_FRAME_ERROR. */
function checkIdLength(type: number, length: number): void {
  if (length < 1 || length > 8) throw badLength(type);
}

function badLength(type: number): H3Error {
  return connectionError(
    H3Code.H3_FRAME_ERROR,
    `Frame ${frameTypeName(type)} has more or less than one ID`,
  );
}

function unexpected(type: number, what: string): H3Error {
  return connectionError(H3Code.H3_FRAME_UNEXPECTED, `Frame ${frameTypeName(type)} ${what}`);
}

function connectionError(code: H3Code, message: string): H3Error {
  return new H3Error(code, "connection", message);
}
