import * as fc from "fast-check";
import { type AltService, parseAltSvc } from "../../../src/protocol/wire/alt_svc.ts";
import { latin1, latin1Bytes } from "../../../src/protocol/wire/latin1.ts";
import {
  MAX_LENGTH,
  readVarint,
  varintSize,
  varintSizeAt,
  writeVarint,
} from "../../../src/protocol/wire/varint.ts";
import type { Codec, Decoder } from "../driver.ts";

const value = fc.oneof(
  fc.nat(0x3f),
  fc.nat(0x3fff),
  fc.nat(0x3fffffff),
  fc.maxSafeNat(),
  fc.constantFrom(0x3f, 0x40, 0x3fff, 0x4000, 0x3fffffff, 0x40000000, MAX_LENGTH),
);

function encode(value: number): Uint8Array {
  const out = new Uint8Array(8);
  const end = writeVarint(out, 0, value);
  if (end !== varintSize(value)) throw new Error(`${value} takes ${end} bytes`);
  return out.subarray(0, end);
}

const varint: Codec<number, Uint8Array> = {
  name: "varint",
  value,
  encode,
  decode: (bytes) => varintSizeAt(bytes[0]) === bytes.length ? readVarint(bytes, 0) : "cut",
};

const text: Codec<Uint8Array, string> = {
  name: "latin1",
  value: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ max: 127, maxLength: 40 })),
  encode: (bytes) => latin1(bytes, 0, bytes.length),
  decode: latin1Bytes,
};

const service: fc.Arbitrary<AltService> = fc.record({
  protocol: fc.constantFrom("h3", "h2", "w=x:y#z", "100%"),
  host: fc.constantFrom("", "a.example", "192.0.2.1", "2001:db8::1"),
  port: fc.integer({ min: 1, max: 65_535 }),
  maxAgeSeconds: fc.nat(86_400),
});

function altSvc({ protocol, host, port, maxAgeSeconds }: AltService): string {
  const id = protocol.replace(/[%=:#]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  const name = host.includes(":") ? `[${host}]` : host;
  return `${id}="${name}:${port}"; ma=${maxAgeSeconds}`;
}

const services: Codec<AltService[], string> = {
  name: "Alt-Svc",
  value: fc.array(service, { minLength: 1, maxLength: 32 }),
  encode: (value) => value.map(altSvc).join(", "),
  decode: parseAltSvc,
};

export const decoders: Decoder[] = [{
  name: "Alt-Svc",
  decode: (bytes) => parseAltSvc(latin1(bytes, 0, bytes.length)),
  valid: services.value.map((value) => latin1Bytes(services.encode(value))),
}];

export const codecs: Codec[] = [varint, text, services] as Codec[];
