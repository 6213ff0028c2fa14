// The messages of the JSON tunnel: {"type": ..., "data": {...}}, one in each text message.
import type { Credentials } from "../wire/credentials.ts";
import type { Scope } from "../wire/error.ts";
import { TunnelCode, TunnelError } from "./code.ts";

/** How long the parts of a message may be. */
export interface MessageLimits {
  /** The most bytes of a "data" message, without base64. Default 64 KiB. */
  readonly maxPayloadBytes?: number;
}

/** The first message of an agent. */
export interface AuthMessage extends Credentials {
  readonly type: "auth";
  readonly clientId: string;
}

export interface AuthResponseMessage {
  readonly type: "auth_response";
  readonly success: boolean;
  readonly message: string;
}

/** What the gateway has the agent connect to. */
export interface ConnectMessage {
  readonly type: "connect";
  readonly connectionId: string;
  /** A name in lower case, or an IP address, IPv6 without brackets. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
  readonly protocol: "tcp" | "udp";
}

export interface ConnectResponseMessage {
  readonly type: "connect_response";
  readonly connectionId: string;
  readonly success: boolean;
  readonly message: string;
}

export interface DataMessage {
  readonly type: "data";
  readonly connectionId: string;
  readonly payload: Uint8Array;
}

/** The end of both ways of a connection. */
export interface CloseMessage {
  readonly type: "close";
  readonly connectionId: string;
  readonly reason: string;
}

/** A pong has the timestamp of its ping, whatever its unit is. */
export interface HeartbeatMessage {
  readonly type: "ping" | "pong";
  readonly timestamp: number;
}

export interface ErrorMessage {
  readonly type: "error";
  readonly code: TunnelCode;
  readonly message: string;
  /** `null` for the link as a whole. */
  readonly connectionId: string | null;
}

export type JsonMessage =
  | AuthMessage
  | AuthResponseMessage
  | ConnectMessage
  | ConnectResponseMessage
  | DataMessage
  | CloseMessage
  | HeartbeatMessage
  | ErrorMessage;

/**
 * A message that breaks a rule: INVALID_MESSAGE. Where it names a connection, the error is that
 * one's alone. Of scope "connection" is one that may have had bytes of any connection in it.
 */
export class MessageError extends TunnelError {
  override name = "MessageError";
  readonly connectionId: string | null;

  constructor(
    message: string,
    connectionId: string | null = null,
    scope: Scope = connectionId === null ? "connection" : "stream",
  ) {
    super(TunnelCode.INVALID_MESSAGE, scope, message);
    this.connectionId = connectionId;
  }
}
