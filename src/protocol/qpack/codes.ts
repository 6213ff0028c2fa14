import { HpackError } from "../hpack/integer.ts";
import { PeerError } from "../wire/error.ts";

/** RFC 9204 §6: why QPACK ends a connection. */
export const QpackCode = {
  QPACK_DECOMPRESSION_FAILED: 0x200,
  QPACK_ENCODER_STREAM_ERROR: 0x201,
  QPACK_DECODER_STREAM_ERROR: 0x202,
} as const;

export type QpackCode = typeof QpackCode[keyof typeof QpackCode];

/**
 * A rule of RFC 9204 that the peer broke. It is always of the connection: RFC 9204 wants that but
 * for values too large to decode (§7.4), and RFC 9114 §8 allows it for those.
 */
export class QpackError extends PeerError {
  override name = "QpackError";

  constructor(code: QpackCode, message: string) {
    super(code, "connection", message);
  }
}

/** RFC 9204 §6: an integer or string that can't be decoded, by QPACK's code for where it was. */
export function asQpackError(code: QpackCode, error: unknown): unknown {
  return error instanceof HpackError ? new QpackError(code, error.message) : error;
}
