// The binary form of the tunnel: what its frames are. A frame is one binary message of a WebSocket;
// on a stream of QUIC its length stands before it, as a varint. Numbers are varints (RFC 9000 §16)
// if nothing else is said:
//
//   frame      type u8, stream, body
//   AUTH       JSON: see auth.ts; agent to gateway, before all else, on stream 0
//   AUTHED     JSON: its answer, on stream 0
//   OPEN       protocol u8 (1 tcp, 2 udp), window, port u16, length of the host, host in UTF-8;
//              gateway to agent, with an identifier above all before it
//   OPENED     window: the target is reached
//   REFUSED    code u8, message in UTF-8: it is not
//   DATA       bytes of the stream, cut anywhere; those of a udp stream are datagrams, each behind its
//              length in two bytes (see frameDatagram), as on a stream of QUIC
//   CREDIT     how much more the peer may send on this stream
//   FIN        empty: no more DATA comes on this stream, this way
//   RESET      code u8, message in UTF-8: the stream is over, both ways
//   PING       8 bytes, on stream 0
//   PONG       the same 8 bytes, on stream 0
//   DRAIN      milliseconds after which the link will be closed: open no more; on stream 0
import { normalHost } from "../wire/host.ts";
import { namer } from "../wire/names.ts";
import type { Auth, Authed } from "./auth.ts";
import { TunnelCode, TunnelError } from "./code.ts";

/** What a frame is. */
export const FrameType = {
  AUTH: 1,
  AUTHED: 2,
  OPEN: 3,
  OPENED: 4,
  REFUSED: 5,
  DATA: 6,
  CREDIT: 7,
  FIN: 8,
  RESET: 9,
  PING: 10,
  PONG: 11,
  DRAIN: 12,
} as const;

export type FrameType = typeof FrameType[keyof typeof FrameType];

/** The name of a frame type, or its number in hex. */
export const frameTypeName: (value: number) => string = namer(FrameType);

/** Frames of this type and above are for later versions: who doesn't know them ignores them. */
export const FIRST_IGNORED_TYPE = 0x40;

/** The longest body of a frame, and so the most that one DATA frame carries. */
export const MAX_BODY_BYTES = 0x10000;

/** The longest frame: type, stream, body. */
export const MAX_FRAME_BYTES = 1 + 8 + MAX_BODY_BYTES;

/** The longest host name or address. */
export const MAX_HOST_BYTES = 255;

/** The longest message of REFUSED and RESET; ours are cut to it. */
export const MAX_MESSAGE_BYTES = 1024;

/** No window may be larger, nor what CREDIT makes of it. */
export const MAX_WINDOW_BYTES = 0x7fffffff;

/** The longest time that DRAIN gives: no timer takes more. */
export const MAX_DRAIN_MS = 0x7fffffff;

/** The body of PING and PONG. */
export const PING_BYTES = 8;

/** What a stream carries. */
export type StreamProtocol = "tcp" | "udp";

/** What a stream is to reach. An IPv6 address stands without brackets. */
export interface Target {
  readonly protocol: StreamProtocol;
  /** A name, which the agent resolves, or an address. */
  readonly host: string;
  readonly port: number;
}

/** A frame; `id` is that of its stream, from 1. Bytes are views of what it was read from. */
export type Frame =
  | { type: "auth"; auth: Auth }
  | { type: "authed"; authed: Authed }
  | ({ type: "open"; id: number; windowBytes: number } & Target)
  | { type: "opened"; id: number; windowBytes: number }
  | { type: "refused"; id: number; code: TunnelCode; message: string }
  | { type: "data"; id: number; bytes: Uint8Array }
  | { type: "credit"; id: number; bytes: number }
  | { type: "fin"; id: number }
  | { type: "reset"; id: number; code: TunnelCode; message: string }
  | { type: "ping"; payload: Uint8Array }
  | { type: "pong"; payload: Uint8Array }
  | { type: "drain"; ms: number };

/** What the peer sent is no frame, or none that belongs here: the link is over. */
export function invalid(message: string): TunnelError {
  return new TunnelError(TunnelCode.INVALID_MESSAGE, "connection", message);
}

/** What is wrong with a target, or `null`. There is one spelling of a host (see wire/host.ts). */
export function targetFault({ host, port }: Target): string | null {
  if (!Number.isInteger(port) || port < 1 || port > 0xffff) return `Port ${port}`;
  return normalHost(host) === host ? null : "Host that is none, or not spelled as hosts are here";
}
