import assert from "node:assert/strict";
import fc from "fast-check";
import {
  MessageDecoder,
  type MessageDecoderOptions,
  type MessageEvent,
} from "../../../src/protocol/websocket/decoder.ts";
import { encodeFrame } from "../../../src/protocol/websocket/encoder.ts";
import { Opcode } from "../../../src/protocol/websocket/opcode.ts";
import { byteByByte, code, concat, feed, hex, inTwo, waysToCut } from "./support.ts";

interface Row {
  name: string;
  hex: string;
  options?: Partial<MessageDecoderOptions>;
  want: MessageEvent[];
  fault?: number;
  /** Whether it is `end` that throws. */
  cut?: boolean;
}

function decoderWith(options: Partial<MessageDecoderOptions> = {}): MessageDecoder {
  const limits = { maxFrameBytes: 1 << 20, maxMessageBytes: 8 << 20 };
  return new MessageDecoder({ masked: false, ...limits, ...options });
}

const masked = { masked: true };
const text = (data: string): MessageEvent => ({ type: "text", data });
const binary = (data: string): MessageEvent => ({ type: "binary", data: hex(data) });
const ping = (payload: string): MessageEvent => ({ type: "ping", payload: hex(payload) });
const pong = (payload: string): MessageEvent => ({ type: "pong", payload: hex(payload) });
const close = (code: number, reason: string): MessageEvent => ({ type: "close", code, reason });

const hello = "810548656c6c6f";
const maskedHello = "818537fa213d7f9f4d5158";

const GOOD: Row[] = [
  { name: "nothing", hex: "", want: [] },
  { name: "§5.7 unmasked text", hex: hello, want: [text("Hello")] },
  { name: "§5.7 masked text", hex: maskedHello, options: masked, want: [text("Hello")] },
  { name: "§5.7 fragments", hex: "010348656c 80026c6f", want: [text("Hello")] },
  { name: "§5.7 ping", hex: "890548656c6c6f", want: [ping("48656c6c6f")] },
  {
    name: "§5.7 masked pong",
    hex: "8a8537fa213d7f9f4d5158",
    options: masked,
    want: [pong("48656c6c6f")],
  },
  {
    name: "§5.7 256 bytes",
    hex: "827e0100" + "ab".repeat(256),
    want: [binary("ab".repeat(256))],
  },
  {
    name: "§5.4: control frames between fragments",
    hex: "0201aa 8900 0001bb 8a01cc 8001dd",
    want: [ping(""), pong("cc"), binary("aabbdd")],
  },
  {
    name: "each fragment has its own masking key",
    hex: "018201020304 6967 008104030201 68 808205060708 6969",
    options: masked,
    want: [text("hello")],
  },
  {
    name: "zero-length frames and messages",
    hex: "8100 0200 0000 8000 8200 0100 800161",
    want: [text(""), binary(""), binary(""), text("a")],
  },
  {
    name: "§5.6: a code point over fragments",
    hex: "0101e2 8900 000182 8001ac",
    want: [ping(""), text("€")],
  },
  { name: "a BOM is part of the text", hex: "8104efbbbf61", want: [text("\ufeffa")] },
  { name: "§5.6: BINARY may hold anything", hex: "8202c0ff", want: [binary("c0ff")] },
  { name: "Close without a payload is 1005", hex: "8800", want: [close(1005, "")] },
  {
    name: "§5.5.1: bytes behind a Close are dropped",
    hex: hello + "880503e8627965" + hello + "ffffff",
    want: [text("Hello"), close(1000, "bye")],
  },
  {
    name: "a masked Close",
    hex: "888537fa213d 3412 43 44 52",
    options: masked,
    want: [close(1000, "bye")],
  },
  {
    name: "Close between fragments",
    hex: "010161 8800",
    want: [close(1005, "")],
  },
  {
    name: "RSV1 where it is negotiated: the bytes are for the extension, UTF-8 is not checked",
    hex: "c101ff 4201aa 8001bb 8100",
    options: { allowedRsv: 4 },
    want: [
      { type: "extended", opcode: Opcode.TEXT, rsv: 4, data: hex("ff") },
      { type: "extended", opcode: Opcode.BINARY, rsv: 4, data: hex("aabb") },
      text(""),
    ],
  },
  {
    name: "frames and messages of just the limit",
    hex: "8203aaaaaa 0202aaaa 0000 8001aa",
    options: { maxFrameBytes: 3, maxMessageBytes: 3 },
    want: [binary("aaaaaa"), binary("aaaaaa")],
  },
  {
    name: "control frames do not count for the limits",
    hex: "0201aa 8905bbbbbbbbbb 8000",
    options: { maxFrameBytes: 1, maxMessageBytes: 1 },
    want: [ping("bbbbbbbbbb"), binary("aa")],
  },
];

