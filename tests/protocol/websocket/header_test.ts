import assert from "node:assert/strict";
import fc from "fast-check";
import {
  headerSize,
  headerSizeOf,
  readHeader,
  writeHeader,
} from "../../../src/protocol/websocket/header.ts";
import { isControl, Opcode, opcodeName } from "../../../src/protocol/websocket/opcode.ts";
import { hex, toHex } from "./support.ts";

const maskKey = hex("37fa213d");

// RFC 6455 §5.7, and the edges of each length form.
const VECTORS = [
  { name: "§5.7 unmasked text", hex: "8105", want: [true, 0, 1, false, 5, 2] },
  { name: "§5.7 masked text", hex: "818537fa213d", want: [true, 0, 1, true, 5, 6] },
  { name: "§5.7 first fragment", hex: "0103", want: [false, 0, 1, false, 3, 2] },
  { name: "§5.7 last fragment", hex: "8002", want: [true, 0, 0, false, 2, 2] },
  { name: "§5.7 ping", hex: "8905", want: [true, 0, 9, false, 5, 2] },
  { name: "§5.7 masked pong", hex: "8a8537fa213d", want: [true, 0, 10, true, 5, 6] },
  { name: "§5.7 256 bytes", hex: "827e0100", want: [true, 0, 2, false, 256, 4] },
  { name: "§5.7 64 KiB", hex: "827f0000000000010000", want: [true, 0, 2, false, 65536, 10] },
  { name: "close without payload", hex: "8800", want: [true, 0, 8, false, 0, 2] },
  { name: "RSV1", hex: "c100", want: [true, 4, 1, false, 0, 2] },
  { name: "RSV2", hex: "a100", want: [true, 2, 1, false, 0, 2] },
  { name: "RSV3", hex: "9100", want: [true, 1, 1, false, 0, 2] },
  { name: "125 bytes", hex: "827d", want: [true, 0, 2, false, 125, 2] },
  { name: "126 bytes", hex: "827e007e", want: [true, 0, 2, false, 126, 4] },
  { name: "65535 bytes", hex: "827effff", want: [true, 0, 2, false, 65535, 4] },
  {
    name: "2^53-1 bytes, masked",
    hex: "82ff001fffffffffffff37fa213d",
    want: [true, 0, 2, true, Number.MAX_SAFE_INTEGER, 14],
  },
] as const;

for (const { name, hex: text, want } of VECTORS) {
  Deno.test(`header: ${name}`, () => {
    const [fin, rsv, opcode, masked, length, size] = want;
    const bytes = hex("ffff" + text);
    assert.deepEqual(readHeader(bytes, 2), { fin, rsv, opcode, masked, length, size });
    assert.equal(headerSize(bytes[3]), size);
    assert.equal(headerSizeOf(length, masked), size);
    const out = new Uint8Array(20).fill(0xee);
    const init = { fin, rsv, opcode, length, maskKey: masked ? maskKey : undefined };
    assert.equal(writeHeader(out, 3, init), 3 + size);
    assert.equal(toHex(out), "eeeeee" + text + "ee".repeat(17 - size));
  });
}

Deno.test("header: a length above 2^53-1 comes back as 2^53, one with its top bit as 2^63", () => {
  const length = (text: string) => readHeader(hex("827f" + text), 0).length;
  assert.equal(length("0020000000000000"), 2 ** 53);
  assert.equal(length("0020000000000001"), 2 ** 53);
  assert.equal(length("0020000000000002"), 2 ** 53);
  assert.equal(length("7fffffffffffffff"), 2 ** 53);
  assert.equal(length("8000000000000000"), 2 ** 63);
  assert.equal(length("ffffffffffffffff"), 2 ** 63);
});

Deno.test("header: the size follows from the second byte, for all 256", () => {
  for (let byte = 0; byte < 256; byte++) {
    const short = byte % 128;
    const want = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (byte >= 128 ? 4 : 0);
    assert.equal(headerSize(byte), want);
  }
});

Deno.test("header: read(write(x)) = x", () => {
  const header = fc.record({
    fin: fc.boolean(),
    rsv: fc.nat(7),
    opcode: fc.nat(15),
    masked: fc.boolean(),
    length: fc.oneof(fc.nat(300), fc.nat(70000), fc.maxSafeNat()),
  });
  fc.assert(fc.property(header, fc.nat(5), (h, offset) => {
    const out = new Uint8Array(20);
    const end = writeHeader(out, offset, { ...h, maskKey: h.masked ? maskKey : undefined });
    assert.deepEqual(readHeader(out, offset), { ...h, size: end - offset });
    if (h.masked) assert.equal(toHex(out.subarray(end - 4, end)), "37fa213d");
  }));
});

Deno.test("opcode: names come from the table, control frames have the top bit", () => {
  assert.equal(opcodeName(Opcode.PONG), "PONG");
  assert.equal(opcodeName(0xb), "opcode 0xb");
  for (let opcode = 0; opcode < 16; opcode++) assert.equal(isControl(opcode), opcode >= 8);
});
