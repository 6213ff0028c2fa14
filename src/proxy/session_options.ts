import type { Tunnel } from "../ingress/offer.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { Meter } from "../protocol/websocket/meter.ts";
import type { Traffic } from "../protocol/websocket/traffic.ts";
import type { Observer, SessionStart } from "./observer.ts";
import { Passthrough } from "./passthrough.ts";

/** What one session may take, in bytes and in time. */
export interface SessionLimits {
  /** Payload of one frame; above it Close 1009. */
  maxFrameBytes: number;
  /** Payload of one message over all its frames; above it Close 1009. */
  maxMessageBytes: number;
  /** No byte from either side for so long ends the session. */
  readTimeoutMs: number;
  /** A write that makes no progress for so long ends it. */
  writeTimeoutMs: number;
  /** The proxy's own Ping to the client after so long without traffic; 0 for none. */
  pingIntervalMs: number;
  /** How long that Ping's Pong may take. */
  pongTimeoutMs: number;
}

export interface SessionOptions {
  start: SessionStart;
  client: Tunnel;
  backend: ByteStream;
  /** Of a WebSocket: the RSV bits that its extensions use. `null` for any other protocol. */
  allowedRsv: number | null;
  limits: SessionLimits;
  sweeper: Sweeper;
  observer: Observer;
}

/** What counts and checks one way of a session. */
export function meterOf(
  { limits, allowedRsv }: SessionOptions,
  way: { masked: boolean; watchPong: boolean; traffic: Traffic },
): Meter | Passthrough {
  if (allowedRsv === null) return new Passthrough(way.traffic);
  const { maxFrameBytes, maxMessageBytes } = limits;
  return new Meter({ ...way, maxFrameBytes, maxMessageBytes, allowedRsv });
}
