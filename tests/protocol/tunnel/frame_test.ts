import assert from "node:assert/strict";
import { TunnelCode } from "../../../src/protocol/tunnel/code.ts";
import { decodeFrame } from "../../../src/protocol/tunnel/decode.ts";
import {
  encodeFrame,
  frameHeaderBytes,
  writeDataHeader,
} from "../../../src/protocol/tunnel/encode.ts";
import {
  type Frame,
  frameTypeName,
  MAX_BODY_BYTES,
  MAX_FRAME_BYTES,
} from "../../../src/protocol/tunnel/frame.ts";
import { faults, frames, otherForms } from "./frame_rows.ts";
import { faultOf, hex, toHex } from "./frames.ts";

for (const { name, hex: bytes, want } of frames) {
  Deno.test(`tunnel frame: ${name}`, () => {
    assert.equal(toHex(encodeFrame(want)), toHex(hex(bytes)));
    assert.deepEqual(decodeFrame(hex(bytes)), want);
  });
}

for (const { name, hex: bytes, want } of otherForms) {
  Deno.test(`tunnel frame: ${name}`, () => {
    assert.deepEqual(decodeFrame(hex(bytes)), want);
  });
}

for (const { name, hex: bytes, want } of faults) {
  Deno.test(`tunnel frame: ${name} is INVALID_MESSAGE`, () => {
    const fault = faultOf(() => decodeFrame(hex(bytes)));
    assert.equal(fault.code, TunnelCode.INVALID_MESSAGE);
    assert.match(fault.message, want);
  });
}

Deno.test("tunnel frame: names", () => {
  assert.equal(frameTypeName(6), "DATA");
  assert.equal(frameTypeName(0x40), "0x40");
});

Deno.test("tunnel frame: those of later versions are ignored, whatever is in them", () => {
  for (const bytes of ["40", "40 00", "ff 05 00", "7f c0"]) {
    assert.equal(decodeFrame(hex(bytes)), null);
  }
  assert.equal(decodeFrame(new Uint8Array(MAX_FRAME_BYTES).fill(0x40)), null);
  faultOf(() => decodeFrame(new Uint8Array(MAX_FRAME_BYTES + 1).fill(0x40)));
});

Deno.test("tunnel frame: a body has 64 KiB at most, be its header ever so short", () => {
  for (const id of [1, 0x40, 0x4000, 2 ** 40]) {
    const bytes = new Uint8Array(MAX_BODY_BYTES).fill(7);
    const frame: Frame = { type: "data", id, bytes };
    const encoded = encodeFrame(frame);
    assert.deepEqual(decodeFrame(encoded), frame);
    const more = new Uint8Array(encoded.length + 1);
    more.set(encoded);
    assert.match(faultOf(() => decodeFrame(more)).message, /DATA of 65537 bytes is too long/);
    assert.throws(() => encodeFrame({ ...frame, bytes: new Uint8Array(65_537) }), RangeError);
  }
});

Deno.test("tunnel frame: bytes are views of the message", () => {
  const message = hex("06 05 6162");
  const data = decodeFrame(message);
  assert.ok(data?.type === "data");
  assert.equal(data.bytes.buffer, message.buffer);
  assert.equal(data.bytes.byteOffset, 2);
});

Deno.test("tunnel frame: the header of DATA goes before a payload that is there", () => {
  for (const id of [1, 63, 64, 0x3fff, 0x4000, 2 ** 31, Number.MAX_SAFE_INTEGER]) {
    const size = frameHeaderBytes(id);
    const room = new Uint8Array(16 + 3);
    room.set(hex("616263"), 16);
    assert.equal(writeDataHeader(room, 16 - size, id), 16);
    const message = room.subarray(16 - size);
    assert.deepEqual(message, encodeFrame({ type: "data", id, bytes: hex("616263") }));
  }
});

Deno.test("tunnel frame: a message that is too long is cut between two characters", () => {
  for (
    const [text, want] of [["a".repeat(2000), 1024], ["é".repeat(1000), 1024], [
      "€".repeat(1000),
      1023,
    ]] as const
  ) {
    const frame = decodeFrame(encodeFrame({ type: "reset", id: 1, code: 3, message: text }));
    assert.ok(frame?.type === "reset");
    assert.ok(text.startsWith(frame.message));
    assert.equal(new TextEncoder().encode(frame.message).length, want);
  }
});

const open: Frame = { type: "open", id: 1, windowBytes: 1, protocol: "tcp", host: "a", port: 1 };
const unsayable: readonly [name: string, frame: Frame][] = [
  ["no host", { ...open, host: "" }],
  ["a long host", { ...open, host: "é".repeat(128) }],
  ["a host in two lines", { ...open, host: "a\r\nb" }],
  ["port 0", { ...open, port: 0 }],
  ["port 65536", { ...open, port: 65_536 }],
  ["half a port", { ...open, port: 1.5 }],
  ["a PING of 7 bytes", { type: "ping", payload: new Uint8Array(7) }],
];

for (const [name, frame] of unsayable) {
  Deno.test(`tunnel frame: ${name} can't be sent`, () => {
    assert.throws(() => encodeFrame(frame), RangeError);
  });
}
