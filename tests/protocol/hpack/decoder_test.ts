import assert from "node:assert/strict";
import { HpackDecoder } from "../../../src/protocol/hpack/decoder.ts";
import { COMPRESSION_ERROR } from "../../../src/protocol/hpack/integer.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import { codeOf, hex } from "./support.ts";

interface Case {
  name: string;
  /** The blocks of one connection. */
  blocks: string[];
  /** The fields of the last one, or its error. */
  want: Field[] | typeof COMPRESSION_ERROR;
  maxTableBytes?: number;
}

/** `a: b` into the table, and as a literal that goes nowhere. */
const A_B = "40 01 61 01 62";
const A_B_WITHOUT = "00 01 61 01 62";

const cases: Case[] = [
  { name: "an empty block", blocks: [""], want: [] },
  { name: "the first row of the static table", blocks: ["81"], want: [[":authority", ""]] },
  { name: "the last row of the static table", blocks: ["bd"], want: [["www-authenticate", ""]] },
  {
    name: "RFC 7541 §2.3.3: the dynamic table begins right behind the static one",
    blocks: [A_B, "40 01 63 01 64", "be bf"],
    want: [["c", "d"], ["a", "b"]],
  },
  {
    name: "a literal without indexing goes nowhere",
    blocks: [A_B_WITHOUT, "be"],
    want: COMPRESSION_ERROR,
  },
  {
    name: "a literal never indexed goes nowhere",
    blocks: ["10 01 61 01 62", "be"],
    want: COMPRESSION_ERROR,
  },
  {
    name: "names by index, of both tables, in all three literals",
    blocks: [A_B, "7e 01 31 0f 2f 01 32 1f 2f 01 33 50 01 34"],
    want: [["a", "1"], ["a", "2"], ["a", "3"], ["accept-encoding", "4"]],
  },
  {
    name: "the same field twice is two entries",
    blocks: [A_B + A_B, "be bf"],
    want: [["a", "b"], ["a", "b"]],
  },
  {
    name: "RFC 7541 §4.4: an entry may take its name from one that it evicts",
    blocks: ["3f 03" + A_B, "7e 01 63", "be"],
    want: [["a", "c"]],
    maxTableBytes: 34,
  },
  {
    name: "RFC 7541 §4.4: what doesn't fit evicts the oldest",
    blocks: [A_B + "40 01 63 01 64", "40 01 65 01 66 be bf"],
    want: [["e", "f"], ["e", "f"], ["c", "d"]],
    maxTableBytes: 68,
  },
  {
    name: "RFC 7541 §4.4: an entry larger than the table empties it, and is no error",
    blocks: [A_B, "40 01 61 02 62 62"],
    want: [["a", "bb"]],
    maxTableBytes: 34,
  },
  {
    name: "RFC 7541 §4.4: an entry larger than the table empties it",
    blocks: [A_B, "40 01 61 02 62 62", "be"],
    want: COMPRESSION_ERROR,
    maxTableBytes: 34,
  },
  { name: "a table of 0 bytes holds nothing", blocks: [A_B], want: [["a", "b"]], maxTableBytes: 0 },
  { name: "RFC 7541 §6.1: the index value of 0 MUST be a decoding error", blocks: ["80"], want: 9 },
  ...["be", "ff 00", "ff ff ff ff 0f", "7e 01 61", "0f 2f 01 61", "1f 2f 01 61"].map((
    block,
  ): Case => ({
    name: `RFC 7541 §2.3.3: an index beyond both tables MUST be a decoding error: ${block}`,
    blocks: [block],
    want: COMPRESSION_ERROR,
  })),
  {
    name: "RFC 7541 §2.3.3: an index beyond a table that is not empty MUST be a decoding error",
    blocks: [A_B, "bf"],
    want: COMPRESSION_ERROR,
  },
  ...["ff", "7f", "40", "40 01", "40 01 61", "40 01 61 01", "00 02 61", "3f", "41", "0f"].map((
    block,
  ): Case => ({
    name: `a block that is cut MUST be a decoding error: ${block}`,
    blocks: [block],
    want: COMPRESSION_ERROR,
  })),
  ...["ff 80 80 80 80 80 80 80 80 80 01", "ff ff ff ff ff ff ff ff ff 7f"].map((block): Case => ({
    name: `RFC 7541 §5.1: integers beyond our limits MUST be decoding errors: ${block}`,
    blocks: [block],
    want: COMPRESSION_ERROR,
  })),
  {
    name: "RFC 7541 §5.2: a padding of more than 7 bits MUST be a decoding error",
    blocks: ["00 82 1f ff 01 62"],
    want: COMPRESSION_ERROR,
  },
  {
    name: "RFC 7541 §5.2: a padding not of ones MUST be a decoding error",
    blocks: ["00 01 61 81 18"],
    want: COMPRESSION_ERROR,
  },
  {
    name: "RFC 7541 §5.2: a Huffman string with EOS MUST be a decoding error",
    blocks: ["00 01 61 84 ff ff ff ff"],
    want: COMPRESSION_ERROR,
  },
  {
    name: "RFC 7541 §6.3: size updates at the beginning of a block",
    blocks: ["3f 61 3f e1 1f" + A_B + "be"],
    want: [["a", "b"], ["a", "b"]],
  },
  { name: "RFC 7541 §6.3: a block of a size update alone", blocks: ["20"], want: [] },
  {
    name: "RFC 7541 §4.3: entries are evicted when the maximum size is reduced",
    blocks: [A_B, "20 3f e1 1f be"],
    want: COMPRESSION_ERROR,
  },
  {
    name: "RFC 7541 §4.3: only those that do not fit",
    blocks: [A_B + "40 01 63 01 64", "3f 03 be"],
    want: [["c", "d"]],
  },
  {
    name: "RFC 7541 §4.2: a size update MUST occur at the beginning of a block",
    blocks: ["82 20"],
    want: COMPRESSION_ERROR,
  },
  {
    name: "RFC 7541 §4.2: at most two size updates are signaled",
    blocks: ["20 21 22"],
    want: COMPRESSION_ERROR,
  },
  {
    name: "RFC 7541 §6.3: a size above the limit MUST be a decoding error",
    blocks: ["3f e2 1f"],
    want: COMPRESSION_ERROR,
  },
];

