import { PeerError, type Scope } from "../wire/error.ts";
import { namer } from "../wire/names.ts";

/** Why a tunnel, or one connection in it, fails: one byte in frames, the name in JSON messages. */
export const TunnelCode = {
  /** The peer is not who it says, or did not say it in time. */
  AUTH_FAILED: 1,
  /** What came is no message, or none that belongs here. */
  INVALID_MESSAGE: 2,
  /** The target can't be reached, or its connection broke. */
  CONNECTION_FAILED: 3,
  /** The target is not allowed. */
  FORBIDDEN_HOST: 4,
  /** A limit is reached: try again later. */
  RATE_LIMITED: 5,
  /** A mistake of the sender's own. */
  INTERNAL_ERROR: 6,
} as const;

export type TunnelCode = typeof TunnelCode[keyof typeof TunnelCode];

/** The name of a code, as JSON messages have it; a code that is not in the table comes as hex. */
export const tunnelCodeName: (value: number) => string = namer(TunnelCode);

const BY_NAME = new Map<string, TunnelCode>(Object.entries(TunnelCode));

/** The code with this name, or `null`. */
export function tunnelCodeOf(name: string): TunnelCode | null {
  return BY_NAME.get(name) ?? null;
}

/** Whether a byte is one of the codes. */
export function isTunnelCode(value: number): value is TunnelCode {
  return value >= TunnelCode.AUTH_FAILED && value <= TunnelCode.INTERNAL_ERROR;
}

/**
 * A rule of the tunnel that the peer broke; `code` is what it is told. Of scope "stream" it ends one
 * tunnelled connection, of scope "connection" the link with all of them.
 */
export class TunnelError extends PeerError {
  override name = "TunnelError";
  declare readonly code: TunnelCode;

  constructor(code: TunnelCode, scope: Scope, message: string) {
    super(code, scope, message);
  }
}
