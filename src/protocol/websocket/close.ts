import { PeerError } from "../wire/error.ts";
import { Utf8Validator } from "./utf8.ts";

/** RFC 6455 §7.4.1 and the IANA registry of WebSocket close codes. */
export const CloseCode = {
  NORMAL: 1000,
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  UNSUPPORTED_DATA: 1003,
  /** Never on the wire: the Close frame had no code. */
  NO_STATUS_RECEIVED: 1005,
  /** Never on the wire: there was no Close frame. */
  ABNORMAL_CLOSURE: 1006,
  INVALID_FRAME_PAYLOAD_DATA: 1007,
  POLICY_VIOLATION: 1008,
  MESSAGE_TOO_BIG: 1009,
  MANDATORY_EXTENSION: 1010,
  INTERNAL_ERROR: 1011,
  SERVICE_RESTART: 1012,
  TRY_AGAIN_LATER: 1013,
  BAD_GATEWAY: 1014,
  /** Never on the wire: the TLS handshake failed. */
  TLS_HANDSHAKE: 1015,
} as const;

export type CloseCode = typeof CloseCode[keyof typeof CloseCode];

/** RFC 6455 §5.5: the payload of a control frame is at most this long. */
export const MAX_CONTROL_PAYLOAD = 125;

/** A rule of RFC 6455 that the peer broke; `code` is the close code to answer with. */
export class WebSocketError extends PeerError {
  override name = "WebSocketError";
  /** Which limit was passed, when the code is 1009 for a limit. */
  readonly oversize: "frame" | "message" | null;

  constructor(code: number, message: string, oversize: "frame" | "message" | null = null) {
    super(code, "stream", message);
    this.oversize = oversize;
  }
}

/** RFC 6455 §7.4.1: 1009 is for a message that is too big to process. */
export function tooBig(kind: "frame" | "message", limit: number): WebSocketError {
  return new WebSocketError(
    CloseCode.MESSAGE_TOO_BIG,
    `${kind === "frame" ? "Frame" : "Message"} of more than ${limit} bytes`,
    kind,
  );
}

/** How a WebSocket ended. `code` is 1005 when the Close frame had none. */
export interface CloseInfo {
  code: number;
  reason: string;
}

/**
 * Whether a Close frame may carry this code. RFC 6455 §7.4.1: 1005, 1006 and 1015 MUST NOT be set
 * in a Close frame; 1004 is reserved. §7.4.2: 0-999 are not used, 1016-2999 are reserved for
 * extensions of the protocol, 3000-3999 are registered, 4000-4999 are private.
 */
export function isCloseCodeOnWire(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006;
}

/**
 * Reads the unmasked payload of a Close frame (RFC 6455 §5.5.1).
 *
 * @throws {WebSocketError} 1002 for a payload of one byte or a code that MUST NOT be sent, 1007
 * for a reason that is not UTF-8.
 */
export function parseClosePayload(payload: Uint8Array): CloseInfo {
  if (payload.length === 0) return { code: CloseCode.NO_STATUS_RECEIVED, reason: "" };
  // RFC 6455 §5.5.1: if there is a body, its first two bytes MUST be the code.
  if (payload.length === 1) {
    throw new WebSocketError(CloseCode.PROTOCOL_ERROR, "Close frame with a payload of 1 byte");
  }
  const code = (payload[0] << 8) | payload[1];
  if (!isCloseCodeOnWire(code)) {
    throw new WebSocketError(CloseCode.PROTOCOL_ERROR, `Close frame with code ${code}`);
  }
  return { code, reason: readReason(payload.subarray(2)) };
}

function readReason(bytes: Uint8Array): string {
  if (bytes.length === 0) return "";
  const utf8 = new Utf8Validator();
  // RFC 6455 §8.1: text that is not UTF-8 MUST fail the connection.
  if (!utf8.push(bytes) || !utf8.end()) {
    throw new WebSocketError(
      CloseCode.INVALID_FRAME_PAYLOAD_DATA,
      "Close frame with a reason that is not UTF-8",
    );
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/**
 * Writes the payload of a Close frame. The reason is cut at a code point's boundary to 123 bytes;
 * lone surrogates become U+FFFD. Code 1005 gives an empty payload.
 *
 * @throws {RangeError} for a code that MUST NOT be sent: a bug of the caller.
 */
export function encodeClosePayload(code: number, reason = ""): Uint8Array {
  if (code === CloseCode.NO_STATUS_RECEIVED) return new Uint8Array(0);
  if (!isCloseCodeOnWire(code)) {
    throw new RangeError(
      `Cannot send close code ${code}: allowed are 1000-1003, 1007-1014, ` +
        "3000-4999, and 1005 for no code",
    );
  }
  const out = new Uint8Array(MAX_CONTROL_PAYLOAD);
  out[0] = code >> 8;
  out[1] = code & 0xff;
  // encodeInto never writes a part of a code point.
  const { written } = new TextEncoder().encodeInto(reason, out.subarray(2));
  return out.subarray(0, 2 + written);
}
