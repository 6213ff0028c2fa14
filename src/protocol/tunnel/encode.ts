import { varintSize, writeVarint } from "../wire/varint.ts";
import { encodeAuth, encodeAuthed } from "./auth.ts";
import {
  type Frame,
  FrameType,
  MAX_BODY_BYTES,
  MAX_MESSAGE_BYTES,
  PING_BYTES,
  targetFault,
} from "./frame.ts";

/** Where AUTH, AUTHED, PING, PONG and DRAIN stand. */
export const LINK_STREAM = 0;

const utf8 = new TextEncoder();
const EMPTY = new Uint8Array(0);

/** How many bytes stand before the body of a frame on this stream. */
export function frameHeaderBytes(id: number): number {
  return 1 + varintSize(id);
}

/** Writes what stands before the body of a DATA frame at `at`; gives the offset behind it. */
export function writeDataHeader(out: Uint8Array, at: number, id: number): number {
  out[at] = FrameType.DATA;
  return writeVarint(out, at + 1, id);
}

/**
 * A whole frame in an array of its own. A message that is too long is cut.
 *
 * @throws {RangeError} for what can't be said in a frame: a bug of the caller
 */
export function encodeFrame(frame: Frame): Uint8Array<ArrayBuffer> {
  switch (frame.type) {
    case "data":
      return withBody(FrameType.DATA, frame.id, frame.bytes);
    case "credit":
      return withNumber(FrameType.CREDIT, frame.id, frame.bytes);
    case "open":
      return encodeOpen(frame);
    case "opened":
      return withNumber(FrameType.OPENED, frame.id, frame.windowBytes);
    case "refused":
      return withBody(FrameType.REFUSED, frame.id, reasonBody(frame));
    case "fin":
      return withBody(FrameType.FIN, frame.id, EMPTY);
    case "reset":
      return withBody(FrameType.RESET, frame.id, reasonBody(frame));
    case "ping":
      return withBody(FrameType.PING, LINK_STREAM, pingBody(frame.payload));
    case "pong":
      return withBody(FrameType.PONG, LINK_STREAM, pingBody(frame.payload));
    case "drain":
      return withNumber(FrameType.DRAIN, LINK_STREAM, frame.ms);
    case "auth":
      return withBody(FrameType.AUTH, LINK_STREAM, utf8.encode(encodeAuth(frame.auth)));
    case "authed":
      return withBody(FrameType.AUTHED, LINK_STREAM, utf8.encode(encodeAuthed(frame.authed)));
  }
}

/** A whole frame with its length before it, as on a stream of QUIC. */
export function encodePrefixed(frame: Frame): Uint8Array<ArrayBuffer> {
  const whole = encodeFrame(frame);
  const out = new Uint8Array(varintSize(whole.length) + whole.length);
  out.set(whole, writeVarint(out, 0, whole.length));
  return out;
}

function encodeOpen(frame: Frame & { type: "open" }): Uint8Array<ArrayBuffer> {
  const fault = targetFault(frame);
  if (fault !== null) throw new RangeError(fault);
  const host = utf8.encode(frame.host);
  const { windowBytes, port } = frame;
  const size = 1 + varintSize(windowBytes) + 2 + varintSize(host.length) + host.length;
  const out = begin(FrameType.OPEN, frame.id, size);
  let at = out.length - size;
  out[at++] = frame.protocol === "tcp" ? 1 : 2;
  at = writeVarint(out, at, windowBytes);
  out[at++] = port >> 8;
  out[at++] = port & 0xff;
  out.set(host, writeVarint(out, at, host.length));
  return out;
}

/** REFUSED, RESET: a code, and a message that is cut at a code point's boundary. */
function reasonBody({ code, message }: { code: number; message: string }): Uint8Array {
  const out = new Uint8Array(1 + Math.min(MAX_MESSAGE_BYTES, 3 * message.length));
  out[0] = code;
  // encodeInto never writes a part of a code point.
  const { written } = utf8.encodeInto(message, out.subarray(1));
  return out.subarray(0, 1 + written);
}

function pingBody(payload: Uint8Array): Uint8Array {
  if (payload.length !== PING_BYTES) throw new RangeError(`PING of ${payload.length} bytes`);
  return payload;
}

function withNumber(type: FrameType, id: number, value: number): Uint8Array<ArrayBuffer> {
  const size = varintSize(value);
  const out = begin(type, id, size);
  writeVarint(out, out.length - size, value);
  return out;
}

function withBody(type: FrameType, id: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = begin(type, id, body.length);
  out.set(body, out.length - body.length);
  return out;
}

/** A frame whose body is to be written yet. */
function begin(type: FrameType, id: number, bodyBytes: number): Uint8Array<ArrayBuffer> {
  if (bodyBytes > MAX_BODY_BYTES) throw new RangeError(`Frame with a body of ${bodyBytes} bytes`);
  const out = new Uint8Array(frameHeaderBytes(id) + bodyBytes);
  out[0] = type;
  writeVarint(out, 1, id);
  return out;
}
