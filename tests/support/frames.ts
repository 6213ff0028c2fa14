import assert from "node:assert/strict";
import { encodeClosePayload, parseClosePayload } from "../../src/protocol/websocket/close.ts";
import { encodeFrame } from "../../src/protocol/websocket/encoder.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import type { Inbox, SeenFrame } from "./inbox.ts";

/** How a frame differs from a whole one without reserved bits. */
export interface FrameForm {
  fin?: boolean;
  rsv?: number;
}

/** Makes the frames of one side: masked for the client's. */
export interface FrameMaker {
  frame(opcode: Opcode, payload: Uint8Array | string, form?: FrameForm): Uint8Array;
  text(payload: string): Uint8Array;
  close(code: number, reason?: string): Uint8Array;
}

function maker(masked: boolean): FrameMaker {
  const frame = (opcode: Opcode, data: Uint8Array | string, form: FrameForm = {}) =>
    encodeFrame({
      opcode,
      payload: typeof data === "string" ? new TextEncoder().encode(data) : data,
      ...(masked ? { maskKey: crypto.getRandomValues(new Uint8Array(4)) } : {}),
      ...form,
    });
  return {
    frame,
    text: (payload) => frame(Opcode.TEXT, payload),
    close: (code, reason = "") => frame(Opcode.CLOSE, encodeClosePayload(code, reason)),
  };
}

/** Frames as a client sends them. */
export const fromClient: FrameMaker = maker(true);
/** Frames as a backend sends them. */
export const fromBackend: FrameMaker = maker(false);

/** What a Close frame says; throws for any other, and for codes that no Close may carry. */
export function readClose(frame: SeenFrame | null): { code: number; reason: string } {
  assert.notEqual(frame, null, "the way ended without a Close frame");
  assert.equal(frame!.opcode, Opcode.CLOSE, "a Close frame");
  return parseClosePayload(frame!.payload);
}

/** The Close with which a way ends, and that FIN is all that follows. */
export async function closeAndFin(
  inbox: Inbox,
  masked: boolean,
): Promise<{ code: number; reason: string }> {
  const frame = await inbox.frame();
  const close = readClose(frame);
  assert.equal(frame!.masked, masked, "masked as RFC 6455 §5.1 says");
  assert.deepEqual(await inbox.rest(), new Uint8Array(0), "nothing behind Close");
  assert.equal(inbox.ending, "fin");
  return close;
}
