import type { SocketEnd } from "../endpoint/socket.ts";
import type { DoorsObserver } from "../ingress/doors_options.ts";
import type { HttpVersion } from "../ingress/offer.ts";
import type { Refusal } from "../net/accepted.ts";

/** What a line tells beside its event. */
export type LogFields = Record<string, string | number | boolean | null>;

/** Where a server writes; every log of this library is one. No method may throw. */
export interface ServerLog {
  /** A line of the normal course of things. */
  info(event: string, fields?: LogFields): void;
  /** A line of what may need a look. */
  warning(event: string, fields?: LogFields): void;
  /** A line of a fault of the server's or its handler's; `error` holds the stack. */
  error(event: string, fields?: LogFields): void;
}

/** A WebSocket that was accepted. */
export interface SocketStart {
  /** Counts up from 1. */
  id: number;
  /** The HTTP version that it came by. */
  http: HttpVersion;
  /** The client, "ip:port". */
  client: string;
  /** Of the request, without its query. */
  path: string;
  /** The subprotocol that was chosen; empty for none. */
  protocol: string;
}

/** Why a request was refused before a handler saw it. */
export type RefusalReason =
  | "method"
  | "bad_headers"
  | "header_size"
  | "protocol"
  | "origin"
  | "max_sockets"
  | "max_connections"
  | "draining";

/** A request, or a connection, that was refused before a handler saw it. */
export interface RefusedRequest {
  /** Why. */
  reason: RefusalReason;
  /** What the client was answered; 0 where not even a request was read. */
  status: number;
  /** Without its query; empty where none was read. */
  path: string;
  /** The client's address, "ip:port"; empty where it is not known. */
  client: string;
  /** What was wrong, in one line; empty where there is no more to say. */
  message: string;
}

/** What a server tells of what it does. No method may throw or wait. */
export interface ServerObserver {
  /** A handler has accepted a WebSocket. */
  socketOpened(socket: SocketStart): void;
  /** It has ended: once for each `socketOpened`. */
  socketClosed(socket: SocketStart & SocketEnd & { durationMs: number }): void;
  /** Something was refused before a handler saw it. */
  rejected(refused: RefusedRequest): void;
  /** A client broke a rule of its version of HTTP. */
  failed(stage: "h3_framing" | "http_framing", message: string, client: string): void;
  /** A TCP connection did not come to be: its TLS handshake failed, or took too long. */
  handshakeFailed(refusal: Refusal): void;
  /** A client has connected. */
  connectionOpened(http: HttpVersion): void;
  /** A connection has ended: once for each `connectionOpened`. */
  connectionClosed(
    http: HttpVersion,
    info: { code: number; reason: string; byPeer: boolean; durationMs: number },
  ): void;
  /** Something was thrown that is not the peer's fault, nor the handler's, but ours. */
  bug(where: string, error: unknown): void;
}

/** What the doors tell, too. */
export type Telling = ServerObserver & DoorsObserver;

/** As `Deno.serve` does it: an error that nobody is told of would be lost. */
export const consoleLog: ServerLog = {
  info() {},
  warning() {},
  error(event, fields = {}) {
    // deno-lint-ignore no-console
    console.error(
      `${event}:`,
      ...Object.entries(fields).map(([name, value]) => `${name}=${value}`),
    );
  },
};

/** The stack, for a log. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? String(error) : String(error);
}

/** Tells the observer what it wants to know, and the log what is wrong. */
export function tellingOf(observer: Partial<ServerObserver>, log: ServerLog): Telling {
  return {
    socketOpened: (socket) => observer.socketOpened?.(socket),
    socketClosed: (socket) => {
      const durationMs = Math.round(socket.durationMs * 10) / 10;
      log.info("socket.closed", { ...socket, durationMs });
      observer.socketClosed?.(socket);
    },
    rejected: (refused: RefusedRequest) => {
      log.info("request.rejected", { ...refused });
      observer.rejected?.(refused);
    },
    failed: (stage, message, client) => observer.failed?.(stage, message, client),
    handshakeFailed: (refusal) => observer.handshakeFailed?.(refusal),
    connectionOpened: (http) => observer.connectionOpened?.(http),
    connectionClosed: (http, info) => observer.connectionClosed?.(http, info),
    // The connection's end is told.
    prerequestClose() {},
    bug: (where, error) => {
      log.error("server.bug", { where, error: stackOf(error) });
      observer.bug?.(where, error);
    },
  };
}
