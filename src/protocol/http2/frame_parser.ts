import type { Parser } from "../wire/parser.ts";
import { H2Error, protocolError, tooMuch } from "./codes.ts";
import {
  checkFrameHeader,
  CLIENT_PREFACE,
  Flag,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  FrameType,
  MIN_GOAWAY_BYTES,
  prefixBytes,
  readFrameHeader,
} from "./frame.ts";
import { FrameInput } from "./frame_input.ts";
import {
  checkOrder,
  type DataHeader,
  type FieldsFrame,
  type Frame,
  type FrameParserOptions,
  readControl,
  readFieldsPrefix,
} from "./frame_event.ts";
import { Gather } from "./gather.ts";
import { MAX_SETTINGS, SETTING_BYTES } from "./settings.ts";

/** What is awaited next. */
const State = {
  PREFACE: 0,
  HEADER: 1,
  PAD_LENGTH: 2,
  DATA: 3,
  FIELDS_PREFIX: 4,
  WHOLE: 5,
  CONTROL: 6,
  SKIP: 7,
} as const;
type State = typeof State[keyof typeof State];

/** What a step gives: a frame, `null` where it needs more bytes, `undefined` to go on. */
type Step = Frame | null | undefined;

const DISCARDED: Frame = { type: "discarded" };
const UNKNOWN: Frame = { type: "unknown" };

/**
 * RFC 9113 §4, §6: reads the frames of a connection, as far as no stream's state is needed.
 *
 * All faults are of the connection. A fault is thrown by `next` and `end` ever after.
 */
export class FrameParser implements Parser<Frame> {
  readonly limit: number;

  readonly #options: FrameParserOptions;
  readonly #input = new FrameInput();
  /** Field blocks and SETTINGS that came in pieces. */
  readonly #gather: Gather;
  readonly #header: FrameHeader = { length: 0, type: 0, flags: 0, streamId: 0 };
  readonly #data: DataHeader = { streamId: 0, dataBytes: 0, paddingBytes: 0, endStream: false };
  #state: State;
  /** What is to come of the payload, without what is behind it. */
  #left = 0;
  /** What is to come behind that, and is skipped. */
  #padding = 0;
  /** The field block that is open; its bytes are not in it yet. */
  #fields: FieldsFrame | null = null;
  /** How many field blocks have begun. */
  #blocks = 0;
  #hasSettings = false;
  #fault: H2Error | null = null;

  constructor(options: FrameParserOptions) {
    this.#options = options;
    this.#state = options.role === "server" ? State.PREFACE : State.HEADER;
    const most = Math.max(options.maxBlockBytes, MAX_SETTINGS * SETTING_BYTES);
    this.#gather = new Gather(most);
    this.limit = most + CLIENT_PREFACE.length;
  }

  get buffered(): number {
    return this.#input.held + this.#gather.held;
  }

  /** Which field block is open, counted from 1; 0 for none. */
  get openBlock(): number {
    return this.#fields !== null || this.#state === State.FIELDS_PREFIX ? this.#blocks : 0;
  }

