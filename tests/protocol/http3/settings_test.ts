import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeSettings,
  defaultSettings,
  encodeSettings,
  greaseSettings,
  MAX_UNKNOWN,
  type Settings,
} from "../../../src/protocol/http3/settings.ts";
import { errorText, hex, toHex } from "./feed.ts";

const cases: { name: string; hex: string; want: Partial<Settings> | string }[] = [
  { name: "none", hex: "", want: {} },
  {
    name: "all that are known",
    hex: "01 5000 06 4400 07 10 08 01 33 01",
    want: {
      qpackMaxTableCapacity: 4096,
      maxFieldSectionSize: 1024,
      qpackBlockedStreams: 16,
      enableConnectProtocol: true,
      h3Datagram: true,
    },
  },
  { name: "flags of 0", hex: "08 00 33 00", want: {} },
  { name: "a limit of 0 is not the default", hex: "06 00", want: { maxFieldSectionSize: 0 } },
  {
    name: "RFC 9114 §7.2.4: unknown settings MUST be ignored",
    hex: "21 05 800f0700 00 6b60 01",
    want: { unknown: [[0x21, 5], [0xf0700, 0], [0x2b60, 1]] },
  },
  {
    name: "RFC 9114 §10.5: of unknown settings only a few are kept",
    hex: Array.from({ length: 2000 }, (_, i) => `8000${(0x4000 + i).toString(16)} 07`).join(" "),
    want: { unknown: [[0x4000, 7], [0x4001, 7], [0x4002, 7], [0x4003, 7]] },
  },
  {
    name: "RFC 9114 §7.2.4: the same setting MUST NOT occur more than once, kept or not",
    hex: "21 00 22 00 23 00 24 00 25 00 26 00 26 01",
    want: "H3_SETTINGS_ERROR connection",
  },
  {
    name: "identifiers above 2^53-1 that look alike may differ",
    hex: "fffffffffffffffe 00 ffffffffffffffff 00",
    want: { unknown: [[2 ** 62, 0], [2 ** 62, 0]] },
  },
  {
    name: "RFC 9114 §7.2.4: the same setting MUST NOT occur more than once",
    hex: "08 01 08 01",
    want: "H3_SETTINGS_ERROR connection",
  },
  {
    name: "RFC 9114 §7.2.4: the same unknown setting MUST NOT occur more than once",
    hex: "21 00 06 00 4021 01",
    want: "H3_SETTINGS_ERROR connection",
  },
  ...["02", "03", "04", "05"].map((id) => ({
    name: `RFC 9114 §7.2.4.1: setting 0x${id} of HTTP/2 is H3_SETTINGS_ERROR`,
    hex: `${id} 00`,
    want: "H3_SETTINGS_ERROR connection",
  })),
  {
    name: "RFC 8441 §3: the value of ENABLE_CONNECT_PROTOCOL MUST be 0 or 1",
    hex: "08 02",
    want: "H3_SETTINGS_ERROR connection",
  },
  {
    name: "RFC 9297 §2.1.1: the value of H3_DATAGRAM MUST be 0 or 1",
    hex: "33 4100",
    want: "H3_SETTINGS_ERROR connection",
  },
  ...["08", "0801 40", "0801 06", "06 80", "06 800000"].map((bytes) => ({
    name: `RFC 9114 §7.1: a payload that ends before its fields is H3_FRAME_ERROR: ${bytes}`,
    hex: bytes,
    want: "H3_FRAME_ERROR connection",
  })),
];

for (const test of cases) {
  Deno.test(`settings: ${test.name}`, () => {
    let got: Settings | string;
    try {
      got = decodeSettings(hex(test.hex));
    } catch (error) {
      got = errorText(error);
    }
    const { want } = test;
    assert.deepEqual(got, typeof want === "string" ? want : { ...defaultSettings(), ...want });
  });
}

Deno.test("settings: defaults are left out", () => {
  assert.equal(toHex(encodeSettings({})), "");
  assert.equal(toHex(encodeSettings(defaultSettings())), "");
  assert.equal(toHex(encodeSettings({ enableConnectProtocol: true })), "0801");
});

Deno.test("settings: decode(encode(x)) = x", () => {
  const number = fc.oneof(fc.nat(100), fc.maxSafeNat());
  const settings = fc.record({
    maxFieldSectionSize: fc.option(number),
    enableConnectProtocol: fc.boolean(),
    qpackMaxTableCapacity: number,
    qpackBlockedStreams: number,
    h3Datagram: fc.boolean(),
    unknown: fc.uniqueArray(
      fc.tuple(fc.integer({ min: 0x34, max: Number.MAX_SAFE_INTEGER }), number),
      { selector: ([id]) => id, maxLength: MAX_UNKNOWN },
    ),
  });
  fc.assert(fc.property(settings, (x) => {
    assert.deepEqual(decodeSettings(encodeSettings(x)), { ...x });
  }));
});

Deno.test("settings: RFC 9114 §7.2.4.1: grease is of the form 0x1f * N + 0x21", () => {
  for (const random of [0, 1, 12345, 2 ** 32 - 1]) {
    const unknown = greaseSettings(random);
    assert.ok(unknown.length > 0 && unknown.every(([id]) => (id - 0x21) % 0x1f === 0));
    assert.deepEqual(decodeSettings(encodeSettings({ unknown })).unknown, unknown);
  }
});

Deno.test("settings: any bytes give settings or a PeerError", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => {
    try {
      decodeSettings(bytes);
    } catch (error) {
      errorText(error);
    }
  }));
});
