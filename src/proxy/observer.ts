import type { PrerequestReason } from "../ingress/h3_connection.ts";
import type { HttpVersion } from "../ingress/offer.ts";
import type { Refusal } from "../net/accepted.ts";
import type { Traffic } from "../protocol/websocket/traffic.ts";

export type { HttpVersion } from "../ingress/offer.ts";

/** Who ended a session. */
export type EndedBy =
  | "client"
  | "backend"
  | "proxy:limit"
  | "proxy:idle"
  | "proxy:slow"
  | "proxy:drain"
  | "proxy:error"
  | "proxy:ping"
  /** Its route is gone. */
  | "proxy:reload";

/** A socket that is open on both sides. */
export interface SessionStart {
  /** Counts up from 1. */
  id: number;
  /** The HTTP version that the client came by. */
  http: HttpVersion;
  /** What is spoken: "websocket", or what was upgraded to. */
  protocol: string;
  /** The client's address, "ip:port". */
  client: string;
  /** Of the request, without its query. */
  path: string;
  /** The host that the client asked for. */
  authority: string;
  /** The backend's URL, as it was configured. */
  backend: string;
  /** The one that the backend chose. */
  subprotocol: string | null;
  /** From the request to the answer, with the backend's dial and handshake in it. */
  handshakeMs: number;
}

/** What went one way through one session. */
export interface SessionTraffic {
  /** Bytes of frames, headers and payloads. */
  bytes: number;
  /** Messages that passed to their last byte. */
  messages: number;
  /** Frames, control frames too. */
  frames: number;
}

/** The one record of how a session ended. */
export interface SessionEnd extends SessionStart {
  /** Who ended it. */
  by: EndedBy;
  /** The close code; 1005 for a Close without one, 1006 when no Close was seen. */
  code: number;
  /** The Close's reason, or what broke; empty for none. */
  reason: string;
  /** How long it was open. */
  durationMs: number;
  /** What went from the client to the backend. */
  toBackend: SessionTraffic;
  /** What went from the backend to the client. */
  toClient: SessionTraffic;
}

/** Why a request for a session was refused. */
export type RejectReason =
  | "max_conns"
  | "max_connections"
  | "method"
  | "path"
  /** The port, workspace or host that cmux mode was asked for, or that there was none. */
  | "address"
  | "bad_headers"
  | "header_size"
  | "protocol"
  | "origin"
  /** The program's own `authorize` said no. */
  | "authorize"
  /** The backend itself answered something other than 101. */
  | "backend"
  | "draining";

/** A request for a session that was refused, or a head that was none. */
export interface Rejection {
  /** Why. */
  reason: RejectReason;
  /** What the client was answered; 0 where not even a request was read. */
  status: number;
  /** Without its query; empty where none was read. */
  path: string;
  /** The client's address, "ip:port"; empty where it is not known. */
  client: string;
  /** What was wrong, in one line; empty where there is no more to say. */
  message: string;
}

/** An ordinary request, and its answer. */
export interface RequestEnd {
  /** The HTTP version that the client came by. */
  http: HttpVersion;
  /** The client's address, "ip:port". */
  client: string;
  /** The request's method. */
  method: string;
  /** The host that the client asked for. */
  authority: string;
  /** Without its query. */
  path: string;
  /** The backend's URL, as it was configured; `null` where the proxy answered by itself. */
  backend: string | null;
  /** What the client was answered; 0 when it was gone before. */
  status: number;
  /** From the request to the answer's last byte. */
  durationMs: number;
  /** Bytes of content. */
  toBackendBytes: number;
  /** Bytes of the answer's content. */
  toClientBytes: number;
  /** Who ended it before its end, and how; empty when it is whole. */
  broken: string;
  /** Set where `failed` has told why there was no backend to answer it. */
  failed?: true;
}

/** Where a session, or the way to one, broke. */
export type ErrorStage =
  | "no_stream_takeover"
  /** The program's own `authorize` took too long. */
  | "authorize"
  | "backend_dial"
  | "backend_handshake"
  | "session"
  | "h3_framing"
  /** HTTP/1.1 or HTTP/2 broken by a client. */
  | "http_framing";

/** Why a connection ended before any request was read from it. */
export type PrerequestCloseReason = PrerequestReason;

/** How a connection ended. */
export interface ConnectionEnd {
  /** The wire's error code; -1 when the peer was lost. */
  code: number;
  /** The Close's reason, or what broke; empty for none. */
  reason: string;
  /** Whether the client ended it. */
  byPeer: boolean;
  /** How long it was open. */
  durationMs: number;
}

/** What the proxy and its doors tell of what they do. No method throws or waits. */
export interface Observer {
  /** A socket is open on both sides. */
  sessionOpened(session: SessionStart): void;
  /** It has ended: once for each `sessionOpened`. */
  sessionClosed(session: SessionEnd): void;
  /** A request for a session was refused, or a head could not be read; `failed` is not told of it. */
  rejected(rejection: Rejection): void;
  /** An ordinary request was answered, or given up; one for a session, or for health, is not told. */
  requestEnded(request: RequestEnd): void;
  /** A TCP connection did not come to be: its TLS handshake failed, or took too long. */
  handshakeFailed(refusal: Refusal): void;
  /** A backend went down, or came up again. */
  backendChanged(url: string, up: boolean, reason: string): void;
  /** A session, or the way to one, broke; `client` is empty where it was for more than one. */
  failed(stage: ErrorStage, message: string, client: string): void;
  /** A client has connected. */
  connectionOpened(http: HttpVersion): void;
  /** A connection has ended: once for each `connectionOpened`. */
  connectionClosed(http: HttpVersion, info: ConnectionEnd): void;
  /** A connection ended before any request was read from it. */
  prerequestClose(reason: PrerequestCloseReason): void;
  /** Something was thrown that is not the peer's fault but ours. */
  bug(where: string, error: unknown): void;
  /** All that goes to backends: the meters count it up while the sockets are open. */
  readonly toBackend: Traffic;
  /** All that goes to clients. */
  readonly toClient: Traffic;
}
