// RFC 7692 §7.2, without context takeover: what a payload is under permessage-deflate.
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";

/** RFC 7692 §7.2.1: what every flush of a deflater ends with is not sent. */
const TAIL = 4;

export function deflated(message: Uint8Array): Uint8Array {
  const whole = deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH });
  return new Uint8Array(whole.subarray(0, -TAIL));
}

export function inflated(payload: Uint8Array): Uint8Array {
  return new Uint8Array(inflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }));
}