for (const test of cases) {
  Deno.test(`HPACK decoder: ${test.name}`, () => {
    const { blocks, want, maxTableBytes } = test;
    const decoder = new HpackDecoder({ maxTableBytes });
    for (const block of blocks.slice(0, -1)) decoder.decode(hex(block), Infinity);
    const last = hex(blocks[blocks.length - 1]);
    if (want === COMPRESSION_ERROR) {
      assert.equal(codeOf(() => decoder.decode(last, Infinity)), COMPRESSION_ERROR);
    } else {
      assert.deepEqual(decoder.decode(last, Infinity), { fields: want, oversize: false });
    }
  });
}

Deno.test("HPACK decoder: RFC 9113 §6.5.2: a field counts its name, its value and 32", () => {
  const block = hex(`82 ${A_B_WITHOUT} 84`);
  const sizes = [7 + 3 + 32, 1 + 1 + 32, 5 + 1 + 32];
  const all = sizes.reduce((sum, size) => sum + size);
  const decoder = new HpackDecoder();
  assert.deepEqual(decoder.decode(block, all), {
    fields: [[":method", "GET"], ["a", "b"], [":path", "/"]],
    oversize: false,
  });
  for (const [maxBytes, count] of [[all - 1, 2], [all - 39, 1], [41, 0], [0, 0]]) {
    const { fields, oversize } = decoder.decode(block, maxBytes);
    assert.deepEqual([fields.length, oversize], [count, true]);
  }
});

