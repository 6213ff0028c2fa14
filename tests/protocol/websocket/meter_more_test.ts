// What a table cannot show: views, boundaries, live counts, memory, and random input.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { encodeFrame } from "../../../src/protocol/websocket/encoder.ts";
import { Meter, type MeterOptions } from "../../../src/protocol/websocket/meter.ts";
import { Opcode } from "../../../src/protocol/websocket/opcode.ts";
import type { HeaderContext } from "../../../src/protocol/websocket/rules.ts";
import { Traffic } from "../../../src/protocol/websocket/traffic.ts";
import { meterAll } from "./meter_support.ts";
import { code, concat, cutAtRandom, hex, isGood, toHex, waysToCut } from "./support.ts";

function meterWith(options: Partial<MeterOptions> = {}): Meter {
  const limits = { maxFrameBytes: 1 << 20, maxMessageBytes: 8 << 20 };
  return new Meter({ masked: false, ...limits, traffic: new Traffic(), ...options });
}

/** The bytes of each event of this chunk. */
function runs(meter: Meter, chunk: Uint8Array): string[] {
  const told: string[] = [];
  meter.push(chunk);
  for (let event = meter.next(); event !== null; event = meter.next()) {
    told.push(toHex(event.bytes));
  }
  return told;
}

Deno.test("meter: many frames are one run, and a whole chunk goes on as it is", () => {
  const meter = meterWith();
  const chunk = hex("8101aa 8900 0201aa 8a00 8000 8203aabb");
  meter.push(chunk);
  assert.deepEqual(meter.next(), { type: "pass", bytes: chunk });
  assert.equal(meter.next(), null);
  meter.push(chunk.subarray(0, 3));
  const rest = meter.next();
  assert.equal(rest?.bytes.buffer, chunk.buffer, "payload is never copied");
});

Deno.test("meter: a cut header is held back, and goes on as soon as it is whole", () => {
  const meter = meterWith({ masked: true });
  assert.deepEqual(runs(meter, hex("81800000000081fe00")), ["818000000000"]);
  assert.equal(meter.buffered, 3);
  assert.ok(meter.atBoundary);
  assert.deepEqual(runs(meter, hex("7e000000")), []);
  assert.equal(meter.buffered, 7);
  assert.deepEqual(runs(meter, hex("00")), ["81fe007e00000000"]);
  assert.equal(meter.buffered, 0);
  assert.ok(!meter.atBoundary);
  assert.ok(meter.inMessage);
  assert.deepEqual(runs(meter, hex("aa".repeat(126) + "81")), ["aa".repeat(126)]);
  assert.ok(meter.atBoundary);
  assert.ok(!meter.inMessage);
});

Deno.test("meter: a held run and the next held bytes of one chunk are apart", () => {
  const meter = meterWith();
  assert.deepEqual(runs(meter, hex("89")), []);
  meter.push(hex("01aa8a"));
  const first = meter.next();
  assert.equal(meter.next(), null);
  assert.equal(meter.buffered, 1);
  assert.equal(toHex(first!.bytes), "8901aa", "it holds until the next push");
  assert.deepEqual(runs(meter, hex("00")), ["8a00"]);
});

Deno.test("meter: a whole header and a half control frame: nothing of it is told", () => {
  const meter = meterWith();
  assert.deepEqual(runs(meter, hex("0101aa 8905aabbcc")), ["0101aa"]);
  assert.ok(meter.atBoundary, "here a Ping of the proxy may be put in");
  assert.ok(meter.inMessage);
  assert.equal(meter.frames, 1);
  assert.deepEqual(runs(meter, hex("ddee8000")), ["8905aabbccddee", "8000"]);
  assert.ok(!meter.inMessage);
});

Deno.test("meter: counts are live: bytes as they pass, a message at its last byte", () => {
  const traffic = new Traffic();
  const meter = meterWith({ traffic });
  runs(meter, hex("8204aabb"));
  assert.deepEqual([traffic.bytes, traffic.frameBinary, traffic.messagesBinary], [4, 1, 0]);
  runs(meter, hex("cc"));
  assert.deepEqual([traffic.bytes, traffic.messagesBinary, traffic.sizesBinary.count], [5, 0, 0]);
  runs(meter, hex("dd"));
  assert.deepEqual([traffic.bytes, traffic.messagesBinary, traffic.sizesBinary.sum], [6, 1, 4]);
});

Deno.test("meter: two sessions share one traffic and not their own counts", () => {
  const traffic = new Traffic();
  const one = meterWith({ traffic });
  const two = meterWith({ traffic });
  runs(one, hex("8100"));
  runs(two, hex("8101aa8100"));
  assert.deepEqual([one.messages, two.messages, traffic.messagesText], [1, 2, 3]);
  assert.deepEqual([one.bytes, two.bytes, traffic.bytes], [2, 5, 7]);
});

Deno.test("meter: a fault is thrown behind the good bytes, and ever after", () => {
  const meter = meterWith();
  meter.push(hex("8101aa 8300 8100"));
  assert.equal(toHex(meter.next()!.bytes), "8101aa");
  const message = /Frame opcode 0x3 is reserved/;
  assert.throws(() => meter.next(), message);
  assert.throws(() => meter.next(), message);
  meter.push(hex("8100"));
  assert.throws(() => meter.next(), message);
  assert.throws(() => meter.end(), message);
  assert.equal(meter.buffered, 0);
  assert.equal(meter.bytes, 3);
});

Deno.test("meter: a push before next gave null is our bug", () => {
  const meter = meterWith();
  meter.push(hex("8100"));
  assert.throws(() => meter.push(hex("8100")), /push\(\) before next\(\) gave null/);
});

