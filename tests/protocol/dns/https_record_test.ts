import assert from "node:assert/strict";
import { DnsError, Rcode } from "../../../src/protocol/dns/error.ts";
import {
  decodeHttpsAnswer,
  encodeHttpsQuery,
  httpsRecordName,
  isAnswerTo,
} from "../../../src/protocol/dns/https_record.ts";
import { encodeName, readName } from "../../../src/protocol/dns/name.ts";
import { defaultSvcParams, ipv6Text } from "../../../src/protocol/dns/svc_params.ts";
import { concat } from "../../../src/protocol/wire/bytes.ts";
import { alpnValue, dnsAnswer, svcData, uint16 } from "../../support/dns_message.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const query = encodeHttpsQuery("a.example", 0x1234);

Deno.test("dns: the question for HTTPS records, byte by byte", () => {
  assert.equal(
    query.toHex(),
    "1234" + "0100" + "0001" + "0000" + "0000" + "0000" + "0161076578616d706c6500" + "0041" +
      "0001",
  );
});

Deno.test("dns: RFC 9460 §9.1: the name has the port in it, unless that is 443", () => {
  assert.equal(httpsRecordName("a.example", 443), "a.example");
  assert.equal(httpsRecordName("a.example", 8443), "_8443._https.a.example");
});

Deno.test("dns: names that can't be asked for", () => {
  for (const name of ["a..b", "", `${"x".repeat(64)}.b`, Array(50).fill("abcdef").join(".")]) {
    assert.throws(() => encodeHttpsQuery(name, 1), DnsError, name);
  }
  assert.deepEqual(encodeName("a.b."), encodeName("a.b"));
});

const NAMES: { name: string; hex: string; at?: number; want: string | null; behind?: number }[] = [
  { name: "the root", hex: "00", want: ".", behind: 1 },
  { name: "two labels", hex: "0161 0162 00", want: "a.b", behind: 5 },
  { name: "a pointer", hex: "0162 00 0161 c000", at: 3, want: "a.b", behind: 7 },
  { name: "a full stop and more in a label", hex: "03 2e5c07 00", want: "\\.\\\\\\007", behind: 5 },
  { name: "a pointer to itself", hex: "c000", want: null },
  { name: "a pointer ahead", hex: "c002 0161 00", want: null },
  { name: "a pointer into itself", hex: "0161 c000", want: null },
  { name: "a label's type of old", hex: "40 00", want: null },
  { name: "no end", hex: "0161", want: null },
  { name: "a label cut off", hex: "0561", want: null },
  { name: "half a pointer", hex: "00 c0", at: 1, want: null },
  { name: "256 bytes", hex: `${"3f" + "61".repeat(63)}`.repeat(4) + "00", want: null },
];

Deno.test("dns: RFC 1035 §4.1.4: names, and pointers that lead back alone", () => {
  for (const { name, hex: text, at = 0, want, behind } of NAMES) {
    const bytes = hex(text);
    if (want === null) assert.throws(() => readName(bytes, at), DnsError, name);
    else assert.deepEqual(readName(bytes, at), { name: want, behind }, name);
  }
  assert.throws(() => readName(hex("0161 00 c000"), 3, false), DnsError);
});

const V6 = "20010db8000000000000000000000001";

Deno.test("dns: RFC 9460: priority, target and all parameters, by priority", () => {
  const full = svcData(2, "b.example", [
    [0, uint16(1)],
    [1, alpnValue("h3", "h2")],
    [2, new Uint8Array(0)],
    [3, uint16(8443)],
    [4, Uint8Array.of(192, 0, 2, 1, 192, 0, 2, 2)],
    [5, Uint8Array.of(1, 2)],
    [6, hex(V6)],
    [7, Uint8Array.of(9)],
  ]);
  const records = [
    { type: 5, data: encodeName("c.example") },
    { data: full },
    { data: svcData(1, ".", [[1, alpnValue("h3")]]) },
  ];
  assert.deepEqual(decodeHttpsAnswer(dnsAnswer({ query, records })), {
    truncated: false,
    rcode: Rcode.NOERROR,
    records: [
      { ...defaultSvcParams(), priority: 1, target: ".", alpn: ["h3"] },
      {
        ...{ priority: 2, target: "b.example", alpn: ["h3", "h2"], noDefaultAlpn: true },
        ...{ port: 8443, ipv4Hints: ["192.0.2.1", "192.0.2.2"], ipv6Hints: ["2001:db8::1"] },
        ...{ ech: true, mandatory: [1], other: [7] },
      },
    ],
  });
});

