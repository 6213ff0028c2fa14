// How the tests of the mux bring it into a state, and write down what comes out.
import assert from "node:assert/strict";
import { TunnelCode, tunnelCodeName } from "../../../src/protocol/tunnel/code.ts";
import { decodeFrame } from "../../../src/protocol/tunnel/decode.ts";
import { encodeFrame } from "../../../src/protocol/tunnel/encode.ts";
import type { Frame, StreamProtocol } from "../../../src/protocol/tunnel/frame.ts";
import { Mux } from "../../../src/protocol/tunnel/mux.ts";
import type { MuxEvent } from "../../../src/protocol/tunnel/mux_receive.ts";
import type { MuxRole } from "../../../src/protocol/tunnel/mux_state.ts";

export const CODE = TunnelCode.CONNECTION_FAILED;

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A frame or event in one line. */
export function line(frame: Frame | MuxEvent | null): string {
  if (frame === null) return "";
  const name = "id" in frame ? `${frame.type} ${frame.id}` : frame.type;
  switch (frame.type) {
    case "open":
      return `${name} ${frame.protocol} ${frame.host}:${frame.port} +${frame.windowBytes}`;
    case "opened":
      return `${name} +${frame.windowBytes}`;
    case "credit":
      return `${name} +${frame.bytes}`;
    case "data":
      return `${name} ${new TextDecoder().decode(frame.bytes)}`.trim();
    case "refused":
    case "reset":
      return `${name} ${tunnelCodeName(frame.code)} ${frame.message}`.trim();
    case "ping":
    case "pong":
      return `${name} ${new TextDecoder().decode(frame.payload)}`;
    case "drain":
      return `${name} ${frame.ms}`;
  }
  return name;
}

/** What waits to be sent, a line each. */
export function sent(mux: Mux): string[] {
  return mux.output().map((message) => line(decodeFrame(message)));
}

/** Hands a frame over; gives what is told. */
export function take(mux: Mux, frame: Frame): string {
  return line(mux.receive(encodeFrame(frame)));
}

export const data = (id: number, text: string): Frame => ({ type: "data", id, bytes: bytes(text) });
export const fin = (id: number): Frame => ({ type: "fin", id });
export const credit = (id: number, bytes: number): Frame => ({ type: "credit", id, bytes });
export const opened = (id: number, windowBytes = 8): Frame => ({ type: "opened", id, windowBytes });
export const reset = (id: number): Frame => ({ type: "reset", id, code: CODE, message: "r" });
export const refused = (id: number): Frame => ({ type: "refused", id, code: CODE, message: "n" });

export function open(id: number, protocol: StreamProtocol = "tcp", windowBytes = 8): Frame {
  return { type: "open", id, windowBytes, protocol, host: "a.example", port: 80 };
}

/** What there is of stream 1, which is of tcp, in a window of 8 bytes each way. */
export type State =
  | "never opened"
  | "asked for"
  | "open"
  | "ended by the peer"
  | "ended by us"
  | "ended"
  | "reset by us"
  | "reset by the peer"
  | "refused";

/** An end in a state; what it had to say about that was sent. */
export function muxIn(state: State, role: MuxRole, protocol: StreamProtocol = "tcp"): Mux {
  const mux = new Mux({ role, windowBytes: 8, maxStreams: 3 });
  if (state === "never opened") return mux;
  if (role === "gateway") mux.open({ protocol, host: "a.example", port: 80 });
  else take(mux, open(1, protocol));
  if (state === "refused") {
    if (role === "gateway") take(mux, refused(1));
    else mux.refuse(1, CODE, "n");
  } else if (state !== "asked for") {
    if (role === "gateway") take(mux, opened(1));
    else mux.accept(1);
  }
  if (state === "ended by the peer" || state === "ended") take(mux, fin(1));
  if (state === "ended by us" || state === "ended") assert.ok(mux.fin(1));
  if (state === "reset by us") assert.ok(mux.reset(1, CODE, "r"));
  if (state === "reset by the peer") take(mux, reset(1));
  mux.output();
  return mux;
}
