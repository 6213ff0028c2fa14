import assert from "node:assert/strict";
import { latin1, latin1Bytes } from "../../../src/protocol/wire/latin1.ts";

const ALL = Uint8Array.from({ length: 256 }, (_, code) => code);
const ALL_TEXT = String.fromCharCode(...ALL);

Deno.test("latin1: each byte is the character of its number, and back", () => {
  assert.equal(latin1(ALL, 0, 256), ALL_TEXT);
  assert.deepEqual(latin1Bytes(ALL_TEXT), ALL);
});

Deno.test("latin1: from start to end, in a view, empty, and longer than one part", () => {
  assert.equal(latin1(ALL, 0x41, 0x44), "ABC");
  assert.equal(latin1(ALL.subarray(0x40), 0x3f, 0x42), "\x7f\x80\x81");
  assert.equal(latin1(ALL, 7, 7), "");
  for (const byte of [0x61, 0xe9]) {
    const text = String.fromCharCode(byte).repeat(10000);
    assert.equal(latin1(new Uint8Array(10000).fill(byte), 0, 10000), text);
  }
});

Deno.test("latin1: what looks like a byte order mark stays", () => {
  assert.equal(latin1(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), 0, 4), "\xef\xbb\xbfa");
});
