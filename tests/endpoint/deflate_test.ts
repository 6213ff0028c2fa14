import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { constants, createInflateRaw, deflateRawSync } from "node:zlib";
import * as fc from "fast-check";
import { Deflater, type DeflateWay, Inflater } from "../../src/endpoint/deflate.ts";
import { WebSocketError } from "../../src/protocol/websocket/close.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { hex, toHex } from "../protocol/websocket/support.ts";
import { within } from "../support/within.ts";

const MAX = 1024 * 1024;
const FRESH: DeflateWay = { windowBits: 15, noContextTakeover: true };
const KEPT: DeflateWay = { windowBits: 15, noContextTakeover: false };
const utf8 = new TextEncoder();

/** The samples of RFC 7692 §7.2.3, each a message of one socket, and what they say. */
const SAMPLES: { name: string; payloads: string[]; want: string[] }[] = [
  { name: "§7.2.3.1: one block", payloads: ["f248cdc9c90700"], want: ["Hello"] },
  {
    name: "§7.2.3.2: a window that slides over messages",
    payloads: ["f248cdc9c90700", "f200110000"],
    want: ["Hello", "Hello"],
  },
  {
    name: "§7.2.3.3: a block without compression",
    payloads: ["000500faff48656c6c6f00"],
    want: ["Hello"],
  },
  {
    name: "§7.2.3.4: a block with BFINAL, and messages behind it",
    payloads: ["f348cdc9c9070000", "f248cdc9c90700", "f348cdc9c9070000"],
    want: ["Hello", "Hello", "Hello"],
  },
  {
    name: "§7.2.3.4: a block with BFINAL and no more",
    payloads: ["f348cdc9c90700"],
    want: ["Hello"],
  },
  {
    name: "§7.2.3.4: three blocks with BFINAL in one message",
    payloads: ["f348cdc9c90700 f348cdc9c90700 f348cdc9c90700 00"],
    want: ["HelloHelloHello"],
  },
  {
    name: "§7.2.3.5: two blocks in one message",
    payloads: ["f2480500 0000ffff cac9c90700"],
    want: ["Hello"],
  },
  { name: "§7.2.3.6: an empty message", payloads: ["00", "00"], want: ["", ""] },
];

for (const { name, payloads, want } of SAMPLES) {
  Deno.test(`deflate: RFC 7692 ${name}`, async () => {
    const inflater = new Inflater(KEPT, MAX);
    for (const [i, payload] of payloads.entries()) {
      assert.equal(new TextDecoder().decode(await inflater.inflate(hex(payload))), want[i]);
    }
    inflater.close();
  });
}

Deno.test("deflate: what is sent is the sample of RFC 7692 §7.2.3.1 and §7.2.3.2", async () => {
  const kept = new Deflater(KEPT);
  assert.equal(toHex(await kept.deflate(utf8.encode("Hello"))), "f248cdc9c90700");
  assert.equal(toHex(await kept.deflate(utf8.encode("Hello"))), "f200110000");
  assert.equal(toHex(await kept.deflate(new Uint8Array(0))), "00");
  kept.close();
  const fresh = new Deflater(FRESH);
  assert.equal(toHex(await fresh.deflate(utf8.encode("Hello"))), "f248cdc9c90700");
  assert.equal(toHex(await fresh.deflate(utf8.encode("Hello"))), "f248cdc9c90700");
});

const BAD: { name: string; payload: string }[] = [
  { name: "a block of the reserved type", payload: "ffffffff" },
  { name: "a length that is not its complement", payload: "000500000048656c6c6f00" },
  { name: "a distance beyond all that went before", payload: "f200110000" },
];

for (const { name, payload } of BAD) {
  Deno.test(`deflate: 1007 for ${name}, and the next is inflated anew`, async () => {
    const inflater = new Inflater(KEPT, MAX);
    await assert.rejects(within("the fault", inflater.inflate(hex(payload))), (error) => {
      assert.ok(error instanceof WebSocketError);
      assert.equal(error.code, 1007);
      return true;
    });
    assert.equal(toHex(await inflater.inflate(hex("f248cdc9c90700"))), toHex(utf8.encode("Hello")));
    inflater.close();
  });
}

function zeros(bytes: number): Uint8Array {
  const whole = deflateRawSync(new Uint8Array(bytes), { finishFlush: constants.Z_SYNC_FLUSH });
  return whole.subarray(0, -4);
}

Deno.test("deflate: RFC 7692 §8: 1009 for a bomb, while it is inflated", async () => {
  const flush = { finishFlush: constants.Z_FULL_FLUSH };
  const part = deflateRawSync(new Uint8Array(MAX), flush);
  // 20 GiB, a matter of many seconds and more than there is memory.
  const bomb = concat(Array<Uint8Array>(20_000).fill(part));
  assert.ok(bomb.length < 25 * MAX);
  const inflater = new Inflater(KEPT, MAX);
  await assert.rejects(within("1009", inflater.inflate(bomb), 4_000), (error) => {
    assert.ok(error instanceof WebSocketError);
    assert.deepEqual([error.code, error.oversize], [1009, "message"]);
    return true;
  });
});

Deno.test("deflate: a message of the limit is taken, one of a byte more is not", async () => {
  for (const way of [KEPT, FRESH]) {
    for (const limit of [1, 1000, 16 * 1024, 100_000]) {
      const inflater = new Inflater(way, limit);
      assert.equal((await inflater.inflate(zeros(limit))).length, limit);
      await assert.rejects(inflater.inflate(zeros(limit + 1)), { code: 1009 });
      inflater.close();
    }
  }
});

