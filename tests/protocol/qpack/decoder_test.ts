import assert from "node:assert/strict";
import * as fc from "fast-check";
import { QpackCode } from "../../../src/protocol/qpack/codes.ts";
import { decodeFieldSection } from "../../../src/protocol/qpack/decoder.ts";
import { encodeFieldSection } from "../../../src/protocol/qpack/encoder.ts";
import { STATIC_TABLE } from "../../../src/protocol/qpack/static_table.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import { codeOf, hex, latin1Text } from "../hpack/support.ts";

const LIMIT = 1 << 16;

function decode(digits: string, maxBytes = LIMIT): { fields: Field[]; oversize: boolean } {
  return decodeFieldSection(hex(digits), maxBytes);
}

const GOOD: { name: string; hex: string; want: Field[] }[] = [
  {
    name: "RFC 9204 B.1: literal field line with name reference",
    hex: "0000 510b 2f69 6e64 6578 2e68 746d 6c",
    want: [[":path", "/index.html"]],
  },
  { name: "no field at all", hex: "0000", want: [] },
  {
    name: "§4.5.1.2: any Base with a sign bit of 0",
    hex: "007f80808001 d1",
    want: [[":method", "GET"]],
  },
  {
    name: "§4.5.2: indexed field line",
    hex: "0000 c0 d9",
    want: [[":authority", ""], [":status", "200"]],
  },
  { name: "§4.5.2: the last index", hex: "0000 ff23", want: [["x-frame-options", "sameorigin"]] },
  {
    name: "§4.5.4: the N bit changes nothing",
    hex: "0000 75 03 613d62",
    want: [["cookie", "a=b"]],
  },
  { name: "§4.5.4: a name index of 98", hex: "0000 5f53 01 78", want: [["x-frame-options", "x"]] },
  { name: "§4.5.6: literal name", hex: "0000 23 782d61 02 6869", want: [["x-a", "hi"]] },
  {
    name: "§4.5.6: the N bit changes nothing",
    hex: "0000 33 782d61 02 6869",
    want: [["x-a", "hi"]],
  },
  {
    name: "§4.5.6: Huffman name and value",
    hex: "0000 2f01 25a849e95ba97d7f 89 25a849e95bb8e8b4bf",
    want: [["custom-key", "custom-value"]],
  },
  { name: "§4.1.2: empty strings", hex: "0000 20 00 28 80", want: [["", ""], ["", ""]] },
  { name: "bytes of latin1", hex: "0000 21 78 04 8093ffe9", want: [["x", "\x80\x93\xff\xe9"]] },
];

for (const { name, hex: digits, want } of GOOD) {
  Deno.test(`decodeFieldSection: ${name}`, () => {
    assert.deepEqual(decode(digits), { fields: want, oversize: false });
  });
}

const BAD = [
  {
    name: "§4.5.1.1: Required Insert Count MUST be one that an encoder could produce",
    hex: ["0100", "0200d1", "ff0000", "ff8080808080808000"],
  },
  {
    name: "§4.5.1.2: a sign bit of 1 is invalid if Required Insert Count <= Delta Base",
    hex: ["0080", "0081d1", "00ff00"],
  },
  {
    name: "§2.2.3: invalid reference: indexed field line of the dynamic table (§4.5.2)",
    hex: ["000080", "00008a", "0000bf00"],
  },
  { name: "§2.2.3: invalid reference: post-base index (§4.5.3)", hex: ["000010", "00001f00"] },
  {
    name: "§2.2.3: invalid reference: name index of the dynamic table (§4.5.4)",
    hex: ["00004000", "0000600161", "00004f0000"],
  },
  {
    name: "§2.2.3: invalid reference: post-base name index (§4.5.5)",
    hex: ["00000000", "0000080161", "0000070000"],
  },
  {
    name: "§3.1: a static table index above 98 is invalid in an indexed field line",
    hex: ["0000ff24", "0000ff8001", "0000ffc0ffffffffffffff3f"],
  },
  {
    name: "§3.1: a static table index above 98 is invalid in a name reference",
    hex: ["00005f5400", "00007f5400", "00005f800100"],
  },
  {
    name: "§7.4: an integer above 62 bits",
    hex: [
      "0000ffc1ffffffffffffff3f",
      "000027ffffffffffffffffff7f",
      "007fffffffffffffffffff00",
      "0000510affffffffffffffffffffffff",
    ],
  },
  {
    name: "§7.4: an integer in too many bytes",
    hex: ["0000ff80808080808080808000", "00005100 21617f80808080808080808000"],
  },
  { name: "a cut prefix", hex: ["", "00", "007f", "007f80", "ff"] },
  {
    name: "a cut field line",
    hex: [
      "0000ff",
      "0000ff80",
      "00005f",
      "000051",
      "00005103",
      "0000510b2f69",
      "000027",
      "000023782d",
      "000023782d61",
      "000023782d6102",
      "000023782d610268",
      "0000517f80",
    ],
  },
  {
    name: "a string far longer than the block",
    hex: ["0000517f80808080808001", "000027ffffffff0f", "000051fffffffffff80f"],
  },
  {
    name: "RFC 7541 §5.2: Huffman padding of more than 7 bits",
    hex: ["00005181ff", "000029ff00", "00005182f8ff"],
  },
  {
    name: "RFC 7541 §5.2: Huffman padding not of ones",
    hex: ["0000518100", "000051811e", "0000290000"],
  },
  {
    name: "RFC 7541 §5.2: Huffman string with EOS",
    hex: ["00005184ffffffff", "000051851fffffffff", "00002cffffffff00"],
  },
];