const BAD: Row[] = [
  { name: "§5.1: masked by a server", hex: maskedHello, want: [], fault: 1002 },
  { name: "§5.1: not masked by a client", hex: hello, options: masked, want: [], fault: 1002 },
  {
    name: "§5.2: RSV that was not negotiated",
    hex: hello + "c100",
    want: [text("Hello")],
    fault: 1002,
  },
  { name: "§5.2: reserved opcode", hex: "8300", want: [], fault: 1002 },
  { name: "§5.2: reserved control opcode", hex: "8b00", want: [], fault: 1002 },
  {
    name: "§5.4: continuation only in a message",
    hex: "820080 00",
    want: [binary("")],
    fault: 1002,
  },
  { name: "§5.4: new message inside another", hex: "0100 8100", want: [], fault: 1002 },
  { name: "§5.5: fragmented control frame", hex: "0900", want: [], fault: 1002 },
  { name: "§5.5: control frame of 126 bytes", hex: "897e007e", want: [], fault: 1002 },
  { name: "§5.2: length not minimal", hex: "827e0001aa", want: [], fault: 1002 },
  { name: "§5.2: top bit of a 64-bit length", hex: "827f8000000000000000", want: [], fault: 1002 },
  { name: "§5.5.1: Close of 1 byte", hex: "890102 880103", want: [ping("02")], fault: 1002 },
  { name: "§7.4.1: Close with 1006", hex: "880203ee", want: [], fault: 1002 },
  { name: "§8.1: Close with a reason that is not UTF-8", hex: "880303e8ff", want: [], fault: 1007 },
  { name: "§8.1: text that is not UTF-8", hex: "8102c080", want: [], fault: 1007 },
  { name: "§8.1: text that ends in a code point", hex: "8102e282", want: [], fault: 1007 },
  { name: "§8.1: ... over fragments", hex: "0102e282 8000", want: [], fault: 1007 },
  {
    name: "§8.1: masked text that is not UTF-8",
    hex: "818101020304fe",
    options: masked,
    want: [],
    fault: 1007,
  },
  {
    name: "a 64-bit length above 2^53",
    hex: "827f0020000000000001",
    options: { maxFrameBytes: Infinity, maxMessageBytes: Infinity },
    want: [],
    fault: 1009,
  },
  {
    name: "a frame above the limit",
    hex: "8206",
    options: { maxFrameBytes: 5 },
    want: [],
    fault: 1009,
  },
  {
    name: "a message above the limit",
    hex: "8206",
    options: { maxMessageBytes: 5 },
    want: [],
    fault: 1009,
  },
  {
    name: "a message above the limit over fragments",
    hex: "0203aaaaaa 8900 0002aaaa 8001",
    options: { maxMessageBytes: 5 },
    want: [ping("")],
    fault: 1009,
  },
  { name: "cut in a header", hex: hello + "81", want: [text("Hello")], fault: 1002, cut: true },
  { name: "cut in a payload", hex: "8202aa", want: [], fault: 1002, cut: true },
  { name: "cut in a Ping", hex: "8902aa", want: [], fault: 1002, cut: true },
  { name: "cut between fragments", hex: "0201aa", want: [], fault: 1002, cut: true },
];

