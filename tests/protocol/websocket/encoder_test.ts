import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeClose, encodeFrame, type Frame } from "../../../src/protocol/websocket/encoder.ts";
import { MessageDecoder } from "../../../src/protocol/websocket/decoder.ts";
import { Opcode } from "../../../src/protocol/websocket/opcode.ts";
import { concat, cutAtRandom, feed, hex, toHex } from "./support.ts";

const hello = new TextEncoder().encode("Hello");
const maskKey = hex("37fa213d");

const TABLE: { name: string; frame: Frame; want: string }[] = [
  {
    name: "§5.7 unmasked text",
    frame: { opcode: Opcode.TEXT, payload: hello },
    want: "810548656c6c6f",
  },
  {
    name: "§5.7 masked text",
    frame: { opcode: Opcode.TEXT, payload: hello, maskKey },
    want: "818537fa213d7f9f4d5158",
  },
  {
    name: "§5.7 first fragment",
    frame: { fin: false, opcode: Opcode.TEXT, payload: hello.subarray(0, 3) },
    want: "010348656c",
  },
  {
    name: "§5.7 last fragment",
    frame: { opcode: Opcode.CONTINUATION, payload: hello.subarray(3) },
    want: "80026c6f",
  },
  { name: "§5.7 ping", frame: { opcode: Opcode.PING, payload: hello }, want: "890548656c6c6f" },
  {
    name: "§5.7 masked pong",
    frame: { opcode: Opcode.PONG, payload: hello, maskKey },
    want: "8a8537fa213d7f9f4d5158",
  },
  {
    name: "§5.7 256 bytes",
    frame: { opcode: Opcode.BINARY, payload: new Uint8Array(256) },
    want: "827e0100" + "00".repeat(256),
  },
  {
    name: "§5.7 64 KiB",
    frame: { opcode: Opcode.BINARY, payload: new Uint8Array(65536) },
    want: "827f0000000000010000" + "00".repeat(65536),
  },
  {
    name: "RSV1",
    frame: { rsv: 4, opcode: Opcode.TEXT, payload: new Uint8Array(0) },
    want: "c100",
  },
];

for (const { name, frame, want } of TABLE) {
  Deno.test(`encoder: ${name}`, () => {
    const payload = toHex(frame.payload);
    assert.equal(toHex(encodeFrame(frame)), want);
    assert.equal(toHex(frame.payload), payload, "the payload is not ours to change");
  });
}

Deno.test("encoder: Close with code and reason, masked, and without a code", () => {
  assert.equal(toHex(encodeClose(1000, "bye")), "880503e8627965");
  assert.equal(toHex(encodeClose(1000, "", hex("01000000"))), "88820100000002e8");
  assert.equal(toHex(encodeClose(1005)), "8800");
  assert.equal(toHex(encodeClose(1005, "never sent", maskKey)), "888037fa213d");
  assert.equal(encodeClose(1001, "€".repeat(99)).length, 2 + 2 + 123);
});

Deno.test("encoder: decode(encode(x)) = x, masked and not, cut anywhere", () => {
  const message = fc.tuple(fc.boolean(), fc.string({ unit: "binary", maxLength: 300 }), fc.nat(5));
  const messages = fc.array(message, { maxLength: 8 });
  fc.assert(fc.property(messages, fc.boolean(), fc.nat(1000), (sent, masked, seed) => {
    const key = masked ? maskKey : undefined;
    const frames = sent.flatMap(([text, content, pieces]) => {
      const payload = new TextEncoder().encode(content);
      const size = Math.ceil(payload.length / (pieces + 1));
      return Array.from({ length: pieces + 1 }, (_, i) =>
        encodeFrame({
          fin: i === pieces,
          opcode: i > 0 ? Opcode.CONTINUATION : text ? Opcode.TEXT : Opcode.BINARY,
          payload: payload.subarray(i * size, (i + 1) * size),
          maskKey: key,
        }));
    });
    const decoder = new MessageDecoder({ masked, maxFrameBytes: 9999, maxMessageBytes: 9999 });
    const chunks = cutAtRandom(concat(...frames, encodeClose(1000, "é", key)), seed);
    const want = sent.map(([text, content]) =>
      text
        ? { type: "text", data: content }
        : { type: "binary", data: new TextEncoder().encode(content) }
    );
    const { events, fault } = feed(decoder, chunks, (event) => event);
    assert.equal(fault, null);
    assert.deepEqual(events, [...want, { type: "close", code: 1000, reason: "é" }]);
  }));
});
