import assert from "node:assert/strict";
import { Input } from "../../../src/protocol/http1/input.ts";
import { latin1 } from "../../fuzz/input.ts";

const INVALID = 400;
const TOO_LONG = 431;

function inputOf(...chunks: string[]): Input {
  const input = new Input(INVALID);
  for (const [i, chunk] of chunks.entries()) {
    input.push(latin1(chunk));
    if (i < chunks.length - 1) assert.equal(input.line(300, TOO_LONG), false);
  }
  return input;
}

function lineOf(input: Input, maxBytes = 100): string | null {
  return input.line(maxBytes, TOO_LONG) ? input.text() : null;
}

Deno.test("input: lines without their CRLF, then the bytes behind them", () => {
  const input = inputOf("ab\r\n\r\n\x80\xffc");
  assert.equal(lineOf(input), "ab");
  assert.equal(lineOf(input), "");
  assert.deepEqual(input.bytes(2), latin1("\x80\xff"));
  assert.deepEqual(input.bytes(2), latin1("c"));
  assert.equal(input.bytes(2).length, 0);
});

Deno.test("input: a line that is cut is held back, all of 0x20 to 0xff as it is", () => {
  let text = "\t";
  for (let code = 0x20; code < 256; code++) {
    if (code !== 0x7f) text += String.fromCharCode(code);
  }
  const cut = inputOf(text.slice(0, 100), text.slice(100), "\r", "\n");
  assert.equal(cut.heldBytes, text.length + 1);
  assert.equal(lineOf(cut, text.length + 2), text);
});

Deno.test("input: a line that was held back stays where it is while the next is", () => {
  const input = inputOf("first", " line\r\nsecond");
  assert.equal(lineOf(input), "first line");
  const { source, start, end } = input;
  assert.equal(lineOf(input), null);
  assert.deepEqual(source.subarray(start, end), latin1("first line"));
});

Deno.test("RFC 9110 §5.5: no control character but HTAB in a line, held back or not", () => {
  for (const code of [0, 1, 8, 0x0b, 0x0c, 0x0d, 0x1f, 0x7f]) {
    const c = String.fromCharCode(code);
    assert.throws(() => lineOf(inputOf(`a${c}b\r\n`)), { code: INVALID });
    assert.throws(() => lineOf(inputOf(`a${c}`, `b\r\n`)), { code: INVALID });
    assert.throws(() => lineOf(inputOf(`a`, `${c}b\r\n`)), { code: INVALID });
  }
});

Deno.test("RFC 9112 §2.2: a bare LF doesn't end a line, a bare CR makes it invalid", () => {
  for (const text of ["a\n", "\n", "a\rb\r\n", "\r\r\n", "\ra\r\n"]) {
    assert.throws(() => lineOf(inputOf(text)), { code: INVALID });
  }
  assert.throws(() => lineOf(inputOf("a\r", "b\r", "\n")), { code: INVALID });
});

Deno.test("input: a line is too long as soon as its last allowed byte is not its end", () => {
  assert.equal(lineOf(inputOf("abc\r\n"), 5), "abc");
  assert.throws(() => lineOf(inputOf("abcd\r\n"), 5), { code: TOO_LONG });
  assert.equal(lineOf(inputOf("abcd"), 5), null);
  assert.throws(() => lineOf(inputOf("abcde"), 5), { code: TOO_LONG });
  assert.throws(() => lineOf(inputOf("abcd", "e"), 5), { code: TOO_LONG });
});
