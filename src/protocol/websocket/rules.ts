import { CloseCode, MAX_CONTROL_PAYLOAD, WebSocketError } from "./close.ts";
import { type FrameHeader, LENGTH_TOP_BIT } from "./header.ts";
import { isControl, Opcode, opcodeName } from "./opcode.ts";

/** What a header is judged by besides itself. */
export interface HeaderContext {
  /** Whether frames of this direction MUST be masked: `true` from client to server. */
  masked: boolean;
  /** Whether a message was begun and not yet ended by a frame with FIN. */
  inMessage: boolean;
  /** The reserved bits that the negotiated extensions use: RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  allowedRsv: number;
}

/** RSV1: the "Per-Message Compressed" bit of permessage-deflate (RFC 7692 §6). */
export const RSV1 = 4;

/**
 * Checks one header against every MUST of RFC 6455 §5 that a header can break.
 *
 * @throws {WebSocketError} 1002
 */
export function checkHeader(header: FrameHeader, context: HeaderContext): void {
  // RFC 6455 §5.1: a server MUST close on a frame that is not masked, a client on one that is.
  if (header.masked !== context.masked) {
    fail(header, header.masked ? "is masked, but a server must not mask" : "is not masked");
  }
  if (header.rsv !== 0) checkRsv(header, context.allowedRsv);
  if (isControl(header.opcode)) checkControl(header);
  else checkData(header, context.inMessage);
  checkLengthForm(header);
}

function checkRsv(header: FrameHeader, allowedRsv: number): void {
  // RFC 6455 §5.2: RSV bits MUST be 0 unless an extension was negotiated that defines them.
  if ((header.rsv & ~allowedRsv) !== 0) {
    fail(header, `has reserved bits ${header.rsv} that were not negotiated`);
  }
  // RFC 7692 §6: the bit MUST NOT be set on control frames and on fragments behind the first. An
  // extension we do not know may use it as it likes: then more than RSV1 is allowed.
  if (allowedRsv === RSV1 && header.opcode !== Opcode.TEXT && header.opcode !== Opcode.BINARY) {
    fail(header, "has RSV1 set, which is for the first frame of a message");
  }
}

function checkControl(header: FrameHeader): void {
  // RFC 6455 §5.2: %xB-F are reserved; an unknown opcode MUST fail the connection.
  if (header.opcode > Opcode.PONG) fail(header, "is reserved");
  // RFC 6455 §5.5: control frames <= 125 bytes, never fragmented.
  if (!header.fin) fail(header, "is fragmented");
  if (header.length > MAX_CONTROL_PAYLOAD) {
    fail(header, `has a payload of more than ${MAX_CONTROL_PAYLOAD} bytes`);
  }
}

function checkData(header: FrameHeader, inMessage: boolean): void {
  // RFC 6455 §5.2: %x3-7 are reserved; an unknown opcode MUST fail the connection.
  if (header.opcode > Opcode.BINARY) fail(header, "is reserved");
  // RFC 6455 §5.4: a message is one TEXT or BINARY frame and then CONTINUATION frames up to FIN;
  // fragments of one message MUST NOT be interleaved with those of another.
  if (header.opcode === Opcode.CONTINUATION) {
    if (!inMessage) fail(header, "is outside of a message");
  } else if (inMessage) {
    fail(header, "is inside of another message");
  }
}

function checkLengthForm(header: FrameHeader): void {
  const form = header.masked ? header.size - 4 : header.size;
  if (form === 2) return;
  // RFC 6455 §5.2: the most significant bit of a 64-bit length MUST be 0.
  if (header.length >= LENGTH_TOP_BIT) fail(header, "has a 64-bit length with its top bit set");
  // RFC 6455 §5.2: the minimal number of bytes MUST be used to encode the length.
  if (form === 4 ? header.length < 126 : header.length <= 0xffff) {
    fail(header, `has its length ${header.length} not in the shortest form`);
  }
}

function fail(header: FrameHeader, what: string): never {
  throw new WebSocketError(
    CloseCode.PROTOCOL_ERROR,
    `Frame ${opcodeName(header.opcode)} ${what}`,
  );
}
