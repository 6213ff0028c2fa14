import type { SocketEnd } from "../endpoint/socket.ts";
import type { LinkEnd } from "./link.ts";

/** How a link over a WebSocket ended. */
export function linkEndOf({ by, code, reason }: SocketEnd): LinkEnd {
  return { by, reason: reason || (by === "us" ? "" : `closed with ${code}`) };
}

/** RFC 6455 §5.5: a Close takes 123 bytes of reason. */
export function closeReason(reason: string): string {
  return reason.slice(0, 40).toWellFormed();
}
