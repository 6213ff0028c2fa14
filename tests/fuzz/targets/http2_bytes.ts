// What the ends of a connection say: whole exchanges, and frames that stand wherever they like.
import * as fc from "fast-check";
import { HpackEncoder } from "../../../src/protocol/hpack/encoder.ts";
import { encodeRequest, encodeResponse } from "../../../src/protocol/http2/fields.ts";
import { CLIENT_PREFACE, Flag, FrameType } from "../../../src/protocol/http2/frame.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import type { Bytes } from "../driver.ts";
import { plainFields } from "../fields.ts";
import { join } from "../input.ts";

const { END_STREAM, END_HEADERS, PADDED, PRIORITY, ACK } = Flag;

function uint32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

/** RFC 9113 §4.1: a frame; `kind` is its type with its flags. */
function frame(
  [type, flags]: [type: number, flags: number],
  streamId: number,
  payload: ArrayLike<number>,
): Bytes {
  return join(uint32(payload.length).slice(1), [type, flags], uint32(streamId), payload);
}

export function settingsFrame(rows: [id: number, value: number][]): Bytes {
  const payload = rows.flatMap(([id, value]) => [id >> 8, id & 0xff, ...uint32(value)]);
  return frame([FrameType.SETTINGS, 0], 0, payload);
}

const SETTINGS_ACK = frame([FrameType.SETTINGS, ACK], 0, []);

export const settingsRows = fc.array(
  fc.oneof(
    fc.tuple(fc.constantFrom(0x1, 0x3, 0x6), fc.nat(0xffffffff)),
    fc.tuple(fc.constant(0x2), fc.constant(0)),
    fc.tuple(fc.constant(0x4), fc.nat(0x7fffffff)),
    fc.tuple(fc.constant(0x5), fc.integer({ min: 0x4000, max: 0xffffff })),
    fc.tuple(fc.constant(0x8), fc.constant(1)),
    fc.tuple(fc.integer({ min: 0x9, max: 0xffff }), fc.nat(0xffffffff)),
  ),
  { maxLength: 6 },
);

/** Frames of the connection, and unknown ones. GOAWAY may come once only in any order. */
const control = fc.oneof(
  settingsRows.map((rows) =>
    // A window that changes may become too large: that of the peer's answers is left alone.
    settingsFrame(rows.filter(([id]) => id !== 0x4))
  ),
  fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) =>
    frame([FrameType.PING, 0], 0, bytes)
  ),
  fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) =>
    frame([FrameType.PING, ACK], 0, bytes)
  ),
  fc.uint8Array({ maxLength: 12 }).map((bytes) =>
    frame([FrameType.GOAWAY, 0], 0, join(new Uint8Array(8), bytes))
  ),
  fc.integer({ min: 1, max: 1000 }).map((n) => frame([FrameType.WINDOW_UPDATE, 0], 0, uint32(n))),
  fc.tuple(fc.integer({ min: 10, max: 255 }), fc.nat(99), fc.uint8Array({ maxLength: 40 })).map(
    ([type, streamId, bytes]) => frame([type, 0x55], streamId, bytes),
  ),
);

/** How a payload is padded: `null` for not at all. */
const padding = fc.option(fc.nat(20));

interface Exchange {
  readonly fields: Field[];
  readonly isTunnel: boolean;
  readonly data: { bytes: Bytes; padding: number | null }[];
  readonly trailers: Field[] | null;
  readonly headersPadding: number | null;
  readonly hasPriority: boolean;
  /** Where the field block is cut. */
  readonly cuts: number[];
  readonly isReset: boolean;
  readonly before: Bytes[];
}

const exchange: fc.Arbitrary<Exchange> = fc.record({
  fields: plainFields,
  isTunnel: fc.boolean(),
  data: fc.array(fc.record({ bytes: fc.uint8Array({ maxLength: 60 }), padding }), { maxLength: 4 }),
  trailers: fc.option(plainFields),
  headersPadding: padding,
  hasPriority: fc.boolean(),
  cuts: fc.array(fc.nat(100), { maxLength: 3 }),
  isReset: fc.boolean(),
  before: fc.array(control, { maxLength: 2 }),
});

function padded(bytes: Bytes, size: number | null): Bytes {
  return size === null ? bytes : join([size], bytes, new Uint8Array(size));
}

function dataFrames(streamId: number, { data, trailers, isTunnel }: Exchange): Bytes[] {
  const isLast = trailers === null || isTunnel;
  const frames = data.map(({ bytes, padding }) =>
    frame([FrameType.DATA, padding === null ? 0 : PADDED], streamId, padded(bytes, padding))
  );
  return isLast ? [...frames, frame([FrameType.DATA, END_STREAM], streamId, [])] : frames;
}

