import { namer } from "../wire/names.ts";
import { PeerError, type Scope } from "../wire/error.ts";

/** RFC 9114 §8.1: why a stream or a connection ends. */
export const H3Code = {
  H3_NO_ERROR: 0x100,
  H3_GENERAL_PROTOCOL_ERROR: 0x101,
  H3_INTERNAL_ERROR: 0x102,
  H3_STREAM_CREATION_ERROR: 0x103,
  H3_CLOSED_CRITICAL_STREAM: 0x104,
  H3_FRAME_UNEXPECTED: 0x105,
  H3_FRAME_ERROR: 0x106,
  H3_EXCESSIVE_LOAD: 0x107,
  H3_ID_ERROR: 0x108,
  H3_SETTINGS_ERROR: 0x109,
  H3_MISSING_SETTINGS: 0x10a,
  H3_REQUEST_REJECTED: 0x10b,
  H3_REQUEST_CANCELLED: 0x10c,
  H3_REQUEST_INCOMPLETE: 0x10d,
  H3_MESSAGE_ERROR: 0x10e,
  H3_CONNECT_ERROR: 0x10f,
  H3_VERSION_FALLBACK: 0x110,
} as const;

export type H3Code = typeof H3Code[keyof typeof H3Code];

/** The RFC's name of a code; a code that is not of RFC 9114 comes as hex. */
export const h3CodeName: (value: number) => string = namer(H3Code);

/** A rule of RFC 9114 that the peer broke; `code` goes into RESET_STREAM or CONNECTION_CLOSE. */
export class H3Error extends PeerError {
  override name = "H3Error";

  constructor(code: H3Code, scope: Scope, message: string) {
    super(code, scope, message);
  }
}
