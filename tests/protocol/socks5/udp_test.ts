import assert from "node:assert/strict";
import { decodeDatagram, encodeDatagramHeader } from "../../../src/protocol/socks5/udp.ts";
import { concat } from "../../../src/protocol/wire/bytes.ts";
import { hex, plain } from "../../fuzz/driver.ts";
import { bytesOf } from "./feed.ts";

const TAKEN = [
  {
    name: "IPv4",
    hex: "0000 00 01 c0000201 0035 0102",
    want: { host: "192.0.2.1", port: 53, data: "0102" },
  },
  {
    name: "IPv6",
    hex: `0000 00 04 ${"00".repeat(15)}01 0035 01`,
    want: { host: "::1", port: 53, data: "01" },
  },
  {
    name: "a name, and no data",
    hex: '0000 00 03 09 "a.example" 0035',
    want: { host: "a.example", port: 53, data: "" },
  },
];

for (const { name, hex: text, want } of TAKEN) {
  Deno.test(`SOCKS5 datagram: ${name}`, () => {
    const bytes = bytesOf(text);
    const datagram = decodeDatagram(bytes);
    assert.deepEqual(plain(datagram), want);
    assert.equal(hex(concat([encodeDatagramHeader(want), datagram!.data])), hex(bytes));
  });
}

const DROPPED = [
  {
    name: "RFC 1928 §7: one with a FRAG other than X'00' MUST be",
    hex: "0000 01 01 c0000201 0035",
  },
  { name: "RFC 1928 §7: the last fragment", hex: "0000 81 01 c0000201 0035" },
  { name: "an unknown type of an address", hex: "0000 00 02 c0000201 0035" },
  { name: "a name that can be no host", hex: '0000 00 03 01 "/" 00 35 "x"' },
  { name: "a name of no bytes", hex: "0000 00 03 00 0035" },
  { name: "port 0", hex: "0000 00 01 c0000201 0000" },
];

for (const { name, hex } of DROPPED) {
  Deno.test(`SOCKS5 datagram: dropped: ${name}`, () => {
    assert.equal(decodeDatagram(bytesOf(hex)), null);
  });
}

Deno.test("SOCKS5 datagram: dropped: one that is cut off in its header", () => {
  for (const { hex } of TAKEN) {
    const bytes = bytesOf(hex);
    const { data } = decodeDatagram(bytes)!;
    for (let length = 0; length < bytes.length - data.length; length++) {
      assert.equal(decodeDatagram(bytes.subarray(0, length)), null);
    }
  }
});
