import type { SessionEnd, SessionStart } from "../../src/proxy/observer.ts";

/** A session as the proxy tells it. */
export function sessionStart(fields: Partial<SessionStart> = {}): SessionStart {
  return {
    id: 1,
    http: "3",
    protocol: "websocket",
    client: "192.0.2.7:51234",
    path: "/ws?room=a",
    authority: "proxy.example",
    backend: "ws://127.0.0.1:8080",
    subprotocol: null,
    handshakeMs: 12.345,
    ...fields,
  };
}

/** How that session ended. */
export function sessionEnd(fields: Partial<SessionEnd> = {}): SessionEnd {
  return {
    ...sessionStart(),
    by: "client",
    code: 1000,
    reason: "",
    durationMs: 1500,
    toBackend: { bytes: 1200, messages: 3, frames: 4 },
    toClient: { bytes: 500, messages: 2, frames: 2 },
    ...fields,
  };
}
