import assert from "node:assert/strict";
import fc from "fast-check";
import {
  allowedRsvOf,
  encodeExtensions,
  parseExtensions,
} from "../../../src/protocol/websocket/extensions.ts";
import { code } from "./support.ts";

const EXTENSIONS: { name: string; value: string; want: unknown[] | null; rsv: number | null }[] = [
  { name: "nothing", value: "", want: [], rsv: 0 },
  { name: "§9.1 foo", value: "foo", want: [{ name: "foo", params: [] }], rsv: 7 },
  {
    name: "§9.1 bar; baz=2",
    value: "bar; baz=2",
    want: [{ name: "bar", params: [["baz", "2"]] }],
    rsv: 7,
  },
  {
    name: "RFC 7692 §7.1: permessage-deflate with parameters",
    value: "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
    want: [{
      name: "permessage-deflate",
      params: [["client_max_window_bits", null], ["server_max_window_bits", "10"]],
    }],
    rsv: 4,
  },
  {
    name: "RFC 7692 §7.1: a quoted value",
    value: 'permessage-deflate; server_max_window_bits="1\\0"',
    want: [{ name: "permessage-deflate", params: [["server_max_window_bits", "10"]] }],
    rsv: 4,
  },
  {
    name: "two, with blanks and empty elements",
    value: " ,permessage-deflate\t;a = b ,, mux ",
    want: [{ name: "permessage-deflate", params: [["a", "b"]] }, { name: "mux", params: [] }],
    rsv: 7,
  },
  { name: "an empty parameter", value: "a;", want: null, rsv: null },
  { name: "an empty parameter in the middle", value: "a;;b", want: null, rsv: null },
  { name: "an empty value", value: "a;b=", want: null, rsv: null },
  { name: "a parameter without an extension", value: ";b", want: null, rsv: null },
  { name: "two words", value: "a b", want: null, rsv: null },
  { name: "a quote that is not closed", value: 'a;b="c', want: null, rsv: null },
  { name: "a backslash at the end", value: 'a;b="c\\', want: null, rsv: null },
  { name: "an empty quoted value", value: 'a;b=""', want: null, rsv: null },
  { name: "§9.1: a quoted value MUST be a token", value: 'a;b="c d"', want: null, rsv: null },
  { name: "something behind a quoted value", value: 'a;b="c"d', want: null, rsv: null },
  { name: "not latin1 at all", value: "a€", want: null, rsv: null },
];

for (const { name, value, want, rsv } of EXTENSIONS) {
  Deno.test(`extensions: ${name}`, () => {
    if (want === null) {
      assert.equal(code(() => parseExtensions(value)), 400);
      assert.equal(code(() => allowedRsvOf(value)), 400);
    } else {
      assert.deepEqual(parseExtensions(value), want);
      assert.equal(allowedRsvOf(value), rsv);
    }
  });
}

Deno.test("extensions: no extensions field, no reserved bits", () => {
  assert.equal(allowedRsvOf(null), 0);
});

Deno.test("extensions: parseExtensions gives extensions or a 400, whatever comes", () => {
  const piece = fc.constantFrom(
    "a",
    "permessage-deflate",
    ";",
    ",",
    "=",
    '"',
    "\\",
    " ",
    "\t",
    "\0",
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
    const thrown = code(() => parseExtensions(pieces.join("")));
    assert.ok(thrown === null || thrown === 400);
  }));
});

Deno.test("extensions: what is written is read again", () => {
  const text = "permessage-deflate; client_max_window_bits; server_max_window_bits=10, x; a=b; c";
  assert.equal(encodeExtensions(parseExtensions(text)), text);
  assert.equal(encodeExtensions([]), "");
});
