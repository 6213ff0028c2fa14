import assert from "node:assert/strict";
import type { MeterOptions } from "../../../src/protocol/websocket/meter.ts";
import { hex, inTwo, waysToCut } from "./support.ts";
import { meterAll } from "./meter_support.ts";

interface Row {
  name: string;
  hex: string;
  options?: Partial<MeterOptions>;
  want: string[];
  fault?: number;
  /** Whether it is `end` that throws. */
  cut?: boolean;
  counts?: Record<string, number>;
}

const masked = { masked: true };
const hello = "810548656c6c6f";
const maskedHello = "818537fa213d7f9f4d5158";

const GOOD: Row[] = [
  { name: "nothing", hex: "", want: [], counts: {} },
  {
    name: "§5.7 unmasked text",
    hex: hello,
    want: [`pass ${hello}`],
    counts: {
      bytes: 7,
      frameText: 1,
      messagesText: 1,
      sizesText: 1,
      sizesTextSum: 5,
      "sizesText[0]": 1,
    },
  },
  { name: "§5.7 masked text", hex: maskedHello, options: masked, want: [`pass ${maskedHello}`] },
  {
    name: "§5.7 fragments",
    hex: "010348656c 80026c6f",
    want: ["pass 010348656c80026c6f"],
    counts: {
      bytes: 9,
      frameText: 1,
      frameCont: 1,
      messagesText: 1,
      sizesText: 1,
      sizesTextSum: 5,
      "sizesText[0]": 1,
    },
  },
  {
    name: "§5.7 ping and masked pong",
    hex: "898537fa213d7f9f4d5158 8a8537fa213d7f9f4d5158",
    options: masked,
    want: ["pass 898537fa213d7f9f4d51588a8537fa213d7f9f4d5158"],
    counts: { bytes: 22, framePing: 1, framePong: 1 },
  },
  {
    name: "§5.7 256 bytes",
    hex: "827e0100" + "00".repeat(256),
    want: ["pass 827e0100" + "00".repeat(256)],
    counts: {
      bytes: 260,
      frameBinary: 1,
      messagesBinary: 1,
      sizesBinary: 1,
      sizesBinarySum: 256,
      "sizesBinary[2]": 1,
    },
  },
  {
    name: "§5.4: control frames between fragments",
    hex: "0201aa 8900 0001bb 8a01cc 8001dd",
    want: ["pass 0201aa89000001bb8a01cc8001dd"],
    counts: {
      bytes: 14,
      frameBinary: 1,
      frameCont: 2,
      framePing: 1,
      framePong: 1,
      messagesBinary: 1,
      sizesBinary: 1,
      sizesBinarySum: 3,
      "sizesBinary[0]": 1,
    },
  },
  {
    name: "zero-length frames and messages",
    hex: "8100 0200 0000 8000 8200 0100 8001aa",
    want: ["pass 81000200000080008200010080" + "01aa"],
    counts: {
      bytes: 15,
      frameText: 2,
      frameBinary: 2,
      frameCont: 3,
      messagesText: 2,
      messagesBinary: 2,
      sizesText: 2,
      sizesTextSum: 1,
      "sizesText[0]": 2,
      sizesBinary: 2,
      "sizesBinary[0]": 2,
    },
  },
  {
    name: "watchPong: each Pong is an event, a Ping is not",
    hex: "8100 8a0168 8900 8a00 8200",
    options: { watchPong: true },
    want: ["pass 8100", "pong 8a0168 68", "pass 8900", "pong 8a00 ", "pass 8200"],
  },
  {
    name: "watchPong: the payload is unmasked, the bytes are as they came",
    hex: "8a8537fa213d7f9f4d5158",
    options: { masked: true, watchPong: true },
    want: ["pong 8a8537fa213d7f9f4d5158 48656c6c6f"],
  },
  {
    name: "a Pong between fragments",
    hex: "0101aa 8a7d" + "bb".repeat(125) + "8001cc",
    options: { watchPong: true },
    want: ["pass 0101aa", `pong 8a7d${"bb".repeat(125)} ${"bb".repeat(125)}`, "pass 8001cc"],
  },
  {
    name: "Close without a payload is 1005",
    hex: "8800",
    want: ["close 8800 1005 "],
    counts: { bytes: 2, frameClose: 1 },
  },
  {
    name: "Close with bytes behind it: they are dropped",
    hex: hello + "880503e8627965" + hello + "ffffff",
    want: [`pass ${hello}`, "close 880503e8627965 1000 bye"],
    counts: {
      bytes: 14,
      frameText: 1,
      frameClose: 1,
      messagesText: 1,
      sizesText: 1,
      sizesTextSum: 5,
      "sizesText[0]": 1,
    },
  },
  {
    name: "a masked Close payload is unmasked",
    hex: "888537fa213d 3412 43 44 52",
    options: masked,
    want: ["close 888537fa213d3412434452 1000 bye"],
  },
  {
    name: "Close between fragments",
    hex: "0101aa 88020bb8",
    want: ["pass 0101aa", "close 88020bb8 3000 "],
  },
  {
    name: "Close of 125 bytes, masked",
    hex: "88fd00000000 03e8" + "61".repeat(123),
    options: masked,
    want: [`close 88fd0000000003e8${"61".repeat(123)} 1000 ${"a".repeat(123)}`],
  },
  {
    name: "compressed messages where RSV1 is negotiated",
    hex: "c101aa 4101aa 8001aa c200",
    options: { allowedRsv: 4 },
    want: ["pass c101aa4101aa8001aac200"],
  },
  {
    name: "frames and messages of just the limit",
    hex: "8203aaaaaa 0202aaaa 0000 8001aa",
    options: { maxFrameBytes: 3, maxMessageBytes: 3 },
    want: ["pass 8203aaaaaa0202aaaa00008001aa"],
  },
  {
    name: "control frames do not count for the limits",
    hex: "0201aa 8905aaaaaaaaaa 8000",
    options: { maxFrameBytes: 1, maxMessageBytes: 1 },
    want: ["pass 0201aa8905aaaaaaaaaa8000"],
  },
];

