import assert from "node:assert/strict";
import { WebSocketError } from "../../../src/protocol/websocket/close.ts";
import { readHeader } from "../../../src/protocol/websocket/header.ts";
import { checkHeader, type HeaderContext } from "../../../src/protocol/websocket/rules.ts";
import { code, hex, isGood } from "./support.ts";

const toBackend: HeaderContext = { masked: true, inMessage: false, allowedRsv: 0 };
const toClient: HeaderContext = { masked: false, inMessage: false, allowedRsv: 0 };
const inside: HeaderContext = { ...toClient, inMessage: true };
const deflate: HeaderContext = { ...toClient, allowedRsv: 4 };
const deflateInside: HeaderContext = { ...inside, allowedRsv: 4 };
const unknown: HeaderContext = { ...toClient, allowedRsv: 7 };
const unknownInside: HeaderContext = { ...inside, allowedRsv: 7 };

// `want` is a part of the message, or null for a good header.
const TABLE: { name: string; hex: string; context: HeaderContext; want: string | null }[] = [
  { name: "a client's frame", hex: "818500000000", context: toBackend, want: null },
  { name: "a server's frame", hex: "8105", context: toClient, want: null },
  {
    name: "§5.1: a server MUST close on a frame that is not masked",
    hex: "8105",
    context: toBackend,
    want: "Frame TEXT is not masked",
  },
  {
    name: "§5.1: a client MUST close on a frame that is masked",
    hex: "818500000000",
    context: toClient,
    want: "Frame TEXT is masked",
  },
  ...["c1", "a1", "91", "f1"].map((first) => ({
    name: `§5.2: RSV MUST be 0 unless negotiated, first byte ${first}`,
    hex: first + "00",
    context: toClient,
    want: "not negotiated",
  })),
  { name: "RSV1 negotiated", hex: "c100", context: deflate, want: null },
  { name: "RSV1 negotiated, first of fragments", hex: "4200", context: deflate, want: null },
  { name: "RSV2 with only RSV1 negotiated", hex: "e100", context: deflate, want: "not negotiated" },
  {
    name: "RFC 7692 §6: MUST NOT set RSV1 on a control frame",
    hex: "c900",
    context: deflate,
    want: "first frame",
  },
  {
    name: "RFC 7692 §6: MUST NOT set RSV1 on a fragment behind the first",
    hex: "c000",
    context: deflateInside,
    want: "first frame",
  },
  { name: "any RSV for an unknown extension", hex: "f100", context: unknown, want: null },
  { name: "RSV1 on a ping, unknown extension", hex: "c900", context: unknown, want: null },
  { name: "RSV3 on a continuation, likewise", hex: "9000", context: unknownInside, want: null },
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) =>
    [toClient, inside].map((context) => ({
      name: `§5.2: reserved opcode ${opcode} MUST fail${context.inMessage ? ", inside" : ""}`,
      hex: "8" + opcode.toString(16) + "00",
      context,
      want: "is reserved",
    }))
  ),
  ...["08", "09", "0a"].map((first) => ({
    name: `§5.5: control frames MUST NOT be fragmented, ${first}`,
    hex: first + "00",
    context: toClient,
    want: "is fragmented",
  })),
  ...["887e007e", "897e007e", "8a7f0000000000010000"].map((text) => ({
    name: `§5.5: control frames MUST have at most 125 bytes, ${text}`,
    hex: text,
    context: toClient,
    want: "more than 125 bytes",
  })),
  { name: "a control frame of 125 bytes", hex: "897d", context: toClient, want: null },
  { name: "§5.4: control frames between fragments", hex: "8900", context: inside, want: null },
  {
    name: "§5.4: continuation only in a message",
    hex: "8000",
    context: toClient,
    want: "Frame CONTINUATION is outside",
  },
  { name: "§5.4: continuation in a message", hex: "0000", context: inside, want: null },
  { name: "§5.4: TEXT in a message", hex: "8100", context: inside, want: "inside of another" },
  { name: "§5.4: BINARY in a message", hex: "0200", context: inside, want: "inside of another" },
  {
    name: "§5.2: minimal number of bytes, 0 in 16 bits",
    hex: "827e0000",
    context: toClient,
    want: "shortest form",
  },
  {
    name: "§5.2: minimal number of bytes, 125 in 16 bits, masked",
    hex: "82fe007d00000000",
    context: toBackend,
    want: "shortest form",
  },
  { name: "126 in 16 bits", hex: "827e007e", context: toClient, want: null },
  { name: "126 in 16 bits, masked", hex: "82fe007e00000000", context: toBackend, want: null },
  {
    name: "§5.2: minimal number of bytes, 125 in 64 bits",
    hex: "827f000000000000007d",
    context: toClient,
    want: "shortest form",
  },
  {
    name: "§5.2: minimal number of bytes, 65535 in 64 bits, masked",
    hex: "82ff000000000000ffff00000000",
    context: toBackend,
    want: "shortest form",
  },
  {
    name: "§5.5: a ping of 5 bytes in 16 bits",
    hex: "897e0005",
    context: toClient,
    want: "shortest form",
  },
  { name: "65536 in 64 bits", hex: "827f0000000000010000", context: toClient, want: null },
  {
    name: "§5.2: the top bit of a 64-bit length MUST be 0",
    hex: "827f8000000000000000",
    context: toClient,
    want: "top bit",
  },
  { name: "2^63-1 is a length", hex: "827f7fffffffffffffff", context: toClient, want: null },
];

for (const { name, hex: text, context, want } of TABLE) {
  Deno.test(`rules: ${name}`, () => {
    const header = readHeader(hex(text), 0);
    if (want === null) return checkHeader(header, context);
    assert.throws(() => checkHeader(header, context), (error) => {
      assert.ok(error instanceof WebSocketError);
      assert.equal(error.code, 1002);
      assert.equal(error.scope, "stream");
      assert.equal(error.oversize, null);
      assert.ok(error.message.includes(want), error.message);
      return true;
    });
  });
}

Deno.test("rules: bit ruler over all 256 x 256 first two bytes", () => {
  const bytes = new Uint8Array(14);
  for (const masked of [false, true]) {
    for (const inMessage of [false, true]) {
      for (const allowedRsv of [0, 4, 7]) {
        const context = { masked, inMessage, allowedRsv };
        for (let word = 0; word < 0x10000; word++) {
          bytes[0] = word >> 8;
          bytes[1] = word & 0xff;
          // A length in its shortest form: 256 in 16 bits, 2^32 and more in 64 bits.
          bytes[2] = (word & 0x7f) === 126 ? 1 : 0;
          bytes[5] = 1;
          const good = code(() => checkHeader(readHeader(bytes, 0), context)) === null;
          if (good !== isGood(bytes[0], bytes[1], context)) {
            assert.fail(`${word.toString(16)} in ${JSON.stringify(context)}: ${good}`);
          }
        }
      }
    }
  }
});
