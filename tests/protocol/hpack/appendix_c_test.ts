// RFC 7541 Appendix C, both ways.
import assert from "node:assert/strict";
import { HpackDecoder } from "../../../src/protocol/hpack/decoder.ts";
import { HpackEncoder } from "../../../src/protocol/hpack/encoder.ts";
import { Indexing } from "../../../src/protocol/hpack/indexing.ts";
import { EXCHANGES, REPRESENTATIONS } from "./appendix_c.ts";
import { hex, toHex } from "./support.ts";

/** C.6.2 has Huffman for "307", where it is no shorter than plain, which we take then. */
function ours(digits: string): string {
  return digits.replace("4883640eff", "4803333037");
}

for (const example of REPRESENTATIONS) {
  Deno.test(`HPACK: RFC 7541 ${example.section} decoded`, () => {
    const decoder = new HpackDecoder();
    const { fields, oversize } = decoder.decode(hex(example.hex), Infinity);
    assert.deepEqual({ fields, oversize }, { fields: example.fields, oversize: false });
    assert.deepEqual(decoder.tableFields, example.table);
  });
}

for (const { section, maxTableBytes, huffman, examples } of EXCHANGES) {
  Deno.test(`HPACK: RFC 7541 ${section} decoded`, () => {
    const decoder = new HpackDecoder({ maxTableBytes });
    for (const example of examples) {
      const { fields, oversize } = decoder.decode(hex(example.hex), Infinity);
      assert.deepEqual(fields, example.fields, example.section);
      assert.equal(oversize, false);
      assert.deepEqual(decoder.tableFields, example.table, example.section);
      assert.equal(decoder.tableBytes, example.tableBytes);
    }
  });

  // The examples put everything into the table. C.3 and C.5 use no Huffman, which is longer.
  Deno.test(`HPACK: RFC 7541 ${section} encoded`, () => {
    const encoder = new HpackEncoder({ maxTableBytes, indexing: () => Indexing.INCREMENTAL });
    const decoder = new HpackDecoder();
    let sizeUpdate = maxTableBytes === 256 ? "3fe101" : "";
    for (const example of examples) {
      const block = encoder.encode(example.fields);
      if (huffman) assert.equal(toHex(block), sizeUpdate + ours(example.hex), example.section);
      else assert.ok(2 * block.length <= sizeUpdate.length + example.hex.length);
      sizeUpdate = "";
      assert.deepEqual(decoder.decode(block, Infinity).fields, example.fields);
      assert.deepEqual(decoder.tableFields, example.table, example.section);
      assert.equal(encoder.tableBytes, example.tableBytes);
    }
  });
}
