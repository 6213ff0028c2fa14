import assert from "node:assert/strict";
import { visible, visibleJson } from "../../../src/protocol/wire/visible.ts";

const UNSEEN = [
  ...["\x00", "\x07", "\b", "\n", "\r", "\x1b", "\x7f", "\x80", "\x9b", "\x9f", "\u00ad"],
  ...["\u061c", "\u200b", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202e", "\u2060"],
  ...["\u2066", "\u2069", "\ufeff", "\ufff9", "\ud800", "\u{e0001}", "\u{e0041}", "\u{e0100}"],
];
const SEEN = ["a\tb", "c é 漢 क्‍ष", "👨‍👩‍👧 ❤️ 😀", "שלום", "\\u001b", "\ufffd"];

for (const c of UNSEEN) {
  const code = c.codePointAt(0)!.toString(16).padStart(4, "0");
  Deno.test(`wire: U+${code} is shown as an escape, in text and in JSON`, () => {
    assert.match(visible(`a${c}b`), /^a(\\u[0-9a-f]{4}){1,2}b$/);
    const json = visibleJson([`a${c}b`], 1);
    assert.match(json, /^\[\n "a(\\[nrb]|(\\u[0-9a-f]{4}){1,2})b"\n\]$/);
    assert.deepEqual(JSON.parse(json), [`a${c}b`]);
  });
}

Deno.test("wire: what anybody sees is shown as it is", () => {
  for (const text of SEEN) {
    assert.equal(visible(text), text);
    assert.equal(visibleJson(text), JSON.stringify(text));
  }
});
