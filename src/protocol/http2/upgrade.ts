// RFC 7540 §3.2: HTTP/2 behind a 101 on a connection of HTTP/1.1. RFC 9113 §3.1 took it back.
import type { RequestHead } from "../wire/message.ts";
import { H2Error } from "./codes.ts";
import { applySettings, defaultSettings, MAX_SETTINGS, SETTING_BYTES } from "./settings.ts";

/** What a connection begins with that a request switched to HTTP/2. */
export interface Upgrade {
  /** The payload of the client's SETTINGS, as its HTTP2-Settings field says. */
  readonly settings: Uint8Array;
  /** The request, which becomes stream 1; it has no content. */
  readonly request: RequestHead;
}

/** Six bytes are eight digits, so no digit is cut, and none has bits that say nothing. */
const SETTING_DIGITS = 8;

/**
 * RFC 7540 §3.2.1: the payload that an HTTP2-Settings field says in base64url, without "=" at its
 * end; `null` for one that is malformed, or that SETTINGS would not be taken with.
 */
export function readHttp2Settings(value: string): Uint8Array | null {
  const settings = value.length / SETTING_DIGITS;
  // RFC 9110 §11.2: a token68 is not empty.
  if (!Number.isInteger(settings) || settings === 0 || settings > MAX_SETTINGS) return null;
  const payload = new Uint8Array(settings * SETTING_BYTES);
  for (let i = 0, at = 0; i < value.length; i += 4) {
    let bits = 0;
    for (let k = i; k < i + 4; k++) {
      const digit = digitOf(value.charCodeAt(k));
      if (digit < 0) return null;
      bits = (bits << 6) | digit;
    }
    payload[at++] = bits >>> 16;
    payload[at++] = bits >>> 8;
    payload[at++] = bits;
  }
  return isTaken(payload) ? payload : null;
}

/** RFC 4648 §5: which digit of base64url it is; -1 for none. */
function digitOf(code: number): number {
  return DIGITS.indexOf(String.fromCharCode(code));
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** RFC 7540 §3.2.1: they are interpreted as any other SETTINGS. */
function isTaken(payload: Uint8Array): boolean {
  try {
    applySettings(defaultSettings(), payload, { role: "server" });
    return true;
  } catch (error) {
    if (error instanceof H2Error) return false;
    throw error;
  }
}
