import assert from "node:assert/strict";
import { latin1 } from "../../fuzz/input.ts";
import { messageOf, readHeader } from "./feed.ts";

const TAKEN: { line: string; want: readonly [string, number, string, number] | null }[] = [
  {
    line: "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443",
    want: ["192.0.2.1", 56324, "198.51.100.2", 443],
  },
  {
    line: "PROXY TCP4 0.0.0.0 255.255.255.255 0 65535",
    want: ["0.0.0.0", 0, "255.255.255.255", 65535],
  },
  { line: "PROXY TCP6 2001:DB8::1 ::1 1 2", want: ["2001:db8::1", 1, "::1", 2] },
  {
    line: "PROXY TCP6 0:0:0:0:0:0:0:0 1:0:0:2:0:0:0:3 1 2",
    want: ["::", 1, "1:0:0:2::3", 2],
  },
  {
    line: "PROXY TCP6 ::ffff:192.0.2.1 1::2:3:4:5:6:7 1 2",
    want: ["::ffff:192.0.2.1", 1, "1:0:2:3:4:5:6:7", 2],
  },
  {
    line:
      "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
    want: [
      ...["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535],
      ...["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535],
    ] as unknown as [string, number, string, number],
  },
  { line: "PROXY UNKNOWN", want: null },
  {
    line:
      "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
    want: null,
  },
  { line: "PROXY UNKNOWN \r \n anything", want: null },
];

for (const { line, want } of TAKEN) {
  Deno.test(`PROXY version 1: takes ${JSON.stringify(line)}`, () => {
    const proxied = want && {
      source: { address: want[0], port: want[1] },
      destination: { address: want[2], port: want[3] },
    };
    assert.deepEqual(readHeader(latin1(`${line}\r\nGET`)), {
      events: [{ version: 1, proxied }, { rest: "474554" }],
      error: null,
    });
  });
}

const NO_HEADER = "The connection does not begin with a PROXY header";
const NOT_WORDS = "Not two addresses and two ports with one space before each";
const REFUSED: { name: string; bytes: string; want: string }[] = [
  { name: "no header", bytes: "GET / HTTP/1.1\r\n", want: NO_HEADER },
  { name: "small letters", bytes: "proxy TCP4", want: NO_HEADER },
  { name: "a TLS hello", bytes: "\x16\x03\x01", want: NO_HEADER },
  {
    name: "another family",
    bytes: "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
    want: "Family is not TCP4, TCP6 or UNKNOWN",
  },
  { name: "no family", bytes: "PROXY \r\n", want: "Family is not TCP4, TCP6 or UNKNOWN" },
  { name: "two spaces", bytes: "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", want: NOT_WORDS },
  { name: "a space at the end", bytes: "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", want: NOT_WORDS },
  { name: "no ports", bytes: "PROXY TCP4 1.2.3.4 1.2.3.4\r\n", want: NOT_WORDS },
  {
    name: "a tab",
    bytes: "PROXY TCP4\t1.2.3.4 1.2.3.4 1 2\r\n",
    want: "Family is not TCP4, TCP6 or UNKNOWN",
  },
  { name: "IPv6 as TCP4", bytes: "PROXY TCP4 ::1 1.2.3.4 1 2\r\n", want: "Invalid address" },
  { name: "IPv4 as TCP6", bytes: "PROXY TCP6 ::1 1.2.3.4 1 2\r\n", want: "Invalid address" },
  {
    name: "heading zeroes of an octet",
    bytes: "PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
    want: "Invalid address",
  },
  {
    name: "an octet of 256",
    bytes: "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
    want: "Invalid address",
  },
  { name: "three octets", bytes: "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", want: "Invalid address" },
  { name: "two double colons", bytes: "PROXY TCP6 1::2::3 ::1 1 2\r\n", want: "Invalid address" },
  { name: "a triple colon", bytes: "PROXY TCP6 ::: ::1 1 2\r\n", want: "Invalid address" },
  { name: "seven groups", bytes: "PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n", want: "Invalid address" },
  {
    name: "nine groups",
    bytes: "PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n",
    want: "Invalid address",
  },
  {
    name: "a double colon for none",
    bytes: "PROXY TCP6 1:2:3:4::5:6:7:8 ::1 1 2\r\n",
    want: "Invalid address",
  },
  {
    name: "IPv4 in the middle",
    bytes: "PROXY TCP6 1.2.3.4::1 ::1 1 2\r\n",
    want: "Invalid address",
  },
  { name: "brackets", bytes: "PROXY TCP6 [::1] ::1 1 2\r\n", want: "Invalid address" },
  { name: "a zone", bytes: "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", want: "Invalid address" },
  {
    name: "a port of 65536",
    bytes: "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
    want: "Invalid port",
  },
  {
    name: "heading zeroes of a port",
    bytes: "PROXY TCP4 1.2.3.4 1.2.3.4 1 02\r\n",
    want: "Invalid port",
  },
  {
    name: "a sign before a port",
    bytes: "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
    want: "Invalid port",
  },
  {
    name: "LF without CR",
    bytes: `PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n${" ".repeat(99)}`,
    want: "No CRLF in the first 107 bytes",
  },
  {
    name: "no CRLF in the first 107 bytes",
    bytes: `PROXY UNKNOWN ${"x".repeat(92)}\r\n`,
    want: "No CRLF in the first 107 bytes",
  },
  {
    name: "an end in the line",
    bytes: "PROXY TCP4 1.2.3.4",
    want: "The connection ended before the end of the header",
  },
  {
    name: "an end before all",
    bytes: "",
    want: "The connection ended before the end of the header",
  },
];

for (const { name, bytes, want } of REFUSED) {
  Deno.test(`PROXY version 1: refuses ${name}`, () => {
    const { events, error } = readHeader(latin1(bytes));
    assert.deepEqual(events, []);
    assert.equal(error?.name, "ProxyProtocolError");
    assert.equal(error?.scope, "connection");
    assert.equal(messageOf(latin1(bytes)), want);
  });
}

Deno.test("PROXY version 1: a line of 107 bytes with its CRLF is taken", () => {
  const line = `PROXY UNKNOWN ${"x".repeat(91)}\r\n`;
  assert.equal(line.length, 107);
  assert.equal(messageOf(latin1(line)), null);
});

Deno.test("PROXY version 1: a wrong byte is told at once, not at the end of the line", () => {
  assert.equal(messageOf(latin1("PROXI")), NO_HEADER);
});
