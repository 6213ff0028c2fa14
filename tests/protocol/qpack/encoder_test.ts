import assert from "node:assert/strict";
import { encodeFieldSection } from "../../../src/protocol/qpack/encoder.ts";
import { STATIC_TABLE } from "../../../src/protocol/qpack/static_table.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import { hex, toHex } from "../hpack/support.ts";

const TABLE: { name: string; fields: Field[]; want: string }[] = [
  { name: "no fields: the prefix alone", fields: [], want: "0000" },
  { name: "§4.5.2: static table, name and value", fields: [[":status", "200"]], want: "0000 d9" },
  { name: "§4.5.2: an index above 62", fields: [[":status", "500"]], want: "0000 ff08" },
  {
    name: "§4.5.4: name reference",
    fields: [["cookie", "{}{}{}{}{}{}{}{}{}{}"]],
    want: `0000 55 14 ${"7b7d".repeat(10)}`,
  },
  {
    name: "§4.5.4: a name index above 14",
    fields: [[":status", "418"]],
    want: "0000 5f09 03 343138",
  },
  {
    name: "§4.5.4: Huffman value",
    fields: [[":path", "/index.html"]],
    want: "0000 51 88 60d5485f2bce9a68",
  },
  { name: "§4.5.6: literal name", fields: [["x-a", "\xe9"]], want: "0000 23 782d61 01 e9" },
  {
    name: "§4.5.6: Huffman name",
    fields: [["custom-key", "custom-value"]],
    want: "0000 2f01 25a849e95ba97d7f 89 25a849e95bb8e8b4bf",
  },
  {
    name: "§7.1.3: authorization is never indexed",
    fields: [["authorization", "{}"]],
    want: "0000 7f45 02 7b7d",
  },
  {
    name: "§7.1.3: set-cookie is never indexed",
    fields: [["set-cookie", "{}"]],
    want: "0000 7e 02 7b7d",
  },
  {
    name: "§7.1.3: a cookie of 19 bytes is never indexed",
    fields: [["cookie", "{".repeat(19)]],
    want: `0000 75 13 ${"7b".repeat(19)}`,
  },
  {
    name: "§7.1.3: a cookie of 20 bytes may be",
    fields: [["cookie", "{".repeat(20)]],
    want: `0000 55 14 ${"7b".repeat(20)}`,
  },
];

for (const { name, fields, want } of TABLE) {
  Deno.test(`encodeFieldSection: ${name}`, () => {
    assert.equal(toHex(encodeFieldSection(fields)), toHex(hex(want)));
  });
}

Deno.test("encodeFieldSection: each row of the static table is one indexed field line", () => {
  STATIC_TABLE.forEach((field, index) => {
    const want = index < 63 ? [0, 0, 0xc0 | index] : [0, 0, 0xff, index - 63];
    assert.deepEqual([...encodeFieldSection([field])], want);
  });
});

Deno.test("encodeFieldSection: §7.1.3: proxy-authorization is never indexed", () => {
  // 001, N, H and the beginning of the length.
  assert.equal(encodeFieldSection([["proxy-authorization", "x"]])[2], 0b001_1_1_111);
  assert.equal(encodeFieldSection([["proxy-authenticate", "x"]])[2], 0b001_0_1_111);
});

Deno.test("encodeFieldSection: only latin1 can be encoded", () => {
  assert.throws(() => encodeFieldSection([["x", "\u20ac"]]), RangeError);
  assert.throws(() => encodeFieldSection([["\u0100", ""]]), RangeError);
});
