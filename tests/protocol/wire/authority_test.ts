import assert from "node:assert/strict";
import {
  isAuthority,
  isConnectAuthority,
  parseAuthority,
} from "../../../src/protocol/wire/authority.ts";

const ACCEPTED: [text: string, host: string, port: number | null][] = [
  ["a.example", "a.example", null],
  ["A.Example:8443", "a.example", 8443],
  ["a.example:", "a.example", null],
  ["a.example:0", "a.example", 0],
  ["a.example:65535", "a.example", 65535],
  ["a.example:00080", "a.example", 80],
  ["127.0.0.1:1", "127.0.0.1", 1],
  ["host_1.local.", "host_1.local.", null],
  ["workspace-3000.localhost", "workspace-3000.localhost", null],
  ["!$&'()*+;=._~-", "!$&'()*+;=._~-", null],
  ["b%C3%BCcher.example", "b%c3%bccher.example", null],
  ["[::1]", "[::1]", null],
  ["[::]:443", "[::]", 443],
  ["[2001:DB8::A:0]:80", "[2001:db8::a:0]", 80],
  ["[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", null],
  ["[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7::]", null],
  ["[::ffff:192.0.2.255]", "[::ffff:192.0.2.255]", null],
  ["[1:2:3:4:5:6:192.0.2.1]", "[1:2:3:4:5:6:192.0.2.1]", null],
];

for (const [text, host, port] of ACCEPTED) {
  Deno.test(`authority ${text}`, () => {
    assert.deepEqual(parseAuthority(text), { host, port });
    assert.equal(isAuthority(text), true);
  });
}

const REFUSED: [rule: string, texts: string[]][] = [
  ["RFC 9110 §4.2.1: an empty host", ["", ":80", "[]", "[]:80"]],
  ["RFC 9110 §4.2.4: userinfo", ["u@a", "u:p@a", "@a", "a@"]],
  ["RFC 3986 §3.2.3: a port that is none", ["a:b", "a:-1", "a:+1", "a:1:2", "a: 1", "a:65536"]],
  ["RFC 3986 §3.2.3: a port of many digits", ["a:000080", "a:100000", "a:99999999999999999999"]],
  ["RFC 3986 §3.2: more than an authority", ["a/", "a/b", "a?b", "a#b", "//a", "http://a", "a\\b"]],
  ["RFC 3986 §3.2.2: characters of no name", [
    "a b",
    "a\tb",
    "a\0",
    "\xe4",
    "a|b",
    "a^",
    "<a>",
    '"a"',
  ]],
  ["RFC 3986 §2.1: half an escape", ["a%", "a%2", "a%zz", "%"]],
  ["two hosts that somebody joined", ["a,b", "a, b", "a,a", ","]],
  ["RFC 3986 §3.2.2: an IP-literal that does not end", ["[::1", "::1]", "::1", "[::1]x", "[::1]]"]],
  ["RFC 3986 §3.2.2: an IPv6 address of too few or many groups", [
    ...["[1]", "[1:2]", "[:]", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7:8::]"],
    ...["[1::2::3]", "[:::]", "[1:2:3:4:5:6:7:]", "[:1:2:3:4:5:6:7:8]", "[12345::]", "[.]"],
  ]],
  ["RFC 3986 §3.2.2: an IPv4 address in the wrong place", [
    ...["[::192.0.2.1:1]", "[192.0.2.1::]", "[::256.0.0.1]", "[::1.2.3]", "[::01.2.3.4]"],
    ...["[192.0.2.1]", "[1:2:3:4:5:6:7:192.0.2.1]"],
  ]],
  ["RFC 3986 §3.2.2: a zone or a future version", ["[fe80::1%25eth0]", "[fe80::1%eth0]", "[v1.a]"]],
];

for (const [rule, texts] of REFUSED) {
  Deno.test(`authority refused: ${rule}`, () => {
    for (const text of texts) {
      assert.equal(parseAuthority(text), null, text);
      assert.equal(isAuthority(text), false, text);
      assert.equal(isConnectAuthority(text), false, text);
    }
  });
}

Deno.test("RFC 9110 §9.3.6: a CONNECT to an empty or invalid port number MUST be rejected", () => {
  for (const text of ["a:1", "a.example:443", "[::1]:65535", "127.0.0.1:00443"]) {
    assert.equal(isConnectAuthority(text), true, text);
  }
  for (const text of ["a", "a:", "[::1]", "a:0", "a:00000"]) {
    assert.equal(isConnectAuthority(text), false, text);
  }
});

Deno.test("authority: a long host is read in linear time", () => {
  const long = "a".repeat(100_000);
  assert.equal(isAuthority(long), true);
  assert.equal(isAuthority(`${long}/`), false);
  assert.equal(isAuthority(`[${":".repeat(100_000)}]`), false);
  assert.equal(isAuthority("%41".repeat(30_000) + "%"), false);
});
