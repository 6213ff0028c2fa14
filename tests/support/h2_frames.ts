// Frames of HTTP/2 as a client sends them, right or wrong.
import {
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  writeFrameHeader,
  writeUint32,
} from "../../src/protocol/http2/frame.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { fromLatin1 } from "./inbox.ts";

/** RFC 9113 §4.1: a frame, whatever its flags and its payload say. */
export function h2Frame(
  [type, flags = 0]: [type: number, flags?: number],
  streamId: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(bytes, 0, { length: payload.length, type, flags, streamId });
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

/** DATA: bytes, or latin1 text. */
export function h2Data(streamId: number, data: Uint8Array | string, end = false): Uint8Array {
  const payload = typeof data === "string" ? fromLatin1(data) : data;
  return h2Frame([FrameType.DATA, end ? Flag.END_STREAM : 0], streamId, payload);
}

function numbers(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  values.forEach((value, i) => writeUint32(bytes, 4 * i, value));
  return bytes;
}

export function h2Reset(streamId: number, code: number): Uint8Array {
  return h2Frame([FrameType.RST_STREAM], streamId, numbers(code));
}

export function h2Window(streamId: number, increment: number): Uint8Array {
  return h2Frame([FrameType.WINDOW_UPDATE], streamId, numbers(increment));
}

export function h2Settings(rows: readonly (readonly [id: number, value: number])[]): Uint8Array {
  const payload = rows.map(([id, value]) => concat([Uint8Array.of(id >> 8, id), numbers(value)]));
  return h2Frame([FrameType.SETTINGS], 0, concat(payload));
}

export const H2_PING: Uint8Array = h2Frame([FrameType.PING], 0, new Uint8Array(8));
export const SETTINGS_ACK: Uint8Array = h2Frame([FrameType.SETTINGS, Flag.ACK], 0);

/** The pseudo-header fields of a GET of `path`, with more fields, or others, behind them. */
export function h2Get(path: string, fields: readonly Field[] = []): Field[] {
  const pseudo: Field[] = [
    [":method", "GET"],
    [":scheme", "http"],
    [":authority", "a.example"],
    [":path", path],
  ];
  return [...pseudo, ...fields];
}

/** RFC 8441 §4: an extended CONNECT for a WebSocket. */
export function h2Ws(path = "/ws", fields: readonly Field[] = []): Field[] {
  return [
    [":method", "CONNECT"],
    [":protocol", "websocket"],
    [":scheme", "http"],
    [":authority", "a.example"],
    [":path", path],
    ["sec-websocket-version", "13"],
    ...fields,
  ];
}
