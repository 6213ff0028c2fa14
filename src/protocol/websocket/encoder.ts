import { encodeClosePayload } from "./close.ts";
import { headerSizeOf, writeHeader } from "./header.ts";
import { applyMask } from "./mask.ts";
import { Opcode } from "./opcode.ts";

/** A frame to write. RFC 6455 §5.1: a client gives a fresh `maskKey` for each, a server none. */
export interface Frame {
  /** Default `true`. */
  fin?: boolean;
  /** The reserved bits, as negotiated: RSV1 is 4, RSV2 is 2, RSV3 is 1. Default 0. */
  rsv?: number;
  opcode: Opcode;
  payload: Uint8Array;
  /** Four bytes that nobody can foresee (RFC 6455 §5.3). */
  maskKey?: Uint8Array;
}

/** Writes one frame into a fresh array, its payload masked when there is a `maskKey`. */
export function encodeFrame(frame: Frame): Uint8Array {
  const { fin = true, rsv = 0, opcode, payload, maskKey } = frame;
  const length = payload.length;
  const out = new Uint8Array(headerSizeOf(length, maskKey !== undefined) + length);
  const start = writeHeader(out, 0, { fin, rsv, opcode, length, maskKey });
  out.set(payload, start);
  if (maskKey !== undefined) applyMask(out.subarray(start), maskKey);
  return out;
}

/**
 * Writes a Close frame. Code 1005 gives one without a payload; the reason is cut to 123 bytes.
 *
 * @throws {RangeError} for a code that MUST NOT be sent.
 */
export function encodeClose(code: number, reason = "", maskKey?: Uint8Array): Uint8Array {
  return encodeFrame({ opcode: Opcode.CLOSE, payload: encodeClosePayload(code, reason), maskKey });
}