for (const { name, hex: blocks } of BAD) {
  Deno.test(`QPACK_DECOMPRESSION_FAILED: ${name}`, () => {
    for (const block of blocks) {
      const code = codeOf(() => decode(block));
      assert.equal(code, QpackCode.QPACK_DECOMPRESSION_FAILED, block);
    }
  });
}

/** RFC 9114 §4.2.2. */
function sizeOf(fields: readonly Field[]): number {
  return fields.reduce((size, [name, value]) => size + name.length + value.length + 32, 0);
}

const name = fc.oneof(
  fc.constantFrom(...STATIC_TABLE.map(([name]) => name)),
  fc.string({ unit: fc.constantFrom(..."abcxyz-019"), minLength: 1, maxLength: 20 }),
);
const field: fc.Arbitrary<Field> = fc.oneof(
  fc.constantFrom(...STATIC_TABLE),
  fc.tuple(name, latin1Text(60)),
);
const fields = fc.array(field, { maxLength: 12 });

Deno.test("decodeFieldSection: decode(encode(x)) = x", () => {
  fc.assert(
    fc.property(fields, (fields) => {
      const got = decodeFieldSection(encodeFieldSection(fields), sizeOf(fields));
      assert.deepEqual(got, { fields, oversize: false });
    }),
    { numRuns: 500 },
  );
});

Deno.test("RFC 9114 §4.2.2: a field counts name, value and 32; above the limit it is oversize", () => {
  fc.assert(
    fc.property(fields, fc.nat(2000), (fields, maxBytes) => {
      let fit = 0;
      while (fit < fields.length && sizeOf(fields.slice(0, fit + 1)) <= maxBytes) fit++;
      const got = decodeFieldSection(encodeFieldSection(fields), maxBytes);
      assert.deepEqual(got, { fields: fields.slice(0, fit), oversize: fit < fields.length });
    }),
    { numRuns: 1000 },
  );
});

const SIZES = [
  { name: "indexed", hex: "0000 d9", size: 42, want: [":status", "200"] },
  { name: "name reference", hex: "0000 51 04 2f616263", size: 41, want: [":path", "/abc"] },
  {
    name: "name reference, Huffman",
    hex: "0000 51 89 25a849e95bb8e8b4bf",
    size: 49,
    want: [":path", "custom-value"],
  },
  { name: "literal name", hex: "0000 23 782d61 02 6869", size: 37, want: ["x-a", "hi"] },
  {
    name: "literal name, Huffman",
    hex: "0000 2f01 25a849e95ba97d7f 00",
    size: 42,
    want: ["custom-key", ""],
  },
  { name: "empty strings", hex: "0000 20 00", size: 32, want: ["", ""] },
  { name: "empty strings, Huffman", hex: "0000 28 80", size: 32, want: ["", ""] },
];

for (const { name, hex: digits, size, want } of SIZES) {
  Deno.test(`RFC 9114 §4.2.2: the limit is kept to the byte: ${name}`, () => {
    assert.deepEqual(decode(digits, size), { fields: [want], oversize: false });
    for (const limit of [size - 1, 33, 32, 31, 1, 0]) {
      if (limit < size) assert.deepEqual(decode(digits, limit), { fields: [], oversize: true });
    }
  });
}

Deno.test("decodeFieldSection: what is behind the limit is not looked at", () => {
  assert.deepEqual(decode("0000 d1 d9 80", 42), { fields: [[":method", "GET"]], oversize: true });
});

Deno.test("decodeFieldSection: a huge string stops at the limit", () => {
  // Half a megabyte of Huffman: 838860 times "0", which is coded in 5 bits, and 4 bits of padding.
  const block = new Uint8Array(7 + 524288);
  block.set(hex("0000 51 ff81ff1f"));
  block[block.length - 1] = 0x0f;
  for (const maxBytes of [64, 65536, 200000, 838896]) {
    assert.deepEqual(decodeFieldSection(block, maxBytes), { fields: [], oversize: true });
  }
  assert.equal(decodeFieldSection(block, 838897).fields[0][1], "0".repeat(838860));
});

Deno.test("decodeFieldSection: any bytes give fields within the limit or QPACK_DECOMPRESSION_FAILED", () => {
  const first = fc.oneof(fc.constant(0), fc.nat(255));
  const byte = fc.oneof(
    fc.nat(255),
    fc.constantFrom(0xd1, 0x51, 0x23, 0x2b, 0x01, 0x82, 0xff, 0x7f, 0x80),
  );
  const block = fc.tuple(first, first, fc.array(byte, { maxLength: 40 }))
    .map(([a, b, rest]) => Uint8Array.from([a, b, ...rest]));
  fc.assert(
    fc.property(block, fc.nat(300), (block, maxBytes) => {
      const code = codeOf(() => {
        const { fields } = decodeFieldSection(block, maxBytes);
        assert.ok(sizeOf(fields) <= maxBytes);
      });
      assert.ok(code === null || code === QpackCode.QPACK_DECOMPRESSION_FAILED);
    }),
    { numRuns: 3000 },
  );
});
