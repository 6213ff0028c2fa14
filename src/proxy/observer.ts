import type { Traffic } from "../protocol/websocket/traffic.ts";

/** The HTTP version that a client came by. */
export type HttpVersion = "1.1" | "2" | "3";

/** Who ended a session. */
export type EndedBy =
  | "client"
  | "backend"
  | "proxy:limit"
  | "proxy:idle"
  | "proxy:slow"
  | "proxy:drain"
  | "proxy:error"
  | "proxy:ping";

/** A socket that is open on both sides. */
export interface SessionStart {
  id: number;
  http: HttpVersion;
  /** The client's address, "ip:port". */
  client: string;
  path: string;
  authority: string;
  backend: string;
  subprotocol: string | null;
  /** From the request to the answer, with the backend's dial and handshake in it. */
  handshakeMs: number;
}

/** What went one way through one session. */
export interface SessionTraffic {
  bytes: number;
  messages: number;
  frames: number;
}

/** The one record of how a session ended. */
export interface SessionEnd extends SessionStart {
  by: EndedBy;
  /** The close code; 1005 for a Close without one, 1006 when no Close was seen. */
  code: number;
  reason: string;
  durationMs: number;
  toBackend: SessionTraffic;
  toClient: SessionTraffic;
}

/** Why a request for a session was refused. */
export type RejectReason =
  | "max_conns"
  | "max_connections"
  | "method"
  | "path"
  | "bad_headers"
  | "header_size"
  | "protocol"
  /** The backend itself answered something other than 101. */
  | "backend"
  | "draining";

/** Where a session, or the way to one, broke. */
export type ErrorStage =
  | "no_stream_takeover"
  | "backend_dial"
  | "backend_handshake"
  | "session"
  | "h3_framing";

/** Why a connection ended before any request was read from it. */
export type PrerequestCloseReason =
  | "request_stream_invalid_first_frame_or_headers"
  | "no_bidi_request_stream"
  | "no_h3_stream_activity"
  | "stream_activity_without_request";

/** How a connection ended. */
export interface ConnectionEnd {
  /** The wire's error code; -1 when the peer was lost. */
  code: number;
  reason: string;
  byPeer: boolean;
  durationMs: number;
}

/** What the proxy and its doors tell of what they do. No method throws or waits. */
export interface Observer {
  sessionOpened(session: SessionStart): void;
  sessionClosed(session: SessionEnd): void;
  rejected(reason: RejectReason, status: number, path: string, client: string): void;
  failed(stage: ErrorStage, message: string, client: string): void;
  connectionOpened(http: HttpVersion): void;
  connectionClosed(http: HttpVersion, info: ConnectionEnd): void;
  prerequestClose(reason: PrerequestCloseReason): void;
  /** Something was thrown that is not the peer's fault but ours. */
  bug(where: string, error: unknown): void;
  /** All that goes to backends: the meters count it up while the sockets are open. */
  readonly toBackend: Traffic;
  /** All that goes to clients. */
  readonly toClient: Traffic;
}
