import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import {
  acceptFor,
  encodeKey,
  isValidKey,
  parseTokenList,
} from "../../../src/protocol/websocket/handshake.ts";
import { code, hex } from "./support.ts";

const sha1 = (bytes: Uint8Array) => new Uint8Array(createHash("sha1").update(bytes).digest());

Deno.test("handshake: RFC 6455 §1.3, the accept of the sample key", () => {
  assert.equal(acceptFor("dGhlIHNhbXBsZSBub25jZQ==", sha1), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

Deno.test("handshake: RFC 6455 §4.1, the key of bytes 1 to 16", () => {
  assert.equal(encodeKey(hex("0102030405060708090a0b0c0d0e0f10")), "AQIDBAUGBwgJCgsMDQ4PEA==");
  assert.throws(() => encodeKey(new Uint8Array(15)), RangeError);
});

Deno.test("handshake: base64 as the platform has it, and our own keys are valid", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
    const key = encodeKey(bytes);
    assert.equal(key, btoa(String.fromCharCode(...bytes)));
    assert.ok(isValidKey(key));
    const accept = createHash("sha1").update(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    assert.equal(acceptFor(key, sha1), accept.digest("base64"));
  }));
});

const KEYS = [
  { name: "the sample key", key: "dGhlIHNhbXBsZSBub25jZQ==", want: true },
  { name: "+ and /", key: "++++++++//////////////==", want: true },
  { name: "nothing", key: "", want: false },
  { name: "15 bytes", key: "AQIDBAUGBwgJCgsMDQ4P", want: false },
  { name: "17 bytes", key: "AQIDBAUGBwgJCgsMDQ4PEBE=", want: false },
  { name: "no padding", key: "dGhlIHNhbXBsZSBub25jZQ", want: false },
  { name: "a blank", key: "dGhlIHNhbXBsZSBub25jZQ== ", want: false },
  { name: "base64url", key: "dGhlIHNhbXBsZSBub25j-_==", want: false },
  { name: "a line behind it", key: "dGhlIHNhbXBsZSBub25jZQ==\n", want: false },
];

for (const { name, key, want } of KEYS) {
  Deno.test(`handshake: RFC 6455 §4.2.1, a key decodes to 16 bytes: ${name}`, () => {
    assert.equal(isValidKey(key), want);
  });
}

const LISTS: { name: string; value: string; want: string[] | null }[] = [
  { name: "one", value: "Upgrade", want: ["Upgrade"] },
  { name: "more", value: "keep-alive, Upgrade", want: ["keep-alive", "Upgrade"] },
  { name: "blanks and empty elements", value: " , a\t,,b ,", want: ["a", "b"] },
  { name: "nothing", value: "", want: [] },
  { name: "two words", value: "a, b c", want: null },
  { name: "a slash", value: "a/b", want: null },
];

for (const { name, value, want } of LISTS) {
  Deno.test(`handshake: a list of tokens: ${name}`, () => {
    if (want === null) assert.equal(code(() => parseTokenList(value)), 400);
    else assert.deepEqual(parseTokenList(value), want);
  });
}
