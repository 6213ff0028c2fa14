import assert from "node:assert/strict";
import { base64Length, decodeBase64, encodeBase64 } from "../../../src/protocol/wire/base64.ts";

// RFC 4648 §10: the test vectors.
const VECTORS: [text: string, base64: string][] = [
  ["", ""],
  ["f", "Zg=="],
  ["fo", "Zm8="],
  ["foo", "Zm9v"],
  ["foob", "Zm9vYg=="],
  ["fooba", "Zm9vYmE="],
  ["foobar", "Zm9vYmFy"],
];

Deno.test("base64: the vectors of RFC 4648 §10", () => {
  for (const [text, base64] of VECTORS) {
    const bytes = new TextEncoder().encode(text);
    assert.equal(encodeBase64(bytes), base64);
    assert.equal(base64Length(bytes.length), base64.length);
    assert.deepEqual(decodeBase64(base64), bytes);
  }
});

const REFUSED = [
  { name: "RFC 4648 §3.2: padding is left out", text: "Zg" },
  { name: "half of the padding is left out", text: "Zg=" },
  { name: "too much padding", text: "Zm9v====" },
  { name: "padding in the middle", text: "Zg==Zg==" },
  { name: "RFC 4648 §3.3: a line feed", text: "Zm9v\nYmFy" },
  { name: "a blank at the end", text: "Zm9v " },
  { name: "four blanks", text: "    " },
  { name: "RFC 4648 §5: the alphabet of URLs", text: "-_-_" },
  { name: "RFC 4648 §3.5: bits that stand for nothing", text: "Zh==" },
  { name: "one character alone", text: "Z" },
];

for (const { name, text } of REFUSED) {
  Deno.test(`base64: refused: ${name}`, () => assert.equal(decodeBase64(text), null));
}