/** What a whole message of `times` empty blocks with BFINAL is. */
function finals(times: number): Uint8Array {
  return concat(Array<Uint8Array>(times).fill(Uint8Array.of(0x03, 0x00)));
}

Deno.test("deflate: 16 blocks with BFINAL in a message are taken, 17 are 1008", async () => {
  for (const way of [KEPT, FRESH]) {
    const inflater = new Inflater(way, MAX);
    assert.equal((await inflater.inflate(finals(16))).length, 0);
    await assert.rejects(within("1008", inflater.inflate(finals(17))), (error) => {
      assert.ok(error instanceof WebSocketError);
      assert.equal(error.code, 1008);
      return true;
    });
    assert.equal(toHex(await inflater.inflate(hex("f248cdc9c90700"))), toHex(utf8.encode("Hello")));
    inflater.close();
  }
});

/** What is cheap to send and dear to take. */
const FLOODS: { name: string; payload: Uint8Array; times: number }[] = [
  { name: "empty messages", payload: Uint8Array.of(0x00), times: 2_000 },
  { name: "messages of blocks with BFINAL", payload: finals(16), times: 200 },
];

for (const { name, payload, times } of FLOODS) {
  Deno.test(`deflate: others have their turn while ${name} are inflated`, async () => {
    for (const way of [KEPT, FRESH]) {
      const inflaters = [new Inflater(way, MAX), new Inflater(way, MAX)];
      let isOver = false;
      const turns = (async () => {
        for (let turns = 0;; turns++) {
          if (isOver) return turns;
          await setImmediate();
        }
      })();
      await Promise.all(inflaters.map(async (inflater) => {
        for (let i = 0; i < times; i++) await inflater.inflate(payload);
        inflater.close();
      }));
      isOver = true;
      assert.ok(await turns >= 50, `${await turns} turns`);
    }
  });
}

/** Messages that repeat themselves near and far, and such that don't. */
const message = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 700 }), fc.integer({ min: 1, max: 400 })).map(
    ([part, times]) => concat(Array<Uint8Array>(times).fill(part)),
  ),
);
const way = fc.record({
  windowBits: fc.integer({ min: 8, max: 15 }),
  noContextTakeover: fc.boolean(),
});

Deno.test("deflate: inflate(deflate(x)) = x, message after message, for every window", async () => {
  await fc.assert(
    fc.asyncProperty(way, fc.array(message, { maxLength: 4 }), async (way, messages) => {
      const deflater = new Deflater(way);
      const inflater = new Inflater(way, Infinity);
      try {
        for (const message of messages) {
          assert.deepEqual(await inflater.inflate(await deflater.deflate(message)), message);
        }
      } finally {
        deflater.close();
        inflater.close();
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("deflate: RFC 7692 §7.1.2: nothing refers to what is behind the window", async () => {
  for (const windowBits of [8, 9, 10, 12, 15]) {
    const deflater = new Deflater({ windowBits, noContextTakeover: false });
    // An inflater that has no more than the window, and can't see more by the size of its output.
    const inflater = createInflateRaw({ windowBits, chunkSize: 64 });
    const got: Uint8Array[] = [];
    inflater.on("data", (part: Uint8Array) => got.push(part));
    const failed = new Promise<never>((_, reject) => inflater.on("error", reject));
    const sent: Uint8Array[] = [];
    for (const away of [-1, 0, 1, 100].map((more) => (1 << windowBits) + more)) {
      const part = crypto.getRandomValues(new Uint8Array(away));
      for (let i = 0; i < 4; i++) {
        sent.push(part);
        const payload = concat([await deflater.deflate(part), Uint8Array.of(0, 0, 0xff, 0xff)]);
        const flushed = new Promise<void>((resolve) => {
          inflater.write(payload);
          inflater.flush(constants.Z_SYNC_FLUSH, () => resolve());
        });
        await Promise.race([flushed, failed]);
      }
    }
    assert.deepEqual(concat(got), concat(sent));
    deflater.close();
    inflater.close();
  }
});

Deno.test("deflate: whatever comes is inflated, or a WebSocketError", async () => {
  const cut = fc.tuple(message, fc.nat()).map(([bytes, at]) => {
    const whole = deflateRawSync(bytes);
    return whole.subarray(0, at % (whole.length + 1));
  });
  await fc.assert(
    fc.asyncProperty(way, fc.oneof(fc.uint8Array({ maxLength: 100 }), cut), async (way, bytes) => {
      const inflater = new Inflater(way, 10_000);
      try {
        const whole = await within("an outcome", inflater.inflate(bytes));
        assert.ok(whole.length <= 10_000);
      } catch (error) {
        assert.ok(error instanceof WebSocketError, String(error));
      } finally {
        inflater.close();
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("deflate: others have their turn while a large message is deflated", async () => {
  const message = new Uint8Array(4 * MAX).map((_, i) => (i * 2654435761) >>> 13);
  const deflater = new Deflater(FRESH);
  const inflater = new Inflater(FRESH, Infinity);
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const payload = await deflater.deflate(message);
  assert.ok(turns > 5, `${turns} turns`);
  assert.deepEqual(await inflater.inflate(payload), message);
  clearInterval(timer);
});