Deno.test("dns: an alias, no records, a code and a cut answer", () => {
  const alias = dnsAnswer({ query, records: [{ data: svcData(0, "b.example") }] });
  assert.deepEqual(decodeHttpsAnswer(alias).records, [
    { ...defaultSvcParams(), priority: 0, target: "b.example" },
  ]);
  assert.deepEqual(decodeHttpsAnswer(dnsAnswer({ query })).records, []);
  assert.equal(decodeHttpsAnswer(dnsAnswer({ query, flags: 3 })).rcode, Rcode.NXDOMAIN);
  // What is cut off may end anywhere.
  const cut = dnsAnswer({ query, flags: 0x200, records: [{ data: svcData(1, ".") }] });
  assert.equal(decodeHttpsAnswer(cut.subarray(0, cut.length - 1)).truncated, true);
});

const BAD: { name: string; data: Uint8Array }[] = [
  { name: "no target", data: uint16(1) },
  { name: "a compressed target", data: concat([uint16(1), hex("c00c")]) },
  { name: "half a key", data: concat([svcData(1, "."), hex("00")]) },
  { name: "a value cut off", data: concat([svcData(1, "."), hex("0003 0002 01")]) },
  { name: "keys out of order", data: svcData(1, ".", [[3, uint16(1)], [1, alpnValue("h3")]]) },
  { name: "a key twice", data: svcData(1, ".", [[3, uint16(1)], [3, uint16(1)]]) },
  { name: "an empty alpn", data: svcData(1, ".", [[1, new Uint8Array(0)]]) },
  { name: "an empty name in alpn", data: svcData(1, ".", [[1, Uint8Array.of(0)]]) },
  { name: "a name in alpn cut off", data: svcData(1, ".", [[1, Uint8Array.of(3, 104)]]) },
  { name: "no-default-alpn with a value", data: svcData(1, ".", [[2, Uint8Array.of(1)]]) },
  { name: "a port of 3 bytes", data: svcData(1, ".", [[3, Uint8Array.of(1, 2, 3)]]) },
  { name: "half an address", data: svcData(1, ".", [[4, Uint8Array.of(1, 2)]]) },
  { name: "no address", data: svcData(1, ".", [[6, new Uint8Array(0)]]) },
];

Deno.test("dns: RFC 9460 §2.2: a record that breaks a rule is an error", () => {
  for (const { name, data } of BAD) {
    const bytes = dnsAnswer({ query, records: [{ data }] });
    assert.throws(() => decodeHttpsAnswer(bytes), DnsError, name);
  }
});

Deno.test("dns: an answer that is cut anywhere is an error", () => {
  const records = [{ data: svcData(1, "b.example", [[1, alpnValue("h3")]]) }];
  const whole = dnsAnswer({ query, records });
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decodeHttpsAnswer(whole.subarray(0, length)), DnsError, `${length}`);
  }
});

Deno.test("dns: RFC 5452 §9.1: an answer has the question and its number", () => {
  const answer = dnsAnswer({ query });
  assert.ok(isAnswerTo(answer, query));
  const upper = answer.slice();
  upper[13] -= 0x20;
  assert.ok(isAnswerTo(upper, query), "names are the same in any case");
  assert.ok(!isAnswerTo(query, query));
  assert.ok(!isAnswerTo(answer, encodeHttpsQuery("a.example", 0x1235)));
  assert.ok(!isAnswerTo(answer, encodeHttpsQuery("b.example", 0x1234)));
  assert.ok(!isAnswerTo(answer.subarray(0, 12), query));
});

const IPV6: [hex: string, want: string][] = [
  [V6, "2001:db8::1"],
  ["00".repeat(16), "::"],
  ["00".repeat(15) + "01", "::1"],
  ["fe80" + "00".repeat(14), "fe80::"],
  ["20010db8" + "0000" + "0001".repeat(5), "2001:db8:0:1:1:1:1:1"],
  ["2001" + "00000000" + "0001" + "000000000000" + "0001", "2001:0:0:1::1"],
  ["0010" + "00000000" + "0001".repeat(5), "10::1:1:1:1:1"],
];

Deno.test("dns: RFC 5952 §4.2: the longest run of zeros is left out", () => {
  for (const [bytes, want] of IPV6) assert.equal(ipv6Text(hex(bytes)), want);
});
