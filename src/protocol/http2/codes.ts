import { namer } from "../wire/names.ts";
import { HpackError } from "../hpack/integer.ts";
import { PeerError, type Scope } from "../wire/error.ts";

/** RFC 9113 §7: why a stream or a connection ends. */
export const H2Code = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const;

export type H2Code = typeof H2Code[keyof typeof H2Code];

/** The RFC's name of a code; a code that is not of RFC 9113 comes as hex. */
export const h2CodeName: (value: number) => string = namer(H2Code);

/** A rule of RFC 9113 that the peer broke; `code` goes into RST_STREAM or GOAWAY. */
export class H2Error extends PeerError {
  override name = "H2Error";

  constructor(code: H2Code, scope: Scope, message: string) {
    super(code, scope, message);
  }
}

/** RFC 9113 §5.4.1: what ends the connection. */
export function connectionError(code: H2Code, message: string): H2Error {
  return new H2Error(code, "connection", message);
}

/** RFC 9113 §5.4.1: what ends the connection, with the code of most rules. */
export function protocolError(message: string): H2Error {
  return connectionError(H2Code.PROTOCOL_ERROR, message);
}

/** RFC 9113 §10.5: what costs us more than it can be of use. */
export function tooMuch(message: string): H2Error {
  return connectionError(H2Code.ENHANCE_YOUR_CALM, message);
}

/** RFC 9113 §5.4.2: what ends one stream. */
export function streamError(code: H2Code, message: string): H2Error {
  return new H2Error(code, "stream", message);
}

/** RFC 9113 §4.3: a decoding error of HPACK, as the connection error that it is. */
export function asH2Error(error: unknown): unknown {
  return error instanceof HpackError
    ? connectionError(H2Code.COMPRESSION_ERROR, error.message)
    : error;
}
