import assert from "node:assert/strict";
import fc from "fast-check";
import { applyMask } from "../../../src/protocol/websocket/mask.ts";
import { hex, toHex } from "./support.ts";

Deno.test("mask: RFC 6455 §5.7, a masked Hello", () => {
  const bytes = hex("7f9f4d5158");
  applyMask(bytes, hex("37fa213d"));
  assert.equal(new TextDecoder().decode(bytes), "Hello");
});

Deno.test("mask: RFC 6455 §5.3, byte i with byte i mod 4 of the key, at any alignment", () => {
  const key = hex("01020480");
  for (let length = 0; length < 260; length++) {
    for (let from = 0; from < 4; from++) {
      for (let offset = 0; offset < 4; offset++) {
        const buffer = new Uint8Array(length + 8).fill(0x55);
        applyMask(buffer.subarray(from, from + length), key, offset);
        const want = new Uint8Array(length + 8).fill(0x55);
        for (let i = 0; i < length; i++) want[from + i] ^= key[(offset + i) % 4];
        assert.deepEqual(buffer, want);
      }
    }
  }
});

Deno.test("mask: masking twice gives the same, in pieces cut anywhere", () => {
  const keys = fc.uint8Array({ minLength: 4, maxLength: 4 });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), keys, fc.nat(2000), (data, key, n) => {
    const cut = Math.min(n, data.length);
    const whole = data.slice();
    applyMask(whole, key);
    const pieces = data.slice();
    applyMask(pieces.subarray(0, cut), key);
    applyMask(pieces.subarray(cut), key, cut);
    assert.equal(toHex(pieces), toHex(whole));
    applyMask(whole, key);
    assert.equal(toHex(whole), toHex(data));
  }));
});
