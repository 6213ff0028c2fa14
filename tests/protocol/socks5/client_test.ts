import assert from "node:assert/strict";
import { Socks5Client } from "../../../src/protocol/socks5/client.ts";
import { hex } from "../../fuzz/driver.ts";
import { ask, bytesOf, faultOf, newClient } from "./feed.ts";

const REQUEST = { type: "send", bytes: hex(bytesOf('05 01 00 03 09 "a.example" 01bb')) };
const AUTH = { type: "send", bytes: hex(bytesOf('01 01 "u" 01 "p"')) };
const OPEN = "05 00 00 01 c0000201 04d2";

function reply(reply: number, host: string, port: number) {
  return { type: "reply", reply, host, port };
}

Deno.test("SOCKS5 client: offers user name and password where it has them", () => {
  assert.equal(hex(newClient(true).greeting), "05020002");
  assert.equal(hex(newClient(false).greeting), "050100");
});

const TAKEN = [
  {
    name: "no authentication",
    hex: `05 00  ${OPEN}`,
    want: [REQUEST, reply(0, "192.0.2.1", 1234)],
  },
  {
    name: "user name and password",
    hex: `05 02  01 00  ${OPEN}`,
    want: [AUTH, REQUEST, reply(0, "192.0.2.1", 1234)],
  },
  {
    name: "the answer to a password with the version of SOCKS, as curl takes it too",
    hex: `05 02  05 00  ${OPEN}`,
    want: [AUTH, REQUEST, reply(0, "192.0.2.1", 1234)],
  },
  {
    name: "an IPv6 address that it is bound to",
    hex: `05 00  05 00 00 04 ${"00".repeat(15)}01 0001`,
    want: [REQUEST, reply(0, "::1", 1)],
  },
  {
    name: "a name that it is bound to",
    hex: `05 00  05 00 00 03 01 "b" 0001`,
    want: [REQUEST, reply(0, "b", 1)],
  },
  {
    name: "RFC 1928 §6: a failure",
    hex: `05 00  05 05 00 01 00000000 0000`,
    want: [REQUEST, reply(5, "0.0.0.0", 0)],
  },
  {
    name: "RFC 1928 §6: an unassigned reply",
    hex: `05 00  05 fe 00 01 00000000 0000`,
    want: [REQUEST, reply(0xfe, "0.0.0.0", 0)],
  },
  {
    name: "bytes of the target behind the reply",
    hex: `05 00  ${OPEN}  "SSH-2.0"`,
    want: [REQUEST, reply(0, "192.0.2.1", 1234), { rest: hex(bytesOf('"SSH-2.0"')) }],
  },
];

for (const { name, hex, want } of TAKEN) {
  Deno.test(`SOCKS5 client: takes ${name}`, () => {
    assert.deepEqual(ask(hex), { events: want, error: null });
  });
}

const CUT = "The server ended before the end of its reply";

const REFUSED = [
  {
    name: "another version",
    hex: "04 00",
    want: [1, "The server does not speak SOCKS5: version 4"],
  },
  { name: "HTTP", hex: '"HTTP"', want: [1, "The server does not speak SOCKS5: version 72"] },
  {
    name: "RFC 1928 §3: X'FF'",
    hex: "05 ff",
    want: [2, "The server accepts none of the methods that were offered"],
  },
  {
    name: "RFC 1928 §3: a method that was not offered",
    hex: "05 01",
    want: [1, "The server selects method 1, which was not offered"],
  },
  {
    name: "RFC 1928 §3: a password when there is none",
    hex: "05 02",
    isUser: false,
    want: [1, "The server selects method 2, which was not offered"],
  },
  {
    name: "RFC 1929 §2: a status that is no success",
    hex: "05 02  01 ff",
    want: [2, "The server refuses user name and password"],
  },
  {
    name: "RFC 1929 §2: another version of the status",
    hex: "05 02  02 00",
    want: [1, "Unknown version 2 in the answer to user name and password"],
  },
  {
    name: "another version of the reply",
    hex: "05 00  00 00",
    want: [1, "Unknown version 0 in the server's reply"],
  },
  {
    name: "an unknown type of an address",
    hex: "05 00  05 00 00 02",
    want: [1, "Unknown type 2 of an address in the server's reply"],
  },
  {
    name: "a name that can be no host",
    hex: "05 00  05 00 00 03 01 0a 0000",
    want: [1, "The name in the server's reply can be no host"],
  },
  { name: "an end before a byte", hex: '""', want: [1, CUT] },
  { name: "an end before the reply", hex: "05 00", want: [1, CUT] },
  { name: "an end in the reply", hex: "05 00  05 00 00 01 c0", want: [1, CUT] },
];

for (const { name, hex, isUser = true, want } of REFUSED) {
  Deno.test(`SOCKS5 client: refuses ${name}`, () => {
    assert.equal(ask(hex, isUser).error?.name, "Socks5Error");
    const [code, message] = want;
    assert.deepEqual(faultOf(newClient(isUser), hex), { code, message, answer: null });
  });
}

const UNWRITABLE = [
  { name: "no host", host: "", port: 1 },
  { name: "a host with a blank", host: "a b", port: 1 },
  { name: "a host of 256 bytes", host: "x".repeat(256), port: 1 },
  { name: "port 65536", host: "a", port: 65536 },
  { name: "port 1.5", host: "a", port: 1.5 },
  { name: "a user name of 256 bytes", host: "a", port: 1, username: "ü".repeat(128) },
];

for (const { name, host, port, username } of UNWRITABLE) {
  Deno.test(`SOCKS5 client: never writes ${name}`, () => {
    const credentials = username === undefined ? null : { username, password: "" };
    assert.throws(() => new Socks5Client({ command: 1, host, port }, credentials), RangeError);
  });
}
