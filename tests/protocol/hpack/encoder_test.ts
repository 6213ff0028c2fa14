import assert from "node:assert/strict";
import * as fc from "fast-check";
import { HpackDecoder } from "../../../src/protocol/hpack/decoder.ts";
import { HpackEncoder, maxBlockBytes } from "../../../src/protocol/hpack/encoder.ts";
import { STATIC_TABLE } from "../../../src/protocol/hpack/static_table.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import { latin1Text, toHex } from "./support.ts";

/** RFC 7541 §6: the representation that begins with this byte. */
function representation(first: number): string {
  if (first >= 0x80) return "indexed";
  if (first >= 0x40) return "incremental";
  if (first >= 0x20) return "size update";
  return first >= 0x10 ? "never" : "without";
}

function firstOf(field: Field): string {
  return representation(new HpackEncoder().encode([field])[0]);
}

Deno.test("HPACK static table: RFC 7541 Appendix A has 61 rows", () => {
  assert.equal(STATIC_TABLE.length, 61);
  assert.deepEqual(STATIC_TABLE[0], [":authority", ""]);
  assert.deepEqual(STATIC_TABLE[60], ["www-authenticate", ""]);
  const decoder = new HpackDecoder();
  const all = Uint8Array.from(STATIC_TABLE, (_, i) => 0x80 | (i + 1));
  assert.deepEqual(decoder.decode(all, Infinity).fields, STATIC_TABLE);
});

const kinds: [name: string, field: Field, want: string][] = [
  ["a row of the static table", [":method", "GET"], "indexed"],
  ["a name of the static table", ["server", "x"], "incremental"],
  ["a name of its own", ["x-a", "1"], "incremental"],
  ["RFC 7541 §7.1.3: authorization is never indexed", ["authorization", "Basic YTpi"], "never"],
  ["RFC 7541 §7.1.3: proxy-authorization is never indexed", ["proxy-authorization", "a"], "never"],
  ["RFC 7541 §7.1.3: set-cookie is never indexed", ["set-cookie", "a=1"], "never"],
  ["RFC 7541 §7.1.3: a short cookie is never indexed", ["cookie", "a=1"], "never"],
  ["RFC 7541 §7.1.3: a long cookie may be", ["cookie", "a=0123456789abcdefghij"], "incremental"],
  ["a path differs each time", [":path", "/a"], "without"],
  ["a length differs each time", ["content-length", "5"], "without"],
  ["a date differs each time", ["date", "Mon, 21 Oct 2013 20:13:21 GMT"], "without"],
  ["a WebSocket key differs each time", ["sec-websocket-key", "dGhl"], "without"],
  ["what takes more than half of the table", ["x-a", "1".repeat(2048 - 34)], "without"],
  ["what takes half of the table", ["x-a", "1".repeat(2048 - 35)], "incremental"],
];

for (const [name, field, want] of kinds) {
  Deno.test(`HPACK encoder: ${name}`, () => {
    assert.equal(firstOf(field), want);
    assert.deepEqual(new HpackDecoder().decode(new HpackEncoder().encode([field]), Infinity), {
      fields: [field],
      oversize: false,
    });
  });
}

Deno.test("HPACK encoder: what came before is one byte", () => {
  const encoder = new HpackEncoder();
  const fields: Field[] = [["server", "x"], ["x-a", "1"], ["x-a", "2"]];
  encoder.encode(fields);
  assert.equal(toHex(encoder.encode(fields)), "c0bfbe");
  assert.equal(toHex(encoder.encode([["x-a", "3"]])), "7e0133", "the newest name");
});

Deno.test("HPACK encoder: RFC 7541 §4.2: a change of the size is told in the next block", () => {
  const row: Field[] = [[":method", "GET"]];
  const smaller = new HpackEncoder();
  smaller.setMaxTableBytes(100);
  assert.equal(toHex(smaller.encode(row)), "3f4582");
  assert.equal(toHex(smaller.encode(row)), "82", "once");

  const wanted = new HpackEncoder({ maxTableBytes: 8192 });
  wanted.setMaxTableBytes(1 << 20);
  assert.equal(toHex(wanted.encode(row)), "3fe13f82", "no more than we want");

  const unwanted = new HpackEncoder();
  unwanted.setMaxTableBytes(1 << 20);
  assert.equal(toHex(unwanted.encode(row)), "82", "no more than we have");

  const none = new HpackEncoder({ maxTableBytes: 0 });
  assert.equal(
    toHex(none.encode([["x-a", "1"]])),
    "200003782d610131",
  );
  none.setMaxTableBytes(4096);
  assert.equal(toHex(none.encode(row)), "82");
});

Deno.test("HPACK encoder: RFC 7541 §4.2: the smallest size between two blocks is signaled", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const fields: Field[] = [["x-a", "1"]];
  decoder.decode(encoder.encode(fields), Infinity);
  encoder.setMaxTableBytes(0);
  encoder.setMaxTableBytes(64);
  encoder.setMaxTableBytes(4096);
  const block = encoder.encode(fields);
  assert.equal(toHex(block.subarray(0, 4)), "203fe11f");
  assert.deepEqual(decoder.decode(block, Infinity).fields, fields);
  assert.deepEqual(decoder.tableFields, fields);
  assert.equal(toHex(encoder.encode(fields)), "be", "once");
});

Deno.test("HPACK encoder: the room that is asked for is enough", () => {
  const fields: Field[] = [["\xff".repeat(300), "\0".repeat(300)], ["", ""], ["x", "y"]];
  const encoder = new HpackEncoder();
  encoder.setMaxTableBytes(0);
  encoder.setMaxTableBytes(4095);
  assert.ok(encoder.encode(fields).length <= maxBlockBytes(fields));
});

/** Fields of which many come again, with sizes that evict. */
const field: fc.Arbitrary<Field> = fc.oneof(
  fc.constantFrom(...STATIC_TABLE),
  fc.tuple(
    fc.constantFrom("x-a", "x-b", "server", "cookie", "authorization", "date", ":path"),
    fc.constantFrom("", "1", "2", "a".repeat(25), "b".repeat(60), "c".repeat(200)),
  ),
  fc.tuple(latin1Text(8), latin1Text(30)),
);

Deno.test("HPACK: decode(encode(x)) = x, and both tables are the same, whatever the sizes", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.array(field, { maxLength: 8 }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 33, 64, 200, 4096, 5000, 70000) },
  );
  const run = fc.tuple(fc.constantFrom(0, 100, 4096, 8192), fc.array(step, { maxLength: 20 }));
  fc.assert(fc.property(run, ([maxTableBytes, steps]) => {
    const encoder = new HpackEncoder({ maxTableBytes });
    const decoder = new HpackDecoder();
    for (const step of steps) {
      if (typeof step === "number") {
        encoder.setMaxTableBytes(step);
        decoder.setMaxTableBytes(step);
        continue;
      }
      const block = encoder.encode(step);
      assert.ok(block.length <= maxBlockBytes(step));
      assert.deepEqual(decoder.decode(block, Infinity), { fields: step, oversize: false });
      assert.equal(decoder.tableBytes, encoder.tableBytes);
    }
  }));
});
