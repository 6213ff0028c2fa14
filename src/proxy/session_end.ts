import { CloseCode } from "../protocol/websocket/close.ts";
import type { EndedBy } from "./observer.ts";

/** Who ended a session, and how. */
export interface End {
  by: EndedBy;
  code: number;
  reason: string;
}

/** Of a tunnel that is no WebSocket: FIN from both sides. */
export function wellEnded(by: EndedBy): End {
  return { by, code: CloseCode.NO_STATUS_RECEIVED, reason: "" };
}

/** Without a Close. */
export function lost(by: EndedBy, reason: string): End {
  return { by, code: CloseCode.ABNORMAL_CLOSURE, reason };
}
