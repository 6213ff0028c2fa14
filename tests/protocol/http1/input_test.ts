import assert from "node:assert/strict";
import { Input } from "../../../src/protocol/http1/input.ts";
import { latin1 } from "../../fuzz/input.ts";

const INVALID = 400;
const TOO_LONG = 431;

function inputOf(...chunks: string[]): Input {
  const input = new Input(INVALID);
  for (const [i, chunk] of chunks.entries()) {
    input.push(latin1(chunk));
    if (i < chunks.length - 1) assert.equal(input.line(300, TOO_LONG), null);
  }
  return input;
}

Deno.test("input: lines without their CRLF, then the bytes behind them", () => {
  const input = inputOf("ab\r\n\r\n\x80\xffc");
  assert.equal(input.line(100, TOO_LONG), "ab");
  assert.equal(input.line(100, TOO_LONG), "");
  assert.deepEqual(input.bytes(2), latin1("\x80\xff"));
  assert.deepEqual(input.bytes(2), latin1("c"));
  assert.equal(input.bytes(2).length, 0);
});

Deno.test("input: a line that is cut is held back, all of 0x00 to 0xff as it is", () => {
  let text = "";
  for (let code = 0; code < 256; code++) {
    if (code !== 0x0a && code !== 0x0d) text += String.fromCharCode(code);
  }
  const input = inputOf(text.slice(0, 100), text.slice(100), "\r", "\n");
  assert.equal(input.heldBytes, 255);
  assert.equal(input.line(256, TOO_LONG), text);
  assert.equal(input.heldBytes, 0);
});

Deno.test("RFC 9112 §2.2: a bare LF doesn't end a line, a bare CR makes it invalid", () => {
  for (const text of ["a\n", "\n", "a\rb\r\n", "\r\r\n", "\ra\r\n"]) {
    assert.throws(() => inputOf(text).line(100, TOO_LONG), { code: INVALID });
  }
  assert.throws(() => inputOf("a\r", "b\r", "\n").line(100, TOO_LONG), { code: INVALID });
});

Deno.test("input: a line is too long as soon as its last allowed byte is not its end", () => {
  assert.equal(inputOf("abc\r\n").line(5, TOO_LONG), "abc");
  assert.throws(() => inputOf("abcd\r\n").line(5, TOO_LONG), { code: TOO_LONG });
  assert.equal(inputOf("abcd").line(5, TOO_LONG), null);
  assert.throws(() => inputOf("abcde").line(5, TOO_LONG), { code: TOO_LONG });
  assert.throws(() => inputOf("abcd", "e").line(5, TOO_LONG), { code: TOO_LONG });
});
