import * as fc from "fast-check";
import {
  decodeHttpsAnswer,
  encodeHttpsQuery,
  type HttpsRecord,
} from "../../../src/protocol/dns/https_record.ts";
import { ipv6Text } from "../../../src/protocol/dns/svc_params.ts";
import { readVersions } from "../../../src/protocol/quic/version_negotiation.ts";
import { concat } from "../../../src/protocol/wire/bytes.ts";
import { alpnValue, dnsAnswer, svcData, uint16 } from "../../support/dns_message.ts";
import type { Bytes, Codec, Decoder } from "../driver.ts";

const query = encodeHttpsQuery("a.example", 7);
const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 });

interface Raw {
  readonly record: HttpsRecord;
  readonly data: Bytes;
}

const raw: fc.Arbitrary<Raw> = fc.record({
  priority: fc.nat(0xffff),
  target: fc.constantFrom(".", "b.example", `${"x".repeat(63)}.example`),
  alpn: fc.array(fc.constantFrom("h3", "h2", "http/1.1"), { maxLength: 3 }),
  noDefaultAlpn: fc.boolean(),
  port: fc.option(fc.nat(0xffff)),
  v4: fc.array(ipv4, { maxLength: 2 }),
  v6: fc.array(ipv6, { maxLength: 2 }),
  ech: fc.boolean(),
  mandatory: fc.array(fc.nat(9), { maxLength: 3 }),
  other: fc.option(fc.integer({ min: 7, max: 0xffff })),
}).map(({ v4, v6, other, ...rest }) => {
  const { alpn, noDefaultAlpn, port, ech, mandatory } = rest;
  const params: [number, Uint8Array][] = [];
  if (mandatory.length > 0) params.push([0, concat(mandatory.map(uint16))]);
  if (alpn.length > 0) params.push([1, alpnValue(...alpn)]);
  if (noDefaultAlpn) params.push([2, new Uint8Array(0)]);
  if (port !== null) params.push([3, uint16(port)]);
  if (v4.length > 0) params.push([4, concat(v4)]);
  if (ech) params.push([5, Uint8Array.of(1)]);
  if (v6.length > 0) params.push([6, concat(v6)]);
  if (other !== null) params.push([other, Uint8Array.of(1, 2)]);
  const ipv4Hints = v4.map((bytes) => bytes.join("."));
  const ipv6Hints = v6.map(ipv6Text);
  return {
    record: { ...rest, ipv4Hints, ipv6Hints, other: other === null ? [] : [other] },
    data: svcData(rest.priority, rest.target, params),
  };
});

const answers: Codec<Raw[], Bytes> = {
  name: "HTTPS records",
  value: fc.uniqueArray(raw, { maxLength: 4, selector: ({ record }) => record.priority }),
  encode: (records) => dnsAnswer({ query, records }),
  decode: (bytes) => decodeHttpsAnswer(bytes).records,
  want: (records) => records.map(({ record }) => record).sort((a, b) => a.priority - b.priority),
};

const ids = Uint8Array.from({ length: 16 }, (_, i) => i);
const versions = fc.array(fc.integer({ min: 1, max: 0xffffffff }), { minLength: 1, maxLength: 8 })
  .map((list) =>
    concat([
      Uint8Array.of(0x80, 0, 0, 0, 0, 8, ...ids.subarray(8), 8, ...ids.subarray(0, 8)),
      ...list.map((version) => concat([uint16(version >>> 16), uint16(version & 0xffff)])),
    ])
  );

export const decoders: Decoder[] = [
  { name: "HTTPS records", decode: decodeHttpsAnswer, valid: answers.value.map(answers.encode) },
  { name: "versions of QUIC", decode: (bytes) => readVersions(bytes, ids), valid: versions },
];

export const codecs: Codec[] = [answers] as Codec[];
