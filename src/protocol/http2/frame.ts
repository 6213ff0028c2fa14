import { namer } from "../wire/names.ts";
import { connectionError, H2Code, protocolError } from "./codes.ts";

/** Which end of the connection we are. */
export type Role = "server" | "client";

/** RFC 9113 §6: what a frame is. */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

export type FrameType = typeof FrameType[keyof typeof FrameType];

/** RFC 9113 §6: what a frame's flags mean, each for the types that define it. */
export const Flag = {
  END_STREAM: 0x1,
  ACK: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

/** RFC 9113 §4.1: Length (24), Type (8), Flags (8), Reserved (1), Stream Identifier (31). */
export const FRAME_HEADER_BYTES = 9;

/** RFC 9113 §3.4: what a client's connection begins with. */
export const CLIENT_PREFACE = Uint8Array.from(
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  (c) => c.charCodeAt(0),
);

/** RFC 9113 §4.2: the frame size that everybody takes, and the most that may be allowed. */
export const MIN_MAX_FRAME_BYTES = 0x4000;
export const MAX_MAX_FRAME_BYTES = 0xffffff;

/** RFC 9113 §5.1.1: the largest stream identifier. */
export const MAX_STREAM_ID = 0x7fffffff;

/** RFC 9113 §6.3, §6.4, §6.7, §6.9: the length of frames that have but one. §6.8: the least. */
export const PRIORITY_BYTES = 5;
export const RST_STREAM_BYTES = 4;
export const PING_BYTES = 8;
export const WINDOW_UPDATE_BYTES = 4;
export const MIN_GOAWAY_BYTES = 8;

/** The RFC's name of a frame type, or its number in hex. */
export const frameTypeName: (value: number) => string = namer(FrameType);

/** What stands in front of each frame. */
export interface FrameHeader {
  /** Of the payload, in bytes. */
  length: number;
  type: number;
  flags: number;
  streamId: number;
}

/** The big-endian number of 32 bits at `at`. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** The big-endian number of 31 bits at `at`, behind a reserved bit, which is ignored. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return ((bytes[at] & 0x7f) << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

/** Writes a big-endian number of 32 bits; gives the offset behind it. */
export function writeUint32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + 4;
}

/** RFC 9113 §4.1: reads the frame header at `at` into `header`. */
export function readFrameHeader(bytes: Uint8Array, at: number, header: FrameHeader): void {
  header.length = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
  header.type = bytes[at + 3];
  header.flags = bytes[at + 4];
  header.streamId = readUint31(bytes, at + 5);
}

/** RFC 9113 §4.1: writes a frame header at `at`; gives the offset behind it. */
export function writeFrameHeader(bytes: Uint8Array, at: number, header: FrameHeader): number {
  bytes[at] = header.length >>> 16;
  bytes[at + 1] = header.length >>> 8;
  bytes[at + 2] = header.length;
  bytes[at + 3] = header.type;
  bytes[at + 4] = header.flags;
  return writeUint32(bytes, at + 5, header.streamId);
}

/**
 * RFC 9113 §6.1, §6.2: what DATA and HEADERS have first: Pad Length; dependency and weight.
 */
export function prefixBytes({ type, flags }: FrameHeader): number {
  const priority = type === FrameType.HEADERS && (flags & Flag.PRIORITY) !== 0;
  return ((flags & Flag.PADDED) !== 0 ? 1 : 0) + (priority ? PRIORITY_BYTES : 0);
}

/**
 * Judges a frame by its header, as far as no state is needed.
 *
 * @throws {H2Error} PROTOCOL_ERROR or FRAME_SIZE_ERROR, of the connection
 */
export function checkFrameHeader(header: FrameHeader, maxFrameBytes: number): void {
  // RFC 9113 §4.2: a frame that exceeds SETTINGS_MAX_FRAME_SIZE is FRAME_SIZE_ERROR. (A stream
  // error may be treated as one of the connection, §5.4.1; so are all of size.)
  if (header.length > maxFrameBytes) throw badSize(header);
  switch (header.type) {
    case FrameType.DATA:
    case FrameType.HEADERS:
      checkStream(header);
      // RFC 9113 §4.2: a frame too small to contain mandatory data is FRAME_SIZE_ERROR.
      if (header.length < prefixBytes(header)) throw badSize(header);
      return;
    case FrameType.CONTINUATION:
      return checkStream(header);
    case FrameType.PRIORITY:
      checkStream(header);
      // RFC 9113 §6.3: a PRIORITY frame with a length other than 5 is FRAME_SIZE_ERROR.
      return checkLength(header, PRIORITY_BYTES);
    case FrameType.RST_STREAM:
      checkStream(header);
      // RFC 9113 §6.4: a RST_STREAM frame with a length other than 4 is FRAME_SIZE_ERROR.
      return checkLength(header, RST_STREAM_BYTES);
    case FrameType.SETTINGS:
      return checkSettings(header);
    case FrameType.PING:
      checkConnection(header);
      // RFC 9113 §6.7: a PING frame with a length other than 8 is FRAME_SIZE_ERROR.
      return checkLength(header, PING_BYTES);
    case FrameType.GOAWAY:
      checkConnection(header);
      if (header.length < MIN_GOAWAY_BYTES) throw badSize(header);
      return;
    case FrameType.WINDOW_UPDATE:
      // RFC 9113 §6.9: a WINDOW_UPDATE frame with a length other than 4 is FRAME_SIZE_ERROR.
      return checkLength(header, WINDOW_UPDATE_BYTES);
    case FrameType.PUSH_PROMISE:
      // RFC 9113 §8.4: a server MUST treat PUSH_PROMISE as PROTOCOL_ERROR. §6.6: so MUST a client
      // that has set SETTINGS_ENABLE_PUSH to 0, which ours always has.
      throw protocolError("PUSH_PROMISE, which nobody may send");
  }
}

function checkSettings(header: FrameHeader): void {
  checkConnection(header);
  // RFC 9113 §6.5: an acknowledgment with a length other than 0 is FRAME_SIZE_ERROR.
  if ((header.flags & Flag.ACK) !== 0) return checkLength(header, 0);
  // RFC 9113 §6.5: a length other than a multiple of 6 is FRAME_SIZE_ERROR.
  if (header.length % 6 !== 0) throw badSize(header);
}

/** RFC 9113 §6: these MUST be associated with a stream; else PROTOCOL_ERROR. */
function checkStream({ type, streamId }: FrameHeader): void {
  if (streamId !== 0) return;
  throw protocolError(`${frameTypeName(type)} on stream 0`);
}

/** RFC 9113 §6.5, §6.7, §6.8: these apply to the connection; else PROTOCOL_ERROR. */
function checkConnection({ type, streamId }: FrameHeader): void {
  if (streamId === 0) return;
  throw protocolError(`${frameTypeName(type)} on stream ${streamId}`);
}

function checkLength(header: FrameHeader, length: number): void {
  if (header.length !== length) throw badSize(header);
}

function badSize({ type, length }: FrameHeader) {
  return connectionError(
    H2Code.FRAME_SIZE_ERROR,
    `${frameTypeName(type)} with a payload of ${length} bytes`,
  );
}
