// Against encoders that are not ours: see "about" in the vectors.
import assert from "node:assert/strict";
import vectors from "../../vectors/qpack.json" with { type: "json" };
import { QpackCode } from "../../../src/protocol/qpack/codes.ts";
import { decodeFieldSection } from "../../../src/protocol/qpack/decoder.ts";
import { DecoderStreamParser } from "../../../src/protocol/qpack/decoder_stream.ts";
import { encodeFieldSection } from "../../../src/protocol/qpack/encoder.ts";
import { EncoderStreamParser } from "../../../src/protocol/qpack/encoder_stream.ts";
import { STATIC_TABLE } from "../../../src/protocol/qpack/static_table.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import type { Parser } from "../../../src/protocol/wire/parser.ts";
import { codeOf, hex, toHex } from "../hpack/support.ts";

const LIMIT = 1 << 20;
/** Those that we may send with the N bit, which ls-qpack was not asked for. */
const SECRET = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

for (const { name, fields, blocks } of vectors.sections) {
  for (const [encoder, block] of Object.entries(blocks)) {
    Deno.test(`vectors: ${encoder}: ${name}`, () => {
      assert.deepEqual(decodeFieldSection(hex(block), LIMIT), { fields, oversize: false });
    });
  }

  Deno.test(`vectors: encoded as ls-qpack does it: ${name}`, () => {
    const block = toHex(encodeFieldSection(fields as unknown as Field[]));
    const want = blocks["ls-qpack"];
    assert.equal(block.length, want.length);
    if (!fields.some(([name]) => SECRET.includes(name))) assert.equal(block, want);
  });

  Deno.test(`vectors: cut at any place, QPACK_DECOMPRESSION_FAILED or fewer fields: ${name}`, () => {
    const block = hex(blocks["ls-qpack"]);
    for (let length = 0; length < Math.min(block.length, 600); length++) {
      let got: readonly Field[] = [];
      const run = () => got = decodeFieldSection(block.subarray(0, length), LIMIT).fields;
      const code = codeOf(run);
      assert.ok(code === null || code === QpackCode.QPACK_DECOMPRESSION_FAILED);
      assert.deepEqual(got, fields.slice(0, got.length));
      assert.ok(got.length < fields.length);
    }
  });
}

Deno.test("vectors: the static table is the one that other encoders use", () => {
  const rows = vectors.sections.find(({ name }) => name === "each row of the static table");
  assert.equal(STATIC_TABLE.length, 99);
  assert.deepEqual(rows?.fields, STATIC_TABLE);
});

function feed(parser: Parser<never>, digits: string): number | null {
  return codeOf(() => {
    parser.push(hex(digits));
    parser.next();
    parser.end();
  });
}

for (
  const { name, setCapacity, inserts, blocks, acknowledgments, cancellation } of vectors.dynamic
) {
  Deno.test(`vectors: a dynamic table is refused everywhere: ${name}`, () => {
    for (const instructions of [setCapacity, inserts, setCapacity + inserts]) {
      const code = feed(new EncoderStreamParser(), instructions);
      assert.equal(code, QpackCode.QPACK_ENCODER_STREAM_ERROR);
    }
    for (const block of blocks) {
      const code = codeOf(() => decodeFieldSection(hex(block), LIMIT));
      assert.equal(code, QpackCode.QPACK_DECOMPRESSION_FAILED);
      // The same with a Required Insert Count and a Base of 0: now the references are invalid.
      const lines = "0000" + block.slice(4);
      const other = codeOf(() => decodeFieldSection(hex(lines), LIMIT));
      assert.equal(other, QpackCode.QPACK_DECOMPRESSION_FAILED);
    }
    for (const acknowledgment of acknowledgments) {
      const code = feed(new DecoderStreamParser(), acknowledgment);
      assert.equal(code, QpackCode.QPACK_DECODER_STREAM_ERROR);
    }
    assert.equal(feed(new DecoderStreamParser(), cancellation), null);
  });
}
