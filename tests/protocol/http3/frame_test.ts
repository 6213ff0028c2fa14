import assert from "node:assert/strict";
import fc from "fast-check";
import { H3Code, h3CodeName, H3Error } from "../../../src/protocol/http3/codes.ts";
import {
  encodeFrame,
  FrameHeaderReader,
  frameHeaderSize,
  FrameType,
  frameTypeName,
  isReservedHttp2FrameType,
  PayloadBuffer,
  writeFrameHeader,
} from "../../../src/protocol/http3/frame.ts";
import { PeerError } from "../../../src/protocol/wire/error.ts";
import { cutAt, errorText, hex, toHex } from "./feed.ts";

Deno.test("codes: RFC 9114 §8.1 names all from 0x100 to 0x110", () => {
  const codes = Object.values(H3Code);
  assert.deepEqual(codes, Array.from({ length: 17 }, (_, i) => 0x100 + i));
  assert.equal(h3CodeName(0x10e), "H3_MESSAGE_ERROR");
  assert.equal(h3CodeName(0x1ff), "0x1ff");
  const error = new H3Error(H3Code.H3_ID_ERROR, "connection", "why");
  assert.ok(error instanceof PeerError);
  assert.deepEqual([error.name, error.code, error.scope], ["H3Error", 0x108, "connection"]);
});

Deno.test("frame: names, and which types are reserved for HTTP/2", () => {
  assert.equal(frameTypeName(FrameType.MAX_PUSH_ID), "MAX_PUSH_ID");
  assert.equal(frameTypeName(0x21), "0x21");
  const reserved = Array.from({ length: 64 }, (_, type) => type).filter(isReservedHttp2FrameType);
  assert.deepEqual(reserved, [2, 6, 8, 9]);
});

const frames = [
  { name: "DATA of nothing", type: 0, payload: "", want: "00 00" },
  { name: "SETTINGS", type: 4, payload: "0801", want: "04 02 0801" },
  {
    name: "a length of two bytes",
    type: 0,
    payload: "61".repeat(64),
    want: "00 4040" + "61".repeat(64),
  },
  { name: "a type of eight bytes", type: 2 ** 40, payload: "00", want: "c000010000000000 01 00" },
];

for (const test of frames) {
  Deno.test(`frame: encodeFrame: ${test.name}`, () => {
    const payload = hex(test.payload);
    const frame = encodeFrame(test.type, payload);
    assert.equal(toHex(frame), toHex(hex(test.want)));
    const size = frameHeaderSize(test.type, payload.length);
    assert.equal(frame.length, size + payload.length);
    const out = new Uint8Array(size + 2);
    assert.equal(writeFrameHeader(out, 1, test.type, payload.length), size + 1);
    assert.deepEqual(out.subarray(1, size + 1), frame.subarray(0, size));
  });
}

const headers = [
  { name: "short", hex: "00 05", want: [0, 5] },
  { name: "two and four", hex: "4021 80000005", want: [0x21, 5] },
  { name: "eight and eight", hex: "c000000000000021 c0000000 00000005", want: [0x21, 5] },
  { name: "a length of 2^53-1", hex: "00 c01fffffffffffff", want: [0, 2 ** 53 - 1] },
  { name: "a length of 2^53", hex: "00 c020000000000000", want: "H3_FRAME_ERROR connection" },
];

for (const test of headers) {
  Deno.test(`frame: a header, cut anywhere: ${test.name}`, () => {
    const bytes = hex(test.hex);
    const check = (chunks: Uint8Array[]) => {
      const reader = new FrameHeaderReader();
      try {
        chunks.forEach((chunk, i) => {
          const behind = reader.read(chunk, 0);
          assert.equal(behind, i === chunks.length - 1 ? chunk.length : -1);
          assert.ok(reader.held <= 16);
        });
        assert.deepEqual([reader.type, reader.length], test.want);
        assert.equal(reader.held, 0);
      } catch (error) {
        assert.equal(errorText(error), test.want);
      }
    };
    check([bytes]);
    check(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)));
    for (let cut = 1; cut < bytes.length; cut++) {
      check([bytes.subarray(0, cut), bytes.subarray(cut)]);
    }
  });
}

Deno.test("frame: a payload that is cut is gathered", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat()), (bytes, cuts) => {
      const buffer = new PayloadBuffer();
      const chunks = cutAt(bytes, cuts);
      chunks.forEach((chunk, i) => {
        const payload = buffer.take(chunk, 0, bytes.length);
        if (i < chunks.length - 1) assert.equal(payload, null);
        else assert.deepEqual(payload, bytes);
      });
      assert.equal(buffer.held, 0);
    }),
  );
});
