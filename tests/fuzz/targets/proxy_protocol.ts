import * as fc from "fast-check";
import { formatAddress } from "../../../src/protocol/wire/ip.ts";
import { encodeProxyHeader } from "../../../src/protocol/proxy_protocol/encode.ts";
import type { ProxyHeader } from "../../../src/protocol/proxy_protocol/header.ts";
import { ProxyHeaderParser } from "../../../src/protocol/proxy_protocol/parser.ts";
import { type Codec, type Run, type Target, withRest } from "../driver.ts";
import { join } from "../input.ts";

const address = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes, max: 255 }).map(formatAddress);
const port = fc.oneof(fc.nat(65535), fc.constantFrom(0, 1, 255, 256, 65535));
const endpoint = (bytes: number) => fc.record({ address: address(bytes), port });
const proxied = fc.constantFrom(4, 16).chain((bytes) =>
  fc.record({ source: endpoint(bytes), destination: endpoint(bytes) })
);
const header: fc.Arbitrary<ProxyHeader> = fc.record({
  version: fc.constantFrom(1 as const, 2 as const),
  proxied: fc.option(proxied),
});

/** A header of version 2 with TLVs of that many bytes behind its addresses. */
function withTlvs(header: ProxyHeader, tlvBytes: number): Uint8Array {
  const bytes = encodeProxyHeader({ ...header, version: 2 });
  const length = bytes.length - 16 + tlvBytes;
  bytes[14] = length >> 8;
  bytes[15] = length & 0xff;
  return join(bytes, new Uint8Array(tlvBytes));
}

const MAX_TLV_BYTES = 64;

const plain = fc.tuple(header, fc.uint8Array({ maxLength: 20 })).map(([value, rest]) =>
  join(encodeProxyHeader(value), rest)
);
const tlvs = fc.tuple(header, fc.nat(MAX_TLV_BYTES)).map(([value, size]) => withTlvs(value, size));

const parser: Target<ProxyHeader | Run> = {
  name: "ProxyHeaderParser",
  make: () => withRest(new ProxyHeaderParser(MAX_TLV_BYTES)),
  valid: fc.oneof(plain, tlvs),
  beyond: fc.tuple(header, fc.nat(20)).map(([value, more]) =>
    withTlvs(value, MAX_TLV_BYTES - 10 + more)
  ),
};

export const targets: Target[] = [parser] as Target[];

const codec: Codec<ProxyHeader, Uint8Array> = {
  name: "PROXY header",
  value: header,
  encode: encodeProxyHeader,
  decode(bytes) {
    const parser = new ProxyHeaderParser();
    parser.push(bytes);
    return parser.next();
  },
};

export const codecs: Codec[] = [codec] as Codec[];
