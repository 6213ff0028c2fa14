/** What the events of `WebSocket3` say. */

import type { SocketEnd } from "../endpoint/socket.ts";
import { CloseCode } from "../protocol/websocket/close.ts";

/** What a `CloseEvent` says of a WebSocket that has failed. */
export const FAILED: CloseEventInit = {
  code: CloseCode.ABNORMAL_CLOSURE,
  reason: "",
  wasClean: false,
};

/**
 * How it ended, as the `CloseEvent` says it, and why it failed, if it did. `closing` is whether
 * `close` was called before.
 */
export function closeOf(
  { code, reason, wasClean, by }: SocketEnd,
  closing: boolean,
): { close: CloseEventInit; error?: Error } {
  const isAbnormal = code === CloseCode.ABNORMAL_CLOSURE;
  if (wasClean || (by === "peer" && !isAbnormal)) return { close: { code, reason, wasClean } };
  // A peer that leaves our Close without an answer broke no rule.
  if (closing && isAbnormal) return { close: FAILED };
  // RFC 6455 §7.1.5: the code is that of the peer's Close, and there was none.
  return { close: FAILED, error: new Error(reason) };
}

/** A message as the event has it. */
export function shownAs(
  type: BinaryType,
  data: string | Uint8Array,
): string | Blob | ArrayBufferLike {
  if (typeof data === "string") return data;
  if (type === "blob") return new Blob([data as Uint8Array<ArrayBuffer>]);
  return data.byteLength === data.buffer.byteLength ? data.buffer : data.slice().buffer;
}
