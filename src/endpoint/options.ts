import type { ByteStream } from "../net/byte_stream.ts";
import type { Sweeper } from "../net/sweeper.ts";
import type { DeflateParameters } from "../protocol/websocket/permessage_deflate.ts";
import type { Keepalive } from "./keepalive.ts";

/** How a WebSocket ended, as the WHATWG `CloseEvent` has it. */
export interface SocketEnd {
  /**
   * The code of the peer's Close, 1005 for one without. Where the peer broke a rule or a limit, the
   * code that it was told: 1002, 1007, 1009. 1006 when there was no Close.
   */
  code: number;
  /** Why, as the peer says; where it did not close, as this side saw it. */
  reason: string;
  /** Whether both sides sent a Close. */
  wasClean: boolean;
  /** Who ended it first: "lost" for a stream that broke, or ended without Close. */
  by: "us" | "peer" | "lost";
}

/** How this side closes a socket. */
export interface CloseOptions {
  /**
   * Whether messages that come before the peer's Close are given; default `false`: they are dropped.
   * They are dropped too behind 5 s that did not bring it.
   */
  keepMessages?: boolean;
}

/** What a socket is made of, once the handshake is done. */
export interface SocketOptions {
  /** Which side this is: a client masks what it sends, a server demands it (RFC 6455 §5.1). */
  role: "client" | "server";
  /** The bytes of the WebSocket, both ways. */
  stream: ByteStream;
  /** The HTTP version that carries it. */
  http: "1.1" | "2" | "3";
  /** The subprotocol that was chosen; empty for none. */
  protocol: string;
  /** The extensions that were negotiated; empty for none. */
  extensions: string;
  /** The fields that the peer sent with the handshake. */
  fields: readonly (readonly [string, string])[];
  /** Payload of one frame; above it the socket is closed with 1009. */
  maxFrameBytes: number;
  /** Payload of one message over all its frames, and once it is inflated; above it as well. */
  maxMessageBytes: number;
  /** permessage-deflate as it was negotiated; none if left out. */
  deflate?: DeflateParameters;
  /** None if left out. */
  keepalive?: Keepalive;
  /** The timer that many sockets share; its interval is how late a deadline may be met. */
  sweeper?: Sweeper;
  /** Called for each Pong with its payload. */
  onPong?: (payload: Uint8Array) => void;
  /** Called for each Ping with its payload; it is answered all the same. */
  onPing?: (payload: Uint8Array) => void;
}
