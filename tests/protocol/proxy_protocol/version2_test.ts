import assert from "node:assert/strict";
import { join } from "../../fuzz/input.ts";
import { messageOf, readHeader } from "./feed.ts";

const SIGNATURE = "0d0a0d0a000d0a515549540a";
const IPV4 = "c0000201 c6336402 dc04 01bb";
const IPV6 = "20010db8000000000000000000000001 00000000000000000000000000000001 0001 0002";
const UNIX = "2f".repeat(216);

function bytes(hex: string): Uint8Array {
  return Uint8Array.fromHex(`${SIGNATURE}${hex}`.replaceAll(" ", ""));
}

const ipv4 = {
  source: { address: "192.0.2.1", port: 56324 },
  destination: { address: "198.51.100.2", port: 443 },
};
const ipv6 = {
  source: { address: "2001:db8::1", port: 1 },
  destination: { address: "::1", port: 2 },
};

const TAKEN = [
  { name: "TCP over IPv4", hex: `21 11 000c ${IPV4}`, want: ipv4 },
  { name: "TCP over IPv6", hex: `21 21 0024 ${IPV6}`, want: ipv6 },
  { name: "UDP over IPv4", hex: `21 12 000c ${IPV4}`, want: ipv4 },
  { name: "TLVs behind the addresses", hex: `21 11 0011 ${IPV4} 04 0002 0102`, want: ipv4 },
  { name: "a unix socket", hex: `21 31 00d8 ${UNIX}`, want: null },
  { name: "LOCAL", hex: "20 00 0000", want: null },
  { name: "LOCAL, whose family is ignored", hex: "20 ff 0003 010203", want: null },
  { name: "LOCAL, whose addresses are ignored", hex: `20 11 000c ${IPV4}`, want: null },
  { name: "UNSPEC, whose address is ignored", hex: "21 00 0005 0102030405", want: null },
  { name: "IPv4 without a transport", hex: `21 10 000c ${IPV4}`, want: null },
];

for (const { name, hex, want } of TAKEN) {
  Deno.test(`PROXY version 2: takes ${name}`, () => {
    assert.deepEqual(readHeader(join(bytes(hex), [0x16, 0x03])), {
      events: [{ version: 2, proxied: want }, { rest: "1603" }],
      error: null,
    });
  });
}

const REFUSED = [
  {
    name: "receivers must only accept version 2 here",
    hex: "31 11 000c",
    want: "Unknown version 3",
  },
  { name: "version 1 in the binary block", hex: "11 11 000c", want: "Unknown version 1" },
  { name: "receivers must drop other commands", hex: "22 11 000c", want: "Unknown command 2" },
  { name: "other families must be rejected", hex: "21 41 000c", want: "Unknown family 4" },
  { name: "other transports must be rejected", hex: "21 13 000c", want: "Unknown transport 3" },
  { name: "IPv4 in 11 bytes", hex: "21 11 000b", want: "11 bytes are too few for two addresses" },
  { name: "IPv6 in 35 bytes", hex: "21 21 0023", want: "35 bytes are too few for two addresses" },
  { name: "unix in 215 bytes", hex: "21 31 00d7", want: "215 bytes are too few for two addresses" },
  { name: "65535 bytes", hex: "21 11 ffff", want: "65523 bytes behind the addresses, above 4096" },
  {
    name: "LOCAL with 4097 bytes",
    hex: "20 00 1001",
    want: "4097 bytes behind the addresses, above 4096",
  },
  {
    name: "an end in the signature",
    hex: "",
    want: "The connection ended before the end of the header",
  },
  {
    name: "an end in the addresses",
    hex: "21 11 000c c0",
    want: "The connection ended before the end of the header",
  },
  {
    name: "an end in the TLVs",
    hex: `21 11 000f ${IPV4} 0000`,
    want: "The connection ended before the end of the header",
  },
];

for (const { name, hex, want } of REFUSED) {
  Deno.test(`PROXY version 2: refused: ${name}`, () => {
    const { events, error } = readHeader(bytes(hex));
    assert.deepEqual(events, []);
    assert.equal(error?.name, "ProxyProtocolError");
    assert.equal(messageOf(bytes(hex)), want);
  });
}

Deno.test("PROXY version 2: each byte of the signature counts", () => {
  for (let i = 0; i < 12; i++) {
    const input = bytes(`21 11 000c ${IPV4}`);
    input[i] ^= 0x80;
    const want = "The connection does not begin with a PROXY header";
    assert.equal(messageOf(input.subarray(0, i + 1)), want);
  }
});

Deno.test("PROXY version 2: 4096 bytes of TLVs are skipped and never held", () => {
  const { events, error } = readHeader(
    join(bytes(`21 11 100c ${IPV4}`), new Uint8Array(4096), [1]),
  );
  assert.equal(error, null);
  assert.deepEqual(events, [{ version: 2, proxied: ipv4 }, { rest: "01" }]);
});
