import assert from "node:assert/strict";
import {
  CloseCode,
  encodeClosePayload,
  isCloseCodeOnWire,
  parseClosePayload,
} from "../../../src/protocol/websocket/close.ts";
import { code, hex, toHex } from "./support.ts";

// `want` is what is read, or the close code that is thrown.
const TABLE = [
  { name: "no payload is 1005", hex: "", want: { code: 1005, reason: "" } },
  { name: "a code alone", hex: "03e8", want: { code: 1000, reason: "" } },
  { name: "a code and a reason", hex: "03e9 627965", want: { code: 1001, reason: "bye" } },
  { name: "a private code", hex: "1387", want: { code: 4999, reason: "" } },
  { name: "a reason in UTF-8", hex: "03e8 e282ac", want: { code: 1000, reason: "€" } },
  { name: "a BOM in a reason stays", hex: "03e8 efbbbf", want: { code: 1000, reason: "\ufeff" } },
  {
    name: "123 bytes",
    hex: "03e8" + "61".repeat(123),
    want: { code: 1000, reason: "a".repeat(123) },
  },
  { name: "§5.5.1: the first two bytes MUST be the code: 1 byte", hex: "03", want: 1002 },
  { name: "§7.4.1: 1005 MUST NOT be set", hex: "03ed", want: 1002 },
  { name: "§7.4.1: 1006 MUST NOT be set", hex: "03ee", want: 1002 },
  { name: "§7.4.1: 1015 MUST NOT be set", hex: "03f7", want: 1002 },
  { name: "§7.4.1: 1004 is reserved", hex: "03ec", want: 1002 },
  { name: "§7.4.2: 0-999 are not used: 0", hex: "0000", want: 1002 },
  { name: "§7.4.2: 0-999 are not used: 999", hex: "03e7", want: 1002 },
  { name: "§7.4.2: 2999 is reserved", hex: "0bb7", want: 1002 },
  { name: "§7.4.2: 5000 is not a code", hex: "1388", want: 1002 },
  { name: "§7.4.2: 65535 is not a code", hex: "ffff", want: 1002 },
  { name: "§8.1: a reason that is not UTF-8", hex: "03e8 61ff", want: 1007 },
  { name: "§8.1: a reason with a surrogate", hex: "03e8 eda080", want: 1007 },
  { name: "§8.1: a reason cut in a code point", hex: "03e8 e282", want: 1007 },
  { name: "a bad code goes before a bad reason", hex: "03ed ff", want: 1002 },
];

for (const { name, hex: text, want } of TABLE) {
  Deno.test(`close: ${name}`, () => {
    const payload = hex(text);
    if (typeof want === "number") {
      assert.equal(code(() => parseClosePayload(payload)), want);
    } else {
      assert.deepEqual(parseClosePayload(payload), want);
      assert.deepEqual(encodeClosePayload(want.code, want.reason), payload);
    }
  });
}

Deno.test("close: which of all 65536 codes may stand on the wire", () => {
  const ranges = [[1000, 1003], [1007, 1014], [3000, 4999]];
  for (let value = 0; value < 0x10000; value++) {
    const want = ranges.some(([from, to]) => from <= value && value <= to);
    assert.equal(isCloseCodeOnWire(value), want, String(value));
  }
  assert.equal(isCloseCodeOnWire(1000.5), false);
  assert.equal(isCloseCodeOnWire(NaN), false);
});

const CUTS = [
  { name: "ASCII", reason: "a".repeat(200), want: "61".repeat(123) },
  { name: "2 bytes", reason: "é".repeat(100), want: "c3a9".repeat(61) },
  { name: "3 bytes", reason: "€".repeat(100), want: "e282ac".repeat(41) },
  { name: "4 bytes", reason: "😀".repeat(100), want: "f09f9880".repeat(30) },
  { name: "4 bytes that miss by one", reason: "a".repeat(120) + "😀", want: "61".repeat(120) },
  {
    name: "4 bytes that just fit",
    reason: "a".repeat(119) + "😀",
    want: "61".repeat(119) + "f09f9880",
  },
  { name: "a lone surrogate becomes U+FFFD", reason: "\ud800", want: "efbfbd" },
];

for (const { name, reason, want } of CUTS) {
  Deno.test(`close: a reason is cut at a code point's boundary to 123 bytes: ${name}`, () => {
    assert.equal(toHex(encodeClosePayload(CloseCode.GOING_AWAY, reason)), "03e9" + want);
  });
}

Deno.test("close: 1005 is an empty payload, a code that MUST NOT be sent is our bug", () => {
  assert.equal(encodeClosePayload(1005, "never sent").length, 0);
  for (const bad of [1004, 1006, 1015, 999, 2999, 5000, 0]) {
    assert.throws(() => encodeClosePayload(bad), RangeError);
  }
});