Deno.test("meter: an empty chunk changes nothing", () => {
  const meter = meterWith();
  for (const text of ["", "81", "", "01", "", "aa", ""]) runs(meter, hex(text));
  meter.end();
  assert.deepEqual([meter.bytes, meter.messages, meter.frames], [3, 1, 1]);
});

Deno.test("meter: a Node Buffer passes unchanged, its control payload is unmasked in a copy", () => {
  const bytes = hex("8a8537fa213d7f9f4d5158 888237fa213d3412");
  const buffer = Buffer.from(bytes);
  const meter = meterWith({ masked: true, watchPong: true });
  assert.deepEqual(runs(meter, buffer), ["8a8537fa213d7f9f4d5158", "888237fa213d3412"]);
  assert.equal(toHex(buffer), toHex(bytes));
});

const shared = new Traffic();

/** Whether the meter takes the header at the start of `chunk`. */
function takes(chunk: Uint8Array, context: HeaderContext): boolean {
  const { inMessage, ...options } = context;
  const meter = meterWith({
    ...options,
    maxFrameBytes: Infinity,
    maxMessageBytes: Infinity,
    traffic: shared,
  });
  if (inMessage) runs(meter, hex(options.masked ? "028000000000" : "0200"));
  const before = meter.frames;
  code(() => {
    meter.push(chunk);
    while (meter.next() !== null);
  });
  return meter.frames > before;
}

function bitRuler(context: HeaderContext): void {
  const bytes = new Uint8Array(14 + 125);
  for (let word = 0; word < 0x10000; word++) {
    bytes[0] = word >> 8;
    bytes[1] = word & 0xff;
    bytes[2] = (word & 0x7f) === 126 ? 1 : 0;
    bytes[5] = 1;
    // The code of a Close that has one.
    const [, second] = bytes;
    if ((bytes[0] & 0xf) === Opcode.CLOSE && second % 128 > 1 && second % 128 < 126) {
      bytes.set(second < 128 ? [0x03, 0xe8, 0] : [0, 0, 0, 0, 0x03, 0xe8], 2);
    } else {
      bytes.fill(0, 6);
    }
    const isShortClose = (bytes[0] & 0xf) === Opcode.CLOSE && second % 128 === 1;
    const want = isGood(bytes[0], second, context) && !isShortClose;
    if (takes(bytes, context) !== want) {
      assert.fail(`${word.toString(16)} in ${JSON.stringify(context)}: ${!want}`);
    }
  }
}

Deno.test("meter: bit ruler over all 256 x 256 first two bytes", () => {
  for (const masked of [false, true]) {
    for (const inMessage of [false, true]) {
      for (const allowedRsv of [0, 4]) bitRuler({ masked, inMessage, allowedRsv });
    }
  }
});

/** A session's frames, most of them good. */
const frame = fc.record({
  fin: fc.boolean(),
  rsv: fc.constantFrom(0, 0, 0, 0, 4),
  opcode: fc.constantFrom(0, 0, 1, 2, 1, 2, 8, 9, 10),
  payload: fc.oneof(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 300 })),
});

Deno.test("meter: whole = byte by byte = random cuts, on frames with random faults", () => {
  const noise = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 });
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.boolean(),
      noise,
      (frames, masked, faults) => {
        const maskKey = masked ? hex("37fa213d") : undefined;
        const bytes = concat(
          ...frames.map((f) => encodeFrame({ ...f, opcode: f.opcode as Opcode, maskKey })),
        );
        for (const [at, byte] of faults) bytes[at % bytes.length] = byte;
        const options = { masked, maxFrameBytes: 280, maxMessageBytes: 400, watchPong: true };
        const ways = waysToCut(bytes).map((chunks) =>
          meterAll(chunks, { ...options, allowedRsv: 4 })
        );
        for (const got of ways) assert.deepEqual(got, ways[0]);
        const told = ways[0].events.map((event) => event.split(" ")[1]).join("");
        assert.ok(toHex(bytes).startsWith(told), "bytes pass unchanged, and in order");
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("meter: counts what was sent, on good sessions", () => {
  const size = fc.oneof(fc.nat(300), fc.nat(300), fc.constantFrom(65535, 65536));
  const message = fc.record({
    text: fc.boolean(),
    sizes: fc.array(size, { minLength: 1, maxLength: 3 }),
    ping: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), fc.nat(1000), (messages, seed) => {
      const frames: Uint8Array[] = [];
      const want = { text: 0, binary: 0, pings: 0, sum: 0 };
      for (const { text, sizes, ping } of messages) {
        sizes.forEach((size, i) => {
          const first = text ? Opcode.TEXT : Opcode.BINARY;
          const opcode = i === 0 ? first : Opcode.CONTINUATION;
          const fin = i === sizes.length - 1;
          frames.push(encodeFrame({ fin, opcode, payload: new Uint8Array(size) }));
          if (ping) frames.push(encodeFrame({ opcode: Opcode.PING, payload: new Uint8Array(3) }));
          want.sum += size;
          want.pings += ping ? 1 : 0;
        });
        want[text ? "text" : "binary"]++;
      }
      const bytes = concat(...frames);
      const traffic = new Traffic();
      const meter = meterWith({ traffic });
      for (const chunk of cutAtRandom(bytes, seed)) {
        meter.push(chunk);
        while (meter.next() !== null);
      }
      meter.end();
      const { messagesText, messagesBinary, framePing, sizesText, sizesBinary } = traffic;
      assert.deepEqual(
        { text: messagesText, binary: messagesBinary, pings: framePing, bytes: traffic.bytes },
        { text: want.text, binary: want.binary, pings: want.pings, bytes: bytes.length },
      );
      assert.equal(sizesText.sum + sizesBinary.sum, want.sum);
    }),
    { numRuns: 100 },
  );
});
