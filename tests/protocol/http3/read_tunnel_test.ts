import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeFrame, FrameType } from "../../../src/protocol/http3/frame.ts";
import { RequestStreamParser } from "../../../src/protocol/http3/request_stream.ts";
import { cutAt, errorText, hex, toHex } from "./feed.ts";

function openTunnel(role: "server" | "client" = "server"): RequestStreamParser {
  const parser = new RequestStreamParser({ role, maxHeaderBytes: 100 });
  parser.push(hex("01 01 d1"));
  assert.equal(parser.next()?.type, "headers");
  parser.finalHeaders();
  parser.tunnel();
  assert.equal(parser.next(), null);
  return parser;
}

/** All payload as hex, then "end" or what was thrown. */
function readAll(chunks: Uint8Array[], role?: "server" | "client"): string {
  const parser = openTunnel(role);
  let payload = "";
  try {
    for (const chunk of chunks) {
      // In a bigger buffer, of which nothing but the chunk may be touched.
      const buffer = new Uint8Array(chunk.length + 40).fill(0xee);
      const own = buffer.subarray(16, 16 + chunk.length);
      own.set(chunk);
      const length = parser.readTunnel(own);
      const start = parser.tunnelStart;
      assert.ok(start >= 0 && length >= 0 && start + length <= chunk.length);
      payload += toHex(own.subarray(start, start + length));
      assert.ok(buffer.subarray(0, 16).every((byte) => byte === 0xee));
      assert.ok(buffer.subarray(16 + chunk.length).every((byte) => byte === 0xee));
      assert.ok(parser.buffered <= parser.limit);
    }
    parser.end();
    return `${payload} end`;
  } catch (error) {
    const text = errorText(error);
    assert.throws(() => parser.readTunnel(hex("00 01 61")), error as Error);
    assert.throws(() => parser.next(), error as Error);
    assert.throws(() => parser.end(), error as Error);
    return `${payload} ${text}`;
  }
}

function bytewise(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
}

const cases = [
  { name: "nothing", hex: "", want: " end" },
  { name: "one frame", hex: "00 03 616263", want: "616263 end" },
  { name: "a short frame, then a longer one", hex: "00 01 61 00 03 626364", want: "61626364 end" },
  {
    name: "a long frame, then shorter ones",
    hex: "00 03 616263 00 02 6465 00 01 66",
    want: "616263646566 end",
  },
  { name: "empty frames", hex: "00 00 00 01 61 00 00 00 4000 00 01 62 00 00", want: "6162 end" },
  {
    name: "long forms of type and length",
    hex: "4000 c000000000000002 6162 c000000000000000 80000001 63",
    want: "616263 end",
  },
  {
    name: "RFC 9114 §9: unknown frame types MUST be ignored",
    hex: "21 02 ffff 00 01 61 40ff 00 00 01 62 21 01 00",
    want: "6162 end",
  },
];

for (const test of cases) {
  Deno.test(`readTunnel: ${test.name}`, () => {
    const bytes = hex(test.hex);
    assert.equal(readAll([bytes]), test.want);
    assert.equal(readAll(bytewise(bytes)), test.want);
    for (let cut = 0; cut <= bytes.length; cut++) {
      assert.equal(readAll([bytes.subarray(0, cut), bytes.subarray(cut)]), test.want, `cut ${cut}`);
    }
  });
}

// What came before the fault in the same chunk is lost, so only the end of the line is one for all.
const faults = [
  ...["01", "03", "04", "05", "07", "0d", "02", "06", "08", "09"].map((type) => ({
    name: `RFC 9114 §4.4: in a tunnel only DATA may be sent: ${type}`,
    hex: `00 01 61 ${type} 01 00`,
    want: "H3_FRAME_UNEXPECTED connection",
  })),
  ...["00 02 61", "00 01 61 00", "00 01 61 00 80", "21 01"].map((bytes) => ({
    name: `RFC 9114 §7.1: a stream that ends inside a frame is H3_FRAME_ERROR: ${bytes}`,
    hex: bytes,
    want: "H3_FRAME_ERROR connection",
  })),
  {
    name: "RFC 9114 §10.8: a length above 2^53-1 is H3_FRAME_ERROR",
    hex: "00 ffffffffffffffff 61",
    want: "H3_FRAME_ERROR connection",
  },
];

for (const test of faults) {
  Deno.test(`readTunnel: ${test.name}`, () => {
    const bytes = hex(test.hex);
    for (const role of ["server", "client"] as const) {
      for (const chunks of [[bytes], bytewise(bytes)]) {
        assert.ok(readAll(chunks, role).endsWith(` ${test.want}`));
      }
    }
  });
}

Deno.test("readTunnel: no copy when the chunk has but one payload run", () => {
  const parser = openTunnel();
  const chunk = hex("00 4005 616263");
  const before = toHex(chunk);
  assert.equal(parser.readTunnel(chunk), 3);
  assert.equal(parser.tunnelStart, 3);
  assert.equal(toHex(chunk), before);
  assert.equal(parser.readTunnel(hex("6465 21 00")), 2);
  assert.equal(parser.tunnelStart, 0);
  assert.equal(parser.readTunnel(hex("00")), 0);
  assert.equal(parser.tunnelStart, 0);
  assert.equal(parser.buffered, 1);
});

Deno.test("readTunnel: the longer run stays where it is", () => {
  const parser = openTunnel();
  const chunk = hex("00 02 6162 00 04 63646566 00 01 67");
  assert.equal(parser.readTunnel(chunk), 7);
  assert.equal(parser.tunnelStart, 4);
});

Deno.test("readTunnel: after next() told what came in one chunk with HEADERS", () => {
  const parser = new RequestStreamParser({ role: "client", maxHeaderBytes: 100 });
  parser.push(hex("01 01 d1 00 05 6162"));
  assert.equal(parser.next()?.type, "headers");
  parser.finalHeaders();
  parser.tunnel();
  assert.deepEqual(parser.next(), { type: "data", bytes: hex("6162") });
  assert.equal(parser.next(), null);
  const chunk = hex("636465 00 01 66");
  assert.equal(parser.readTunnel(chunk), 4);
  assert.equal(toHex(chunk.subarray(parser.tunnelStart, parser.tunnelStart + 4)), "63646566");
});

Deno.test("readTunnel: any frames, however they are cut, give their payloads in order", () => {
  const size = fc.oneof(fc.nat(5), fc.nat(70), fc.nat(400));
  const frame = fc.record({ type: fc.constantFrom(0, 0, 0, 0, 0x21, 0x4021), size });
  const input = fc.tuple(fc.array(frame, { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 12 }));
  let next = 0;
  fc.assert(
    fc.property(input, ([frames, cuts]) => {
      let payload = "";
      const parts = frames.map(({ type, size }) => {
        const bytes = Uint8Array.from({ length: size }, () => next++ & 0xff);
        if (type === FrameType.DATA) payload += toHex(bytes);
        return encodeFrame(type, bytes);
      });
      const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
      assert.equal(readAll(cutAt(bytes, cuts)), `${payload} end`);
    }),
    { numRuns: 500 },
  );
});

Deno.test("readTunnel: any bytes give a payload or a PeerError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const whole = readAll([bytes]).split(" ");
      const cut = readAll(bytewise(bytes)).split(" ");
      assert.deepEqual(cut.slice(1), whole.slice(1));
      assert.ok(cut[0].startsWith(whole[0]));
    }),
    { numRuns: 2000 },
  );
});
