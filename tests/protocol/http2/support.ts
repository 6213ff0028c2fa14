// How the tests of this room write frames down, and read those that come out. What comes out is
// read by a reader of its own, not by the one under test.
import assert from "node:assert/strict";
import { HpackDecoder } from "../../../src/protocol/hpack/decoder.ts";
import { h2CodeName } from "../../../src/protocol/http2/codes.ts";
import { Flag, FrameType, frameTypeName } from "../../../src/protocol/http2/frame.ts";
import { SettingId, settingName } from "../../../src/protocol/http2/settings.ts";
import { PeerError } from "../../../src/protocol/wire/error.ts";

export { Flag, FrameType, SettingId };
export const { END_STREAM, END_HEADERS, PADDED, PRIORITY, ACK } = Flag;

export function join(...parts: ArrayLike<number>[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

/** Bytes from hex; blanks and what stands in parentheses are for the reader. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\([^)]*\)/g, "").replace(/\s+/g, "");
  assert.match(digits, /^([0-9a-f]{2})*$/);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function uint32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

/** RFC 9113 §4.1: a frame; `kind` is its type with its flags. */
export function frame(
  kind: [type: number, flags?: number],
  streamId: number,
  payload: ArrayLike<number> = [],
): Uint8Array {
  const [type, flags = 0] = kind;
  const length = uint32(payload.length).slice(1);
  return join(length, [type, flags], uint32(streamId), payload);
}

export const PREFACE = ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export function data(streamId: number, payload: string | Uint8Array, flags = 0): Uint8Array {
  const bytes = typeof payload === "string" ? ascii(payload) : payload;
  return frame([FrameType.DATA, flags], streamId, bytes);
}

/** DATA in frames of 16384 bytes and a last one. */
export function largeData(streamId: number, length: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let left = length; left > 0; left -= 16384) {
    frames.push(data(streamId, new Uint8Array(Math.min(left, 16384))));
  }
  return frames;
}

export function headers(
  streamId: number,
  block: string | Uint8Array,
  flags: number = END_HEADERS,
): Uint8Array {
  return frame([FrameType.HEADERS, flags], streamId, asBytes(block));
}

export function continuation(streamId: number, block: string, flags = 0): Uint8Array {
  return frame([FrameType.CONTINUATION, flags], streamId, hex(block));
}

export function rstStream(streamId: number, code: number): Uint8Array {
  return frame([FrameType.RST_STREAM], streamId, uint32(code));
}

export function settings(...rows: [id: number, value: number][]): Uint8Array {
  const payload = rows.flatMap(([id, value]) => [id >> 8, id & 0xff, ...uint32(value)]);
  return frame([FrameType.SETTINGS], 0, payload);
}

export const SETTINGS_ACK = frame([FrameType.SETTINGS, ACK], 0);

export function ping(payload: string, flags = 0): Uint8Array {
  return frame([FrameType.PING, flags], 0, ascii(payload));
}

export function goaway(lastStreamId: number, code: number, debug = ""): Uint8Array {
  const payload = join(uint32(lastStreamId), uint32(code), ascii(debug));
  return frame([FrameType.GOAWAY], 0, payload);
}

export function windowUpdate(streamId: number, increment: number): Uint8Array {
  return frame([FrameType.WINDOW_UPDATE], streamId, uint32(increment));
}

export function priority(streamId: number, dependsOn: number): Uint8Array {
  return frame([FrameType.PRIORITY], streamId, [...uint32(dependsOn), 0x0f]);
}

function asBytes(block: string | Uint8Array): Uint8Array {
  return typeof block === "string" ? hex(block) : block;
}

/** A field as a literal that goes into no table. */
export function literal(name: string, value: string): string {
  const text = (part: string) => toHex(Uint8Array.of(part.length)) + toHex(ascii(part));
  return "00" + text(name) + text(value);
}

/** `:method: GET, :scheme: http, :path: /, :authority: a`. */
export const GET = "82 86 84 01 01 61";
/** The same with POST. */
export const POST = "83 86 84 01 01 61";
/** RFC 8441 §4: an extended CONNECT for a WebSocket. */
export const TUNNEL = literal(":method", "CONNECT") + literal(":protocol", "websocket") +
  "87 84 01 01 61";

/** A frame as it was sent, in one line. */
export function frameLines(bytes: Uint8Array, decoder: HpackDecoder): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    const length = view.getUint32(0) >>> 8;
    const [type, flags, streamId] = [bytes[at + 3], bytes[at + 4], view.getUint32(5)];
    const payload = bytes.subarray(at + 9, at + 9 + length);
    assert.equal(payload.length, length, "a frame is cut");
    lines.push(line({ type, flags, streamId, payload }, decoder));
    at += 9 + length;
  }
  return lines;
}

interface Sent {
  type: number;
  flags: number;
  streamId: number;
  payload: Uint8Array;
}

function line({ type, flags, streamId, payload }: Sent, decoder: HpackDecoder): string {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const name = frameTypeName(type);
  switch (type) {
    case FrameType.DATA:
      return `${name} ${streamId} ${dataText(payload)}${flags & END_STREAM ? " END" : ""}`;
    case FrameType.HEADERS: {
      assert.ok(flags & END_HEADERS);
      const { fields } = decoder.decode(payload, Infinity);
      const text = fields.map(([name, value]) => `${name}=${value}`).join(" ");
      return `${name} ${streamId} ${text}${flags & END_STREAM ? " END" : ""}`;
    }
    case FrameType.SETTINGS:
      return flags & ACK ? "SETTINGS ACK" : `SETTINGS ${settingTexts(view).join(" ")}`.trim();
    case FrameType.PING:
      return `PING${flags & ACK ? " ACK" : ""} ${String.fromCharCode(...payload)}`;
    case FrameType.GOAWAY:
      return `GOAWAY ${view.getUint32(0)} ${h2CodeName(view.getUint32(4))}`;
    case FrameType.RST_STREAM:
      return `${name} ${streamId} ${h2CodeName(view.getUint32(0))}`;
    case FrameType.WINDOW_UPDATE:
      return `${name} ${streamId} ${view.getUint32(0)}`;
  }
  throw new Error(`${name} was sent`);
}

function settingTexts(view: DataView): string[] {
  return Array.from({ length: view.byteLength / 6 }, (_, i) => {
    return `${settingName(view.getUint16(6 * i))}=${view.getUint32(6 * i + 2)}`;
  });
}

/** Data in one word: as text, or how long it is. */
export function dataText(bytes: Uint8Array): string {
  return bytes.length > 32 ? `(${bytes.length})` : String.fromCharCode(...bytes);
}

/** A PeerError as text; anything else is a bug and goes on. */
export function errorText(error: unknown): string {
  if (!(error instanceof PeerError)) throw error;
  assert.notEqual(error.message, "");
  return `${h2CodeName(error.code)} ${error.scope}`;
}