/** A fault alone, and with good bytes before and behind. `passed` is what of `text` goes on. */
function bad(name: string, text: string, more: Partial<Row> & { passed?: string }): Row[] {
  const { passed = "", ...rest } = more;
  const want = passed === "" ? [] : [`pass ${passed}`];
  return [
    { name, hex: text, want, ...rest },
    {
      name: `${name}, with good bytes before and behind`,
      hex: hello + text + hello,
      want: [`pass ${hello}${passed}`],
      ...rest,
    },
  ];
}

const BAD: Row[] = [
  ...bad("§5.1: masked by a server", "818000000000", { fault: 1002 }),
  ...bad("§5.2: RSV that was not negotiated", "c100", { fault: 1002 }),
  ...bad("§5.2: reserved opcode", "8301aa", { fault: 1002 }),
  ...bad("§5.2: reserved control opcode", "8b00", { fault: 1002 }),
  ...bad("§5.4: continuation only in a message", "8001aa", { fault: 1002 }),
  ...bad("§5.4: new message inside another", "0101aa 8101bb", { fault: 1002, passed: "0101aa" }),
  ...bad("§5.5: fragmented control frame", "0900", { fault: 1002 }),
  ...bad("§5.5: control frame of 126 bytes", "897e007e" + "00".repeat(126), { fault: 1002 }),
  ...bad("§5.2: length not minimal", "817e000548656c6c6f", { fault: 1002 }),
  ...bad("§5.2: top bit of a 64-bit length", "827f8000000000000001", { fault: 1002 }),
  ...bad("§5.5.1: Close of 1 byte", "880103", { fault: 1002 }),
  ...bad("§7.4.1: Close with 1005", "880203ed", { fault: 1002 }),
  ...bad("§8.1: Close with a reason that is not UTF-8", "880303e8ff", { fault: 1007 }),
  ...bad("a 64-bit length above 2^53", "827f0020000000000001", {
    fault: 1009,
    options: { maxFrameBytes: Infinity, maxMessageBytes: Infinity },
  }),
  ...bad("a 64-bit length of 2^63-1", "827f7fffffffffffffff", { fault: 1009 }),
  ...bad("a frame above the limit", "8206aaaaaaaaaaaa", {
    fault: 1009,
    options: { maxFrameBytes: 5 },
  }),
  ...bad("a message above the limit", "8206aaaaaaaaaaaa", {
    fault: 1009,
    options: { maxMessageBytes: 5 },
  }),
  ...bad("a message above the limit over fragments", "0203aaaaaa 8900 0002aaaa 8001aa", {
    fault: 1009,
    options: { maxMessageBytes: 5 },
    passed: "0203aaaaaa89000002aaaa",
  }),
  {
    name: "§5.1: a client that does not mask",
    hex: maskedHello + hello,
    options: masked,
    want: [`pass ${maskedHello}`],
    fault: 1002,
  },
  {
    name: "an oversize frame is counted once, and nothing of it",
    hex: "8200 8202aaaa",
    options: { maxFrameBytes: 1 },
    want: ["pass 8200"],
    fault: 1009,
    counts: {
      bytes: 2,
      frameBinary: 1,
      messagesBinary: 1,
      sizesBinary: 1,
      "sizesBinary[0]": 1,
      oversizeFrames: 1,
    },
  },
  {
    name: "an oversize message is counted once, and its good frames",
    hex: "0201aa 8001aa",
    options: { maxMessageBytes: 1 },
    want: ["pass 0201aa"],
    fault: 1009,
    counts: {
      bytes: 3,
      frameBinary: 1,
      oversizeMessages: 1,
    },
  },
  { name: "cut in a header", hex: "82", want: [], fault: 1002, cut: true },
  { name: "cut in a long header", hex: "8200 827e01", want: ["pass 8200"], fault: 1002, cut: true },
  { name: "cut in a payload", hex: "8202aa", want: ["pass 8202aa"], fault: 1002, cut: true },
  { name: "cut in a Ping", hex: "8902aa", want: [], fault: 1002, cut: true },
  { name: "cut in a Close", hex: "8100880203", want: ["pass 8100"], fault: 1002, cut: true },
];

for (const row of [...GOOD, ...BAD]) {
  Deno.test(`meter: ${row.name}`, () => {
    const bytes = hex(row.hex);
    const twice = Array.from({ length: bytes.length }, (_, at) => inTwo(bytes, at));
    for (const chunks of [...waysToCut(bytes), ...twice]) {
      const got = meterAll(chunks, row.options ?? {});
      assert.deepEqual(got.events, row.want);
      assert.equal(got.fault, row.fault ?? null);
      assert.equal(got.atEnd, row.fault === undefined || row.cut === true);
      assert.equal(got.closed, row.want.at(-1)?.startsWith("close") ?? false);
      if (row.counts !== undefined) assert.deepEqual(got.counts, row.counts);
    }
  });
}