Deno.test("HPACK decoder: behind what was too long nothing is kept", () => {
  const decoder = new HpackDecoder();
  const { fields, oversize } = decoder.decode(hex("82 00 02 61 61 02 62 62 84"), 42 + 35);
  assert.deepEqual({ fields, oversize }, { fields: [[":method", "GET"]], oversize: true });
});

Deno.test("HPACK decoder: an oversize block keeps the table in step", () => {
  const decoder = new HpackDecoder();
  assert.equal(decoder.decode(hex(A_B + "40 01 63 01 64" + A_B_WITHOUT), 0).oversize, true);
  assert.deepEqual(decoder.tableFields, [["c", "d"], ["a", "b"]]);
  assert.deepEqual(decoder.decode(hex("bf"), Infinity).fields, [["a", "b"]]);
});

Deno.test("HPACK decoder: a string that neither fits the limit nor the table is not made", () => {
  const decoder = new HpackDecoder({ maxTableBytes: 100 });
  decoder.decode(hex(A_B), Infinity);
  const long = "7f 80 01" + "61".repeat(255);
  for (const block of [`40 ${long} 01 62`, `40 01 62 ${long}`, `40 ${long} ${long}`]) {
    decoder.decode(hex(A_B), Infinity);
    assert.equal(decoder.decode(hex(block), 60).oversize, true);
    assert.deepEqual(decoder.tableFields, [], "the table is emptied as by any such entry");
  }
});

Deno.test("HPACK decoder: more fields than maxFields are oversize", () => {
  const decoder = new HpackDecoder({ maxFields: 3 });
  assert.equal(decoder.decode(hex("82 84 86"), Infinity).oversize, false);
  const { fields, oversize } = decoder.decode(hex(`82 84 86 ${A_B}`), Infinity);
  assert.deepEqual([fields.length, oversize], [3, true]);
  assert.deepEqual(decoder.tableFields, [["a", "b"]]);
});

Deno.test("HPACK decoder: a block of references to a large entry costs no memory", () => {
  const decoder = new HpackDecoder();
  const value = "7f d1 1e" + "61".repeat(0x7f + 0x51 + 0x1e * 128);
  decoder.decode(hex(`40 01 61 ${value}`), Infinity);
  const { fields, oversize } = decoder.decode(new Uint8Array(1 << 20).fill(0xbe), 65536);
  assert.equal(oversize, true);
  assert.ok(fields.length <= 65536 / decoder.tableBytes);
});

Deno.test("HPACK decoder: RFC 9113 §4.3.1: a size update is due when the table was cut", () => {
  const due = new HpackDecoder();
  due.decode(hex(A_B), Infinity);
  due.setMaxTableBytes(33);
  assert.equal(codeOf(() => due.decode(hex("82"), Infinity)), COMPRESSION_ERROR);

  const told = new HpackDecoder();
  told.decode(hex(A_B), Infinity);
  told.setMaxTableBytes(33);
  assert.equal(told.decode(hex("3f 02 82"), Infinity).fields.length, 1);
  assert.equal(told.tableBytes, 0);
  assert.equal(told.decode(hex("82"), Infinity).fields.length, 1);

  const fits = new HpackDecoder();
  fits.decode(hex(A_B), Infinity);
  fits.setMaxTableBytes(34);
  assert.deepEqual(fits.decode(hex("be"), Infinity).fields, [["a", "b"]]);
  fits.decode(hex("40 01 63 01 64"), Infinity);
  assert.equal(fits.tableBytes, 34, "the new maximum holds");
});

Deno.test("HPACK decoder: a larger table may be used when it was acknowledged", () => {
  const decoder = new HpackDecoder();
  decoder.setMaxTableBytes(8192);
  decoder.decode(hex("3f e1 3f"), Infinity);
  assert.equal(codeOf(() => decoder.decode(hex("3f e2 3f"), Infinity)), COMPRESSION_ERROR);
});