  push(chunk: Uint8Array): void {
    if (this.#fault === null) this.#input.push(chunk);
  }

  next(): Frame | null {
    if (this.#fault !== null) throw this.#fault;
    try {
      let frame: Step;
      do frame = this.#step(); while (frame === undefined);
      if (frame === null) this.#input.drop();
      return frame;
    } catch (error) {
      if (error instanceof H2Error) this.#fault = error;
      this.#input.drop();
      throw error;
    }
  }

  /** @throws {H2Error} PROTOCOL_ERROR when a frame, a field block or the preface is cut off */
  end(): void {
    const isBetween = this.#state === State.HEADER || this.#state === State.PREFACE;
    const isWhole = isBetween && this.#input.held === 0 && this.#fields === null;
    if (this.#fault === null && isWhole) return;
    this.#fault ??= protocolError("The connection ended inside a frame");
    throw this.#fault;
  }

  #step(): Step {
    const input = this.#input;
    const header = this.#header;
    switch (this.#state) {
      case State.HEADER:
        if (!input.need(FRAME_HEADER_BYTES)) return null;
        readFrameHeader(input.from, input.start, header);
        return this.#enter(header);
      case State.DATA:
        return this.#takeData();
      case State.CONTROL:
        if (!input.need(this.#left)) return null;
        this.#left = 0;
        this.#state = State.SKIP;
        return readControl(header, input.from, input.start);
      case State.WHOLE:
        return this.#takeWhole();
      case State.SKIP:
        return this.#skip();
      case State.PAD_LENGTH:
        if (!input.need(1)) return null;
        this.#left -= 1;
        this.#setPadding(input.from[input.start]);
        return this.#enterData(1 + this.#padding);
      case State.FIELDS_PREFIX:
        return input.need(prefixBytes(header)) ? this.#enterFields() : null;
      case State.PREFACE:
        return this.#readPreface();
    }
  }

  /** Judges a frame by its header, and says what becomes of its payload. */
  #enter(header: FrameHeader): Step {
    const { type, flags, length } = header;
    checkOrder(header, this.#hasSettings, this.#fields);
    this.#hasSettings = true;
    checkFrameHeader(header, this.#options.maxFrameBytes);
    this.#left = length;
    this.#padding = 0;
    switch (type) {
      case FrameType.DATA:
        if ((flags & Flag.PADDED) === 0) return this.#enterData(0);
        this.#state = State.PAD_LENGTH;
        return undefined;
      case FrameType.HEADERS:
        this.#state = State.FIELDS_PREFIX;
        this.#blocks++;
        return undefined;
      case FrameType.CONTINUATION:
        return this.#enterBlock(this.#fields!);
      case FrameType.SETTINGS:
        return this.#enterSettings(header);
      case FrameType.GOAWAY:
        // RFC 9113 §6.8: Additional Debug Data.
        this.#padding = length - MIN_GOAWAY_BYTES;
        this.#left = MIN_GOAWAY_BYTES;
        this.#state = State.CONTROL;
        return undefined;
      case FrameType.PRIORITY:
      case FrameType.RST_STREAM:
      case FrameType.PING:
      case FrameType.WINDOW_UPDATE:
        this.#state = State.CONTROL;
        return undefined;
    }
    // RFC 9113 §5.5: frames of unknown type MUST be discarded.
    this.#state = State.SKIP;
    return UNKNOWN;
  }

  #enterData(paddingBytes: number): Step {
    const data = this.#data;
    data.streamId = this.#header.streamId;
    data.dataBytes = this.#left;
    data.paddingBytes = paddingBytes;
    data.endStream = (this.#header.flags & Flag.END_STREAM) !== 0;
    const { admitData } = this.#options;
    if (admitData !== undefined && !admitData(data)) {
      this.#state = State.SKIP;
      return DISCARDED;
    }
    this.#state = State.DATA;
    return undefined;
  }

  /** Takes data and the padding behind it, as far as they are there. */
  #takeData(): Step {
    const input = this.#input;
    const start = input.at;
    this.#left -= input.skip(this.#left);
    const end = input.at;
    if (this.#left === 0) this.#padding -= input.skip(this.#padding);
    const isLast = this.#left === 0 && this.#padding === 0;
    if (isLast) this.#state = State.HEADER;
    const { streamId } = this.#data;
    const endStream = isLast && this.#data.endStream;
    if (end === start && !endStream) return isLast ? undefined : null;
    return { type: "data", streamId, bytes: input.view(start, end), endStream };
  }

  #enterFields(): Step {
    const { from, start } = this.#input;
    const { flags } = this.#header;
    this.#left -= prefixBytes(this.#header);
    if ((flags & Flag.PADDED) !== 0) this.#setPadding(from[start]);
    this.#fields = readFieldsPrefix(this.#header, from, start);
    return this.#enterBlock(this.#fields);
  }

  #setPadding(padding: number): void {
    // RFC 9113 §6.1, §6.2: padding of the length of the payload or more is PROTOCOL_ERROR.
    if (padding > this.#left) throw protocolError(`Padding of ${padding} bytes is too long`);
    this.#padding = padding;
    this.#left -= padding;
  }

  /** Begins a fragment of a field block. */
  #enterBlock(fields: FieldsFrame): Step {
    const { maxBlockBytes, maxContinuations } = this.#options;
    // RFC 9113 §10.5.1: a field block has no limit of its own; so these are ours.
    if (fields.frames++ > maxContinuations) {
      throw tooMuch(`More than ${maxContinuations} CONTINUATION frames`);
    }
    if (this.#gather.held + this.#left > maxBlockBytes) {
      throw tooMuch(`Field block of more than ${maxBlockBytes} bytes`);
    }
    this.#state = State.WHOLE;
    return undefined;
  }

  #enterSettings({ flags, length }: FrameHeader): Step {
    if ((flags & Flag.ACK) !== 0) {
      this.#state = State.HEADER;
      return { type: "settingsAck" };
    }
    // RFC 9113 §10.5: multiple undefined or repeated settings are a way to waste our time.
    if (length > MAX_SETTINGS * SETTING_BYTES) throw tooMuch(`More than ${MAX_SETTINGS} settings`);
    this.#state = State.WHOLE;
    return undefined;
  }

  /** Takes a fragment of a field block, or SETTINGS: a view of the chunk if it is all there. */
  #takeWhole(): Step {
    const input = this.#input;
    const start = input.at;
    const size = input.skip(this.#left);
    const end = input.at;
    this.#left -= size;
    const fields = this.#fields;
    const isEnd = fields === null || (this.#header.flags & Flag.END_HEADERS) !== 0;
    const isHere = this.#left === 0 && end + this.#padding <= input.chunk.length;
    const isView = isHere && isEnd && this.#gather.held === 0;
    if (!isView) this.#gather.add(input.chunk, start, end);
    // A block is not told before its padding came.
    if (this.#left === 0) this.#padding -= input.skip(this.#padding);
    if (this.#left > 0 || this.#padding > 0) return null;
    this.#state = State.HEADER;
    if (!isEnd) return undefined;
    const whole = isView ? input.view(start, end) : this.#gather.take();
    if (fields === null) return { type: "settings", payload: whole };
    this.#fields = null;
    fields.block = whole;
    return fields;
  }

  /** Skips what is left of a frame. */
  #skip(): Step {
    this.#left -= this.#input.skip(this.#left);
    if (this.#left === 0) this.#padding -= this.#input.skip(this.#padding);
    if (this.#left > 0 || this.#padding > 0) return null;
    this.#state = State.HEADER;
    return undefined;
  }

  #readPreface(): Step {
    const isPreface = this.#input.match(CLIENT_PREFACE);
    // RFC 9113 §3.4: an invalid connection preface MUST be PROTOCOL_ERROR.
    if (isPreface === false) throw protocolError("Invalid connection preface");
    if (isPreface === null) return null;
    this.#state = State.HEADER;
    return undefined;
  }
}