for (const row of [...GOOD, ...BAD]) {
  Deno.test(`decoder: ${row.name}`, () => {
    const bytes = hex(row.hex);
    const twice = Array.from({ length: bytes.length }, (_, at) => inTwo(bytes, at));
    for (const chunks of [...waysToCut(bytes), ...twice]) {
      const got = feed(decoderWith(row.options), chunks, (event) => event);
      assert.deepEqual(got.events, row.want);
      assert.equal(got.fault, row.fault ?? null);
      assert.equal(got.atEnd, row.fault === undefined || row.cut === true);
    }
  });
}

/** How many bytes are taken until it throws. */
function failsAfter(bytes: Uint8Array, options: Partial<MessageDecoderOptions> = {}): number {
  const decoder = decoderWith(options);
  return byteByByte(bytes).findIndex((byte) =>
    code(() => {
      decoder.push(byte);
      decoder.next();
    }) !== null
  ) + 1;
}

Deno.test("decoder: §8.1: fails fast, at the first byte that is not UTF-8", () => {
  assert.equal(failsAfter(hex("817e 1000 6161 f490 8080")), 8);
  assert.equal(failsAfter(hex("0103 6161f4 8900 0001 90 80")), 10);
});

Deno.test("decoder: a limit is checked before its payload comes", () => {
  assert.equal(failsAfter(hex("827e 0401 aaaa"), { maxFrameBytes: 1024 }), 4);
  assert.equal(failsAfter(hex("0201aa 8201bb")), 5);
});

Deno.test("decoder: memory grows with what came, never with what was announced", () => {
  const decoder = decoderWith({ maxFrameBytes: 2 ** 40, maxMessageBytes: 2 ** 40 });
  decoder.push(hex("827f 000000ff00000000 aabbcc"));
  assert.equal(decoder.next(), null);
  assert.equal(decoder.buffered, 3);
});

Deno.test("decoder: many small fragments cost time in proportion to their bytes", () => {
  const decoder = decoderWith();
  const count = 1_000_000;
  const bytes = new Uint8Array(3 * count);
  for (let i = 0; i < count; i++) bytes.set([i === 0 ? 0x02 : 0x00, 1, i & 0xff], 3 * i);
  const start = performance.now();
  decoder.push(bytes);
  assert.equal(decoder.next(), null);
  assert.equal(decoder.buffered, count);
  decoder.push(hex("8000"));
  const event = decoder.next();
  assert.ok(event?.type === "binary" && event.data.length === count && event.data[513] === 1);
  assert.equal(event.data.buffer.byteLength, count, "no more is kept alive than the message");
  // Copying at every fragment would move 500 GB.
  assert.ok(performance.now() - start < 5000);
});

Deno.test("decoder: what it told is the receiver's own", () => {
  const bytes = hex("8202aabb 8901cc 8202ddee");
  const decoder = decoderWith();
  decoder.push(bytes);
  const events = [decoder.next(), decoder.next(), decoder.next(), decoder.next()];
  bytes.fill(0);
  decoder.push(hex("8901ff"));
  decoder.next();
  assert.deepEqual(events, [binary("aabb"), ping("cc"), binary("ddee"), null]);
});

Deno.test("decoder: whole = byte by byte = random cuts, on frames with random faults", () => {
  const frame = fc.record({
    fin: fc.boolean(),
    rsv: fc.constantFrom(0, 0, 0, 0, 4),
    opcode: fc.constantFrom(0, 0, 1, 2, 1, 2, 8, 9, 10),
    payload: fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }).map((s) => new TextEncoder().encode(s)),
      fc.uint8Array({ maxLength: 300 }),
    ),
  });
  const noise = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 });
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.boolean(),
      noise,
      (frames, isMasked, faults) => {
        const maskKey = isMasked ? hex("37fa213d") : undefined;
        const bytes = concat(
          ...frames.map((f) => encodeFrame({ ...f, opcode: f.opcode as Opcode, maskKey })),
        );
        for (const [at, byte] of faults) bytes[at % bytes.length] = byte;
        const options = {
          masked: isMasked,
          maxFrameBytes: 280,
          maxMessageBytes: 400,
          allowedRsv: 4,
        };
        const ways = waysToCut(bytes).map((chunks) => feed(decoderWith(options), chunks, (e) => e));
        for (const got of ways) assert.deepEqual(got, ways[0]);
      },
    ),
    { numRuns: 2000 },
  );
});
