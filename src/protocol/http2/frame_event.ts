import { protocolError } from "./codes.ts";
import {
  Flag,
  type FrameHeader,
  FrameType,
  frameTypeName,
  readUint31,
  readUint32,
  type Role,
} from "./frame.ts";

const EMPTY: Uint8Array = new Uint8Array(0);

/**
 * What a connection tells, frame by frame. DATA comes as it comes, in views of the pushed chunk,
 * without padding; `endStream` is with the last of it, which may be empty.
 */
export type Frame =
  | { type: "data"; streamId: number; bytes: Uint8Array; endStream: boolean }
  | FieldsFrame
  | { type: "priority"; streamId: number; dependsOn: number }
  | { type: "rstStream"; streamId: number; code: number }
  | { type: "settings"; payload: Uint8Array }
  | { type: "settingsAck" }
  | { type: "ping"; ack: boolean; payload: Uint8Array }
  | { type: "goaway"; lastStreamId: number; code: number }
  | { type: "windowUpdate"; streamId: number; increment: number }
  /** A DATA frame that was not admitted. */
  | { type: "discarded" }
  /** A frame of unknown type. */
  | { type: "unknown" };

/** HEADERS, with the CONTINUATION frames behind it. */
export interface FieldsFrame {
  type: "fields";
  streamId: number;
  /** The whole field block. */
  block: Uint8Array;
  endStream: boolean;
  /** RFC 9113 §6.2: the Stream Dependency, if there is one; else `null`. */
  dependsOn: number | null;
  /** How many frames it came in. */
  frames: number;
}

/** A DATA frame, before its data. */
export interface DataHeader {
  streamId: number;
  /** How much data it has. */
  dataBytes: number;
  /** What counts for flow control beside that: Pad Length and Padding. */
  paddingBytes: number;
  endStream: boolean;
}

export interface FrameParserOptions {
  /** Which end we are. */
  role: Role;
  /** RFC 9113 §4.2: our SETTINGS_MAX_FRAME_SIZE. */
  maxFrameBytes: number;
  /** The longest field block that is taken, encoded. */
  maxBlockBytes: number;
  /** The most CONTINUATION frames of one field block. */
  maxContinuations: number;
  /**
   * Judges each DATA frame: `false` skips its data. The header is valid during the call alone.
   * It may throw an `H2Error` of the connection.
   */
  admitData?: (header: DataHeader) => boolean;
}

/**
 * Judges a frame by what came before it: whether SETTINGS did, and what field block is open.
 *
 * @throws {H2Error} PROTOCOL_ERROR of the connection
 */
export function checkOrder(
  { type, flags, streamId }: FrameHeader,
  hasSettings: boolean,
  open: FieldsFrame | null,
): void {
  // RFC 9113 §3.4: SETTINGS MUST be the first frame; else PROTOCOL_ERROR.
  if (!hasSettings && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) {
    throw protocolError(`${frameTypeName(type)} before SETTINGS`);
  }
  if (open === null) {
    // RFC 9113 §6.10: CONTINUATION that no open field block precedes is PROTOCOL_ERROR.
    if (type === FrameType.CONTINUATION) throw protocolError("CONTINUATION without HEADERS");
    return;
  }
  // RFC 9113 §6.2, §6.10: any other frame, or one of another stream, inside a field block is
  // PROTOCOL_ERROR; §5.5: be it of unknown type.
  if (type !== FrameType.CONTINUATION || streamId !== open.streamId) {
    throw protocolError(`${frameTypeName(type)} inside a field block`);
  }
}

/** Reads the payload of a HEADERS frame up to the fragment; what is behind comes later. */
export function readFieldsPrefix(header: FrameHeader, bytes: Uint8Array, at: number): FieldsFrame {
  const { flags, streamId } = header;
  const priorityAt = at + ((flags & Flag.PADDED) !== 0 ? 1 : 0);
  return {
    type: "fields",
    streamId,
    block: EMPTY,
    endStream: (flags & Flag.END_STREAM) !== 0,
    dependsOn: (flags & Flag.PRIORITY) !== 0 ? readUint31(bytes, priorityAt) : null,
    frames: 0,
  };
}

/** Reads the payload of a frame of one length; of GOAWAY, its first 8 bytes. */
export function readControl(header: FrameHeader, bytes: Uint8Array, at: number): Frame {
  const { type, flags, streamId } = header;
  switch (type) {
    case FrameType.WINDOW_UPDATE:
      return { type: "windowUpdate", streamId, increment: readUint31(bytes, at) };
    case FrameType.RST_STREAM:
      return { type: "rstStream", streamId, code: readUint32(bytes, at) };
    case FrameType.PRIORITY:
      return { type: "priority", streamId, dependsOn: readUint31(bytes, at) };
    case FrameType.GOAWAY:
      return {
        type: "goaway",
        lastStreamId: readUint31(bytes, at),
        code: readUint32(bytes, at + 4),
      };
    default:
      // A copy, as what is held back may be overwritten before the next push.
      return { type: "ping", ack: (flags & Flag.ACK) !== 0, payload: bytes.slice(at, at + 8) };
  }
}
