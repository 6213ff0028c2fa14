import assert from "node:assert/strict";
import { normalHost } from "../../../src/protocol/wire/host.ts";
import { decodeUtf8 } from "../../../src/protocol/wire/utf8.ts";

const TAKEN: [text: string, want: string][] = [
  ["a.example", "a.example"],
  ["A.EXAMPLE.", "a.example."],
  ["_sip._tcp.a.example", "_sip._tcp.a.example"],
  ["bücher.example", "bücher.example"],
  // RFC 4343 §2: only the letters of ASCII have a case there, and others could grow.
  ["İSTANBUL.example", "İstanbul.example"],
  ["127.0.0.1", "127.0.0.1"],
  ["2001:DB8:0:0::1", "2001:db8::1"],
  ["[::1]", "::1"],
  ["::ffff:127.0.0.1", "::ffff:127.0.0.1"],
  ["::ffff:7f00:1", "::ffff:127.0.0.1"],
  ["x".repeat(255), "x".repeat(255)],
];

for (const [text, want] of TAKEN) {
  Deno.test(`host: ${JSON.stringify(text.slice(0, 40))} is ${want.slice(0, 40)}`, () => {
    assert.equal(normalHost(text), want);
    assert.equal(normalHost(want), want);
  });
}

const REFUSED = [
  { name: "an empty one", text: "" },
  { name: "256 bytes", text: "x".repeat(256) },
  { name: "128 characters of 256 bytes", text: "ü".repeat(128) },
  { name: "a NUL", text: "a\0.example" },
  { name: "a line feed", text: "a\n" },
  { name: "a blank", text: "a b" },
  { name: "a no-break space", text: "a\u00a0b" },
  { name: "a mark of direction", text: "a\u202eb" },
  { name: "half of a surrogate pair", text: "a\ud800" },
  { name: "a name in brackets", text: "[a.example]" },
  { name: "brackets that are not closed", text: "[::1" },
  { name: "a host with its port", text: "a.example:80" },
  { name: "an IPv6 address with a zone", text: "fe80::1%eth0" },
  { name: "user information", text: "u@a.example" },
  { name: "a path", text: "a.example/b" },
  { name: "a fragment", text: "a.example#.b.example" },
];

for (const { name, text } of REFUSED) {
  Deno.test(`host: refused: ${name}`, () => assert.equal(normalHost(text), null));
}

Deno.test("UTF-8: what is malformed is no text, and a byte order mark stays", () => {
  assert.equal(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), "\ufeffa");
  for (const hex of ["ff", "c0af", "eda080", "e282"]) {
    assert.equal(decodeUtf8(Uint8Array.fromHex(hex)), null, hex);
  }
});