/** HEADERS with padding and priority, and CONTINUATION frames. */
function headersFrames(streamId: number, block: Bytes, exchange: Exchange): Bytes[] {
  const { headersPadding, hasPriority, cuts } = exchange;
  const at = [0, ...cuts.map((cut) => cut % (block.length + 1)).sort((a, b) => a - b)];
  const parts = at.map((start, i) => block.subarray(start, at[i + 1] ?? block.length));
  return parts.map((part, i) => {
    const end = i === parts.length - 1 ? END_HEADERS : 0;
    if (i > 0) return frame([FrameType.CONTINUATION, end], streamId, part);
    const flags = end | (headersPadding === null ? 0 : PADDED) | (hasPriority ? PRIORITY : 0);
    const prefix = hasPriority ? [0, 0, 0, 0, 9] : [];
    const body = join(headersPadding === null ? [] : [headersPadding], prefix, part);
    return frame(
      [FrameType.HEADERS, flags],
      streamId,
      join(body, new Uint8Array(headersPadding ?? 0)),
    );
  });
}

function requestSection({ fields, isTunnel }: Exchange): Field[] {
  return encodeRequest({
    method: isTunnel ? "CONNECT" : "POST",
    scheme: "https",
    authority: "a.example",
    path: "/",
    protocol: isTunnel ? "websocket" : null,
    fields,
  });
}

/** What a client sends: each request whole, one after the other. */
function clientBytes(exchanges: readonly Exchange[], rows: [number, number][]): Bytes {
  const encoder = new HpackEncoder();
  const parts: Bytes[] = [CLIENT_PREFACE, settingsFrame(rows), SETTINGS_ACK];
  exchanges.forEach((exchange, i) => {
    const streamId = 2 * i + 1;
    parts.push(...exchange.before);
    parts.push(...headersFrames(streamId, encoder.encode(requestSection(exchange)), exchange));
    parts.push(...dataFrames(streamId, exchange));
    if (exchange.trailers !== null && !exchange.isTunnel) {
      const block = encoder.encode(exchange.trailers);
      parts.push(frame([FrameType.HEADERS, END_HEADERS | END_STREAM], streamId, block));
    }
    if (exchange.isReset) parts.push(frame([FrameType.RST_STREAM, 0], streamId, uint32(8)));
  });
  return join(...parts);
}

/** What a server sends to a client that has asked for streams 1, 3 and 5. */
function serverBytes(exchanges: readonly Exchange[], rows: [number, number][]): Bytes {
  const encoder = new HpackEncoder();
  const parts: Bytes[] = [settingsFrame(rows), SETTINGS_ACK];
  exchanges.slice(0, 3).forEach((exchange, i) => {
    const streamId = 2 * i + 1;
    parts.push(...exchange.before.filter((bytes) => bytes[3] !== FrameType.GOAWAY));
    if (exchange.hasPriority) {
      const block = encoder.encode([[":status", "103"]]);
      parts.push(frame([FrameType.HEADERS, END_HEADERS], streamId, block));
    }
    const section = encodeResponse(200, exchange.fields);
    parts.push(...headersFrames(streamId, encoder.encode(section), exchange));
    parts.push(...dataFrames(streamId, { ...exchange, isTunnel: false }));
    if (exchange.trailers !== null) {
      const block = encoder.encode(exchange.trailers);
      parts.push(frame([FrameType.HEADERS, END_HEADERS | END_STREAM], streamId, block));
    }
  });
  return join(...parts);
}

const exchanges = fc.array(exchange, { maxLength: 4 });
export const fromClient = fc.tuple(exchanges, settingsRows).map(([all, rows]) =>
  clientBytes(all, rows)
);
export const fromServer = fc.tuple(exchanges, settingsRows).map(([all, rows]) =>
  serverBytes(all, rows)
);

/** Frames that are whole, but stand wherever they like. */
const anyFrames = fc.array(
  fc.tuple(
    fc.oneof(fc.constantFrom(0, 0, 1, 1, 1, 3, 8, 9), fc.nat(11)),
    fc.constantFrom(0, 0x1, 0x4, 0x5, 0x5, 0x8, 0xc, 0x25, 0x2d),
    fc.oneof(fc.constantFrom(1, 1, 3, 5), fc.nat(8)),
    fc.oneof(
      // GET, a status, a literal into the table and a reference to it.
      fc.constantFrom(
        "828684010161",
        "88",
        "4001780131828684010161",
        "be828684010161",
        "838684010161",
      )
        .map((digits) => Uint8Array.from(digits.match(/../g)!, (pair) => parseInt(pair, 16))),
      fc.constantFrom(1, 300, 0x7fffffff).map((value) => Uint8Array.from(uint32(value))),
      fc.uint8Array({ maxLength: 12 }),
    ),
  ).map(([type, flags, streamId, payload]) => frame([type, flags], streamId, payload)),
  { maxLength: 20 },
).map((frames) => join(...frames));

const SETTINGS = settingsFrame([]);
export const anyFromClient = anyFrames.map((frames) =>
  join(CLIENT_PREFACE, SETTINGS, SETTINGS_ACK, frames)
);
export const anyFromServer = anyFrames.map((frames) => join(SETTINGS, SETTINGS_ACK, frames));
