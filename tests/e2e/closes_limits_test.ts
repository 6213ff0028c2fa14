// --max-frame and --max-message: Close 1009 to both sides, and nothing of the frame goes on.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { deflated } from "../interop/deflate.ts";
import { closeAndFin, fromBackend, fromClient } from "../support/frames.ts";
import { type TestProxy, withProxy } from "../support/proxy.ts";

const LIMITS = { maxFrameBytes: 1000, maxMessageBytes: 2500 };
const SIDES = ["client", "backend"] as const;

interface Oversize {
  name: string;
  /** Within the limits. */
  good: (make: typeof fromClient) => Uint8Array[];
  /** The frame that is not; its header alone is sent. */
  bad: (make: typeof fromClient) => Uint8Array;
  kind: "frame" | "message";
}

const fragment = (make: typeof fromClient, opcode: Opcode, bytes: number, fin = false) =>
  make.frame(opcode, new Uint8Array(bytes).fill(0x61), { fin });

const ROWS: Oversize[] = [
  {
    name: "a frame of one byte too many",
    good: (make) => [fragment(make, Opcode.BINARY, 1000, true)],
    bad: (make) => fragment(make, Opcode.BINARY, 1001, true),
    kind: "frame",
  },
  {
    name: "a frame that says it has 2^40 bytes",
    good: (make) => [make.text("hello")],
    bad: (make) => {
      const mask = make === fromClient ? [0xff, 1, 2, 3, 4] : [0x7f];
      return Uint8Array.of(0x82, mask[0], 0, 0, 1, 0, 0, 0, 0, 0, ...mask.slice(1));
    },
    kind: "frame",
  },
  {
    name: "a message of one byte too many over its frames",
    good: (make) => [
      fragment(make, Opcode.TEXT, 1000),
      make.frame(Opcode.PING, "between"),
      fragment(make, Opcode.CONTINUATION, 1000),
    ],
    bad: (make) => fragment(make, Opcode.CONTINUATION, 501, true),
    kind: "message",
  },
];

for (const side of SIDES) {
  const make = side === "client" ? fromClient : fromBackend;
  for (const { name, good, bad, kind } of ROWS) {
    Deno.test(`closes: 1009 to both, from a ${side}: ${name}`, async () => {
      await withProxy(LIMITS, async (t) => {
        const { client, backend } = await t.open();
        const before = concat(good(make));
        // Its header is enough; it comes byte by byte.
        const header = bad(make).subarray(0, 14);
        const far = side === "client" ? backend.inbox : client.inbox;
        const send = (bytes: Uint8Array) =>
          side === "client" ? client.send(bytes) : Promise.resolve(backend.write(bytes));
        await send(before);
        for (const byte of header) await send(Uint8Array.of(byte));

        assert.deepEqual(await far.take(before.length), before);
        const toBackend = await closeAndFin(backend.inbox, true);
        const toClient = await closeAndFin(client.inbox, false);
        assert.deepEqual([toBackend.code, toClient.code], [1009, 1009]);
        const { by, code } = await t.seen.end();
        assert.deepEqual({ by, code }, { by: "proxy:limit", code: 1009 });
        const { oversizeFrames, oversizeMessages } = side === "client"
          ? t.seen.toBackend
          : t.seen.toClient;
        const want = kind === "frame" ? [1, 0] : [0, 1];
        assert.deepEqual([oversizeFrames, oversizeMessages], want);
        await client.fin();
        backend.fin();
      });
    });
  }

  Deno.test(`closes: a ${side}'s frame and message of just the limit pass`, async () => {
    await withProxy(LIMITS, async (t) => {
      const { client, backend } = await t.open();
      const all = concat([
        fragment(make, Opcode.TEXT, 1000),
        fragment(make, Opcode.CONTINUATION, 1000),
        fragment(make, Opcode.CONTINUATION, 500, true),
        fragment(make, Opcode.BINARY, 1000, true),
      ]);
      const far = side === "client" ? backend.inbox : client.inbox;
      if (side === "client") await client.send(all);
      else backend.write(all);
      assert.deepEqual(await far.take(all.length), all);
      await client.fin();
      backend.fin();
    });
  });
}

Deno.test("closes: a limit of one side lets the other finish no frame in the middle", async () => {
  await withProxy(LIMITS, async (t) => {
    const { client, backend } = await t.open();
    // The backend is in mid-frame: no Close may stand there, so the client's way ends with FIN.
    const part = fragment(fromBackend, Opcode.BINARY, 800, true).subarray(0, 100);
    backend.write(part);
    assert.deepEqual(await client.inbox.take(part.length), part);
    await client.send(fragment(fromClient, Opcode.BINARY, 1001, true));
    assert.equal((await closeAndFin(backend.inbox, true)).code, 1009);
    assert.deepEqual(await client.inbox.rest(), new Uint8Array(0));
    assert.equal((await t.seen.end()).by, "proxy:limit");
    await client.fin();
    backend.fin();
  });
});

Deno.test("closes: under permessage-deflate the limits count what is sent, not what it stands for", async () => {
  const extension = "permessage-deflate";
  const open = (t: TestProxy) =>
    t.open({}, [["sec-websocket-extensions", extension]], [
      `Sec-WebSocket-Extensions: ${extension}`,
    ]);
  const MIB = 2 ** 20;
  await withProxy({ maxFrameBytes: MIB, maxMessageBytes: 8 * MIB }, async (t) => {
    const first = await open(t);
    const small = deflated(new Uint8Array(16 * MIB));
    const frame = fromClient.frame(Opcode.BINARY, small, { rsv: 4 });
    await first.client.send(frame);
    assert.deepEqual(await first.backend.inbox.take(frame.length), frame);
    await first.client.fin();
    first.backend.fin();
    await first.client.inbox.rest();

    // What does not compress grows by the headers of its blocks.
    const { client, backend } = await open(t);
    const big = deflated(randomBytes(MIB));
    assert.ok(big.length > MIB);
    await client.send(fromClient.frame(Opcode.BINARY, big, { rsv: 4 }).subarray(0, 100));
    assert.equal((await closeAndFin(client.inbox, false)).code, 1009);
    assert.equal((await closeAndFin(backend.inbox, true)).code, 1009);
    await client.fin();
    backend.fin();
  });
});
