import type { DoorsObserver } from "../ingress/doors_options.ts";
import type { HttpVersion } from "../ingress/offer.ts";
import type { SocketEnd } from "../endpoint/socket.ts";

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

/** Why a WebSocket was not accepted by the server itself. */
export type SocketRejection =
  | Parameters<DoorsObserver["rejected"]>[0]
  | "method"
  | "origin"
  | "protocol"
  | "max_sockets";

/** What a server tells of what it does. No method may throw or wait. */
export interface ServerObserver extends Omit<DoorsObserver, "rejected"> {
  /** A handler has accepted a WebSocket. */
  socketOpened(socket: SocketStart): void;
  /** It has ended: once for each `socketOpened`. */
  socketClosed(socket: SocketStart & SocketEnd & { durationMs: number }): void;
  /** Something was refused before a handler saw it; a status of 0 where no request was read. */
  rejected(reason: SocketRejection, status: number, path: string, client: string): void;
}

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
export function tellingOf(observer: Partial<ServerObserver>, log: ServerLog): ServerObserver {
  return {
    socketOpened: (socket) => observer.socketOpened?.(socket),
    socketClosed: (socket) => {
      log.info("socket.closed", { ...socket });
      observer.socketClosed?.(socket);
    },
    rejected: (reason, status, path, client) => {
      log.info("request.rejected", { reason, status, path, client });
      observer.rejected?.(reason, status, path, client);
    },
    failed: (stage, message, client) => observer.failed?.(stage, message, client),
    handshakeFailed: (refusal) => observer.handshakeFailed?.(refusal),
    connectionOpened: (http) => observer.connectionOpened?.(http),
    connectionClosed: (http, info) => observer.connectionClosed?.(http, info),
    prerequestClose: (reason) => observer.prerequestClose?.(reason),
    bug: (where, error) => {
      log.error("server.bug", { where, error: stackOf(error) });
      observer.bug?.(where, error);
    },
  };
}
