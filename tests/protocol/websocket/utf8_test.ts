import assert from "node:assert/strict";
import fc from "fast-check";
import { Utf8Validator } from "../../../src/protocol/websocket/utf8.ts";
import { byteByByte, cutAtRandom, hex, waysToCut } from "./support.ts";

function isUtf8(chunks: Uint8Array[]): boolean {
  const validator = new Utf8Validator();
  let good = true;
  for (const chunk of chunks) {
    // Once wrong, wrong for ever.
    if (!good) assert.equal(validator.push(chunk), false);
    else good = validator.push(chunk);
  }
  if (!good) assert.equal(validator.end(), false);
  return validator.end();
}

function isUtf8ByPlatform(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

// RFC 3629 §4, the ABNF as it stands there.
const ABNF = new RegExp(
  "^(?:" + [
    "[\\x00-\\x7f]",
    "[\\xc2-\\xdf][\\x80-\\xbf]",
    "\\xe0[\\xa0-\\xbf][\\x80-\\xbf]",
    "[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}",
    "\\xed[\\x80-\\x9f][\\x80-\\xbf]",
    "\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}",
    "[\\xf1-\\xf3][\\x80-\\xbf]{3}",
    "\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}",
  ].join("|") + ")*$",
);

// `failsAt` is the first byte that cannot be right; null when only the end can tell, or nothing.
const TABLE = [
  { name: "nothing", hex: "", want: true, failsAt: null },
  { name: "ASCII with NUL and DEL", hex: "00417f", want: true, failsAt: null },
  { name: "§8.1: κόσμε", hex: "cebae1bdb9cf83cebcceb5", want: true, failsAt: null },
  { name: "first and last of 2 bytes", hex: "c280dfbf", want: true, failsAt: null },
  { name: "first and last of 3 bytes", hex: "e0a080efbfbf", want: true, failsAt: null },
  { name: "first and last of 4 bytes", hex: "f0908080f48fbfbf", want: true, failsAt: null },
  { name: "around the surrogates", hex: "ed9fbfee8080", want: true, failsAt: null },
  { name: "a BOM", hex: "efbbbf41", want: true, failsAt: null },
  { name: "a noncharacter U+FFFE", hex: "efbfbe", want: true, failsAt: null },
  { name: "a lone continuation byte", hex: "4180", want: false, failsAt: 1 },
  { name: "overlong of 2 bytes, c0", hex: "c080", want: false, failsAt: 0 },
  { name: "overlong of 2 bytes, c1", hex: "c1bf", want: false, failsAt: 0 },
  { name: "overlong of 3 bytes", hex: "e09fbf", want: false, failsAt: 1 },
  { name: "overlong of 4 bytes", hex: "f08fbfbf", want: false, failsAt: 1 },
  { name: "surrogate U+D800", hex: "eda080", want: false, failsAt: 1 },
  { name: "surrogate U+DFFF", hex: "edbfbf", want: false, failsAt: 1 },
  { name: "a pair of surrogates (CESU-8)", hex: "eda080edb080", want: false, failsAt: 1 },
  { name: "above U+10FFFF", hex: "f4908080", want: false, failsAt: 1 },
  { name: "f5", hex: "f5808080", want: false, failsAt: 0 },
  { name: "5 bytes", hex: "f888808080", want: false, failsAt: 0 },
  { name: "ff", hex: "4142ff", want: false, failsAt: 2 },
  { name: "ASCII where a continuation belongs", hex: "e28241", want: false, failsAt: 2 },
  { name: "a lead where a continuation belongs", hex: "e282e2", want: false, failsAt: 2 },
  { name: "cut after 1 of 2", hex: "c2", want: false, failsAt: null },
  { name: "cut after 2 of 3", hex: "41e282", want: false, failsAt: null },
  { name: "cut after 3 of 4", hex: "f09f98", want: false, failsAt: null },
  { name: "wrong behind 24 of ASCII", hex: "41".repeat(24) + "80", want: false, failsAt: 24 },
  {
    name: "wrong within ASCII",
    hex: "41".repeat(11) + "ff" + "41".repeat(20),
    want: false,
    failsAt: 11,
  },
];

for (const { name, hex: text, want, failsAt } of TABLE) {
  Deno.test(`utf8: ${name}`, () => {
    const bytes = hex(text);
    assert.equal(isUtf8ByPlatform(bytes), want);
    for (const chunks of waysToCut(bytes)) assert.equal(isUtf8(chunks), want);
    const validator = new Utf8Validator();
    const at = byteByByte(bytes).findIndex((byte) => !validator.push(byte));
    assert.equal(at === -1 ? null : at, failsAt);
    validator.reset();
    assert.ok(validator.push(hex("41")) && validator.end());
  });
}

Deno.test("utf8: RFC 3629 §4 on every lead byte with every second and the edges of the others", () => {
  const bytes = new Uint8Array(4);
  const edges = [0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff];
  for (let word = 0; word < 0x10000; word++) {
    for (const third of edges) {
      for (const fourth of edges) {
        bytes.set([word >> 8, word & 0xff, third, fourth]);
        const validator = new Utf8Validator();
        const good = validator.push(bytes) && validator.end();
        if (good !== ABNF.test(String.fromCharCode(...bytes))) assert.fail(bytes.join(" "));
      }
    }
  }
});

Deno.test("utf8: agrees with the platform on random text with a random fault, cut anywhere", () => {
  const text = fc.string({ unit: "binary", maxLength: 60 });
  fc.assert(
    fc.property(text, fc.nat(), fc.nat(255), fc.nat(1000), (t, at, byte, seed) => {
      const bytes = new TextEncoder().encode(t);
      assert.ok(isUtf8(cutAtRandom(bytes, seed)));
      if (bytes.length > 0) bytes[at % bytes.length] = byte;
      assert.equal(isUtf8(cutAtRandom(bytes, seed)), isUtf8ByPlatform(bytes));
      assert.equal(isUtf8([bytes]), isUtf8ByPlatform(bytes));
    }),
    { numRuns: 2000 },
  );
});
