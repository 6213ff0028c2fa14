import { MAX_LENGTH, readVarint, varintSizeAt } from "../wire/varint.ts";
import { parseAuth, parseAuthed } from "./auth.ts";
import { isTunnelCode, TunnelCode } from "./code.ts";
import { LINK_STREAM } from "./encode.ts";
import {
  FIRST_IGNORED_TYPE,
  type Frame,
  FrameType,
  frameTypeName,
  invalid,
  MAX_BODY_BYTES,
  MAX_DRAIN_MS,
  MAX_FRAME_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_WINDOW_BYTES,
  PING_BYTES,
  targetFault,
} from "./frame.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A frame that is read: the next byte is at `at`. */
interface Cursor {
  readonly type: number;
  readonly bytes: Uint8Array;
  at: number;
}

/**
 * Reads a frame that is there as a whole. Bytes in it are views of `message`. Gives `null` for a
 * frame of a later version, which is to be ignored.
 *
 * @throws {TunnelError} INVALID_MESSAGE, of the connection
 */
export function decodeFrame(message: Uint8Array): Frame | null {
  if (message.length === 0) throw invalid("Empty frame");
  const type = message[0];
  // A frame of a later version may be of any form, but it can't be too long for the link.
  if (type >= FIRST_IGNORED_TYPE) return ignored(message);
  if (type < FrameType.AUTH || type > FrameType.DRAIN) {
    throw invalid(`Frame of the unknown type ${frameTypeName(type)}`);
  }
  const bodyAt = message.length === 1 ? 2 : 1 + varintSizeAt(message[1]);
  if (bodyAt > message.length) throw cutOff(type);
  const id = readVarint(message, 1);
  checkStream(type, id);
  const bodyBytes = message.length - bodyAt;
  if (bodyBytes > MAX_BODY_BYTES) throw tooLong(type, bodyBytes);
  if (type === FrameType.DATA) return { type: "data", id, bytes: message.subarray(bodyAt) };
  return readBody({ type, bytes: message, at: bodyAt }, id);
}

function ignored(message: Uint8Array): null {
  if (message.length > MAX_FRAME_BYTES) throw tooLong(message[0], message.length);
  return null;
}

/** Each frame belongs to a stream, or to the link, which is stream 0. */
function checkStream(type: number, id: number): void {
  const isLink = type < FrameType.OPEN || type > FrameType.RESET;
  if (isLink === (id === LINK_STREAM) && id <= MAX_LENGTH) return;
  throw invalid(`${frameTypeName(type)} on stream ${id}`);
}

function readBody(cursor: Cursor, id: number): Frame {
  switch (cursor.type) {
    case FrameType.OPEN:
      return readOpen(cursor, id);
    case FrameType.OPENED:
      return { type: "opened", id, windowBytes: readLast(cursor, MAX_WINDOW_BYTES) };
    case FrameType.REFUSED:
      return { type: "refused", id, ...readReason(cursor) };
    case FrameType.CREDIT:
      return { type: "credit", id, bytes: readCredit(cursor) };
    case FrameType.FIN:
      checkEnd(cursor);
      return { type: "fin", id };
    case FrameType.RESET:
      return { type: "reset", id, ...readReason(cursor) };
    case FrameType.PING:
      return { type: "ping", payload: readPing(cursor) };
    case FrameType.PONG:
      return { type: "pong", payload: readPing(cursor) };
    case FrameType.AUTH:
      return { type: "auth", auth: parseAuth(readText(cursor, cursor.bytes.length)) };
    case FrameType.AUTHED:
      return { type: "authed", authed: parseAuthed(readText(cursor, cursor.bytes.length)) };
    default: // DRAIN, the only one that is left
      return { type: "drain", ms: readLast(cursor, MAX_DRAIN_MS) };
  }
}

function readOpen(cursor: Cursor, id: number): Frame {
  const number = readByte(cursor);
  if (number !== 1 && number !== 2) throw invalid(`OPEN of the unknown protocol ${number}`);
  const protocol = number === 1 ? "tcp" : "udp";
  const windowBytes = readNumber(cursor, MAX_WINDOW_BYTES);
  const port = readByte(cursor) * 0x100 + readByte(cursor);
  const end = readNumber(cursor, MAX_BODY_BYTES) + cursor.at;
  if (end > cursor.bytes.length) throw cutOff(cursor.type);
  const host = readText(cursor, end);
  checkEnd(cursor);
  const fault = targetFault({ protocol, host, port });
  if (fault !== null) throw invalid(`OPEN: ${fault}`);
  return { type: "open", id, windowBytes, protocol, host, port };
}

/** RFC 9113 §7: unknown error codes may be treated as INTERNAL_ERROR; here they are. */
function readReason(cursor: Cursor): { code: TunnelCode; message: string } {
  const code = readByte(cursor);
  const messageBytes = cursor.bytes.length - cursor.at;
  if (messageBytes > MAX_MESSAGE_BYTES) throw tooLong(cursor.type, messageBytes);
  const message = readText(cursor, cursor.bytes.length);
  return { code: isTunnelCode(code) ? code : TunnelCode.INTERNAL_ERROR, message };
}

function readCredit(cursor: Cursor): number {
  const bytes = readLast(cursor, MAX_WINDOW_BYTES);
  // RFC 9113 §6.9: an increment of 0 is an error.
  if (bytes === 0) throw invalid("CREDIT of 0 bytes");
  return bytes;
}

function readPing({ type, bytes, at }: Cursor): Uint8Array {
  const payload = bytes.subarray(at);
  if (payload.length === PING_BYTES) return payload;
  throw invalid(`${frameTypeName(type)} of ${payload.length} bytes`);
}

/** A number with nothing behind it. */
function readLast(cursor: Cursor, most: number): number {
  const value = readNumber(cursor, most);
  checkEnd(cursor);
  return value;
}

function readNumber(cursor: Cursor, most: number): number {
  const { type, bytes, at } = cursor;
  if (at === bytes.length) throw cutOff(type);
  cursor.at += varintSizeAt(bytes[at]);
  if (cursor.at > bytes.length) throw cutOff(type);
  const value = readVarint(bytes, at);
  if (value > most) throw invalid(`${frameTypeName(type)} with the number ${value}`);
  return value;
}

function readByte(cursor: Cursor): number {
  if (cursor.at === cursor.bytes.length) throw cutOff(cursor.type);
  return cursor.bytes[cursor.at++];
}

function readText(cursor: Cursor, end: number): string {
  const bytes = cursor.bytes.subarray(cursor.at, end);
  cursor.at = end;
  try {
    return utf8.decode(bytes);
  } catch {
    throw invalid(`${frameTypeName(cursor.type)} with text that is not UTF-8`);
  }
}

function checkEnd({ type, bytes, at }: Cursor): void {
  if (at !== bytes.length) throw invalid(`${frameTypeName(type)} with bytes behind its end`);
}

function cutOff(type: number) {
  return invalid(`${frameTypeName(type)} is cut off`);
}

function tooLong(type: number, bytes: number) {
  return invalid(`${frameTypeName(type)} of ${bytes} bytes is too long`);
}
