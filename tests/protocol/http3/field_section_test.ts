import assert from "node:assert/strict";
import fc from "fast-check";
import { fieldSectionSize } from "../../../src/protocol/http3/field_section.ts";
import { decodeFieldSection } from "../../../src/protocol/qpack/decoder.ts";
import { encodeFieldSection } from "../../../src/protocol/qpack/encoder.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";

const cases: { name: string; section: Field[]; want: number }[] = [
  { name: "none", section: [], want: 0 },
  { name: "a pseudo-header field counts", section: [[":status", "200"]], want: 7 + 3 + 32 },
  { name: "an empty value", section: [["a", ""]], want: 1 + 32 },
  {
    name: "each field of the same name counts",
    section: [[":status", "401"], ["set-cookie", "a=b"], ["set-cookie", "c=d"]],
    want: 42 + 2 * (10 + 3 + 32),
  },
  { name: "a character of a value is one byte", section: [["a", "\xe9\xff"]], want: 3 + 32 },
];

for (const { name, section, want } of cases) {
  Deno.test(`field section: RFC 9114 §4.2.2: its size: ${name}`, () => {
    assert.equal(fieldSectionSize(section), want);
  });
}

Deno.test("field section: RFC 9114 §4.2.2: its size is the least limit that a decoder takes it with", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "0", "~"), maxLength: 40 });
  const field = fc.oneof(
    fc.tuple(text.map((rest) => `x${rest}`), text),
    fc.constantFrom<Field>([":status", "200"], ["content-length", "0"], ["vary", "origin"]),
  );
  fc.assert(fc.property(fc.array(field, { minLength: 1, maxLength: 8 }), (section) => {
    const size = fieldSectionSize(section);
    const block = encodeFieldSection(section);
    assert.deepEqual(decodeFieldSection(block, size), { fields: section, oversize: false });
    assert.equal(decodeFieldSection(block, size - 1).oversize, true);
  }));
});
