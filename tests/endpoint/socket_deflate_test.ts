// permessage-deflate in a socket: RFC 7692 §6, §7.2.
import assert from "node:assert/strict";
import { constants, deflateRawSync } from "node:zlib";
import * as fc from "fast-check";
import type { Message } from "../../src/endpoint/message.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import type { DeflateParameters } from "../../src/protocol/websocket/permessage_deflate.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { hex } from "../protocol/websocket/support.ts";
import { within } from "../support/within.ts";
import { socketPair } from "./pair.ts";
import { type Peer, ROLES, sent, socketOn, utf8 } from "./support.ts";

const FRESH: DeflateParameters = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};
const KEPT = { ...FRESH, serverNoContextTakeover: false, clientNoContextTakeover: false };
const RSV1 = 4;

function deflated(bytes: Uint8Array): Uint8Array {
  return deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

for (const role of ROLES) {
  Deno.test(`socket with deflate, ${role}: RSV1 is set for what is deflated: from 1 KiB, where it gains`, async () => {
    const { socket, stream } = socketOn(role, { deflate: FRESH });
    await socket.send("x".repeat(1023));
    await socket.send("x".repeat(1024));
    await socket.send(crypto.getRandomValues(new Uint8Array(2000)));
    const [small, large, random] = stream.rest;
    assert.equal(small, sent(role, "TEXT 1023 bytes"));
    assert.ok(large.startsWith(sent(role, "TEXT*4")), large);
    assert.ok((stream.calls[1] as Uint8Array).length < 30);
    assert.equal(random, sent(role, "BINARY 2000 bytes"));
    assert.equal(socket.bufferedAmount, 0);
    socket.abort();
  });

  Deno.test(`socket with deflate, ${role}: RFC 7692 §6.1: of several frames the first has RSV1`, async () => {
    const { socket, stream } = socketOn(role, { deflate: KEPT });
    // A context that is kept wants all that was put in it, gain or not.
    const random = crypto.getRandomValues(new Uint8Array(50_000));
    await socket.send(concat([random, crypto.getRandomValues(new Uint8Array(50_000))]));
    const [first, second] = stream.rest;
    assert.equal(first, sent(role, "BINARY*4+ 65536 bytes"));
    assert.ok(second.startsWith("CONTINUATION "), second);
    socket.abort();
  });

  Deno.test(`socket with deflate, ${role}: sends at once keep their order and their contexts`, async () => {
    const sizes = [10, 3000, 200_000, 1, 2000, 90_000, 5];
    for (const deflate of [FRESH, KEPT]) {
      const { client, server } = socketPair({ deflate }, 1000);
      const [from, to] = role === "client" ? [client, server] : [server, client];
      const sends = sizes.map((size) => from.send(`${size}`.repeat(size)));
      for (const size of sizes) assert.equal(await to.receive(), `${size}`.repeat(size));
      await Promise.all(sends);
      assert.equal(from.bufferedAmount, 0);
      await Promise.all([from.close(), to.closed]);
    }
  });

  Deno.test(`socket with deflate, ${role}: what comes deflated, in frames or whole, and what does not`, async () => {
    const { socket, stream, peer } = socketOn(role, { deflate: FRESH });
    const whole = deflated(utf8.encode("grüße"));
    stream.feed(
      peer.text("plain"),
      peer.frame({ opcode: Opcode.TEXT, rsv: RSV1, payload: whole }),
      peer.frame({ opcode: Opcode.TEXT, rsv: RSV1, fin: false, payload: whole.subarray(0, 3) }),
      peer.ping("between"),
      peer.frame({ opcode: Opcode.CONTINUATION, payload: whole.subarray(3) }),
      peer.frame({ opcode: Opcode.BINARY, rsv: RSV1, payload: hex("00") }),
    );
    assert.equal(await socket.receive(), "plain");
    assert.equal(await socket.receive(), "grüße");
    assert.equal(await socket.receive(), "grüße");
    assert.deepEqual(await socket.receive(), new Uint8Array(0));
    assert.deepEqual(stream.rest, [sent(role, "PONG between")]);
    socket.abort();
  });
}

const FAULTS: { name: string; code: number; frames: (peer: Peer) => Uint8Array[] }[] = [
  {
    name: "RFC 7692 §6.1: RSV1 on a Ping",
    code: 1002,
    frames: (peer) => [peer.frame({ opcode: Opcode.PING, rsv: RSV1, payload: utf8.encode("x") })],
  },
  {
    name: "RFC 7692 §6.1: RSV1 on a Close",
    code: 1002,
    frames: (peer) => [peer.frame({ opcode: Opcode.CLOSE, rsv: RSV1, payload: hex("03e8") })],
  },
  {
    name: "RFC 7692 §6.1: RSV1 on a frame behind the first",
    code: 1002,
    frames: (peer) => [
      peer.frame({ opcode: Opcode.TEXT, rsv: RSV1, fin: false, payload: hex("f248") }),
      peer.frame({ opcode: Opcode.CONTINUATION, rsv: RSV1, payload: hex("cdc9c90700") }),
    ],
  },
  {
    name: "RFC 6455 §5.2: RSV2",
    code: 1002,
    frames: (peer) => [peer.frame({ opcode: Opcode.TEXT, rsv: 2, payload: hex("00") })],
  },
  {
    name: "what can't be inflated",
    code: 1007,
    frames: (peer) => [peer.frame({ opcode: Opcode.TEXT, rsv: RSV1, payload: hex("ffffffff") })],
  },
  {
    name: "RFC 6455 §8.1: text that is not UTF-8 once inflated",
    code: 1007,
    frames: (peer) => [
      peer.frame({ opcode: Opcode.TEXT, rsv: RSV1, payload: deflated(hex("c328")) }),
    ],
  },
  {
    name: "RFC 7692 §8: a bomb of 1 MiB in 1 KiB",
    code: 1009,
    frames: (peer) => {
      const payload = deflated(new Uint8Array(2 ** 20));
      return [peer.frame({ opcode: Opcode.BINARY, rsv: RSV1, payload })];
    },
  },
];

for (const { name, code, frames } of FAULTS) {
  for (const role of ROLES) {
    for (const deflate of [FRESH, KEPT]) {
      const contexts = deflate === FRESH ? "fresh" : "kept";
      Deno.test(`socket with deflate, ${role}, ${contexts}: ${name} is answered with ${code}`, async () => {
        const { socket, stream, peer } = socketOn(role, { deflate, maxMessageBytes: 100_000 });
        stream.feed(...frames(peer), null);
        assert.equal(await within("the end", socket.receive()), null);
        const end = await within("closed", socket.closed);
        assert.deepEqual([end.code, end.by], [code, "us"]);
        assert.equal(stream.rest[0], sent(role, `CLOSE ${code} ${end.reason}`));
      });
    }
  }
}

for (const role of ROLES) {
  Deno.test(`socket with deflate, ${role}: abort while it deflates and inflates settles all`, async () => {
    for (const deflate of [FRESH, KEPT]) {
      const { socket, stream, peer } = socketOn(role, {
        deflate,
        maxFrameBytes: 2 ** 26,
        maxMessageBytes: 2 ** 26,
      });
      const large = concat(Array.from({ length: 64 }, () => {
        const random = crypto.getRandomValues(new Uint8Array(2 ** 15));
        return concat([random, random]);
      }));
      const payload = deflated(large);
      assert.ok(payload.length > 2 ** 20);
      stream.feed(peer.frame({ opcode: Opcode.BINARY, rsv: RSV1, payload }));
      const waiting = [socket.send(large), socket.send("behind"), socket.receive()];
      const outcomes = Promise.allSettled(waiting);
      await new Promise((resolve) => setTimeout(resolve, 0));
      socket.abort();
      const [one, two, three] = await within("all", outcomes);
      assert.deepEqual([one.status, two.status], ["rejected", "rejected"]);
      assert.ok(three.status === "fulfilled" && three.value === null);
    }
  });
}

const windowBits = fc.integer({ min: 8, max: 15 });
const parameters: fc.Arbitrary<DeflateParameters> = fc.record({
  serverNoContextTakeover: fc.boolean(),
  clientNoContextTakeover: fc.boolean(),
  serverMaxWindowBits: windowBits,
  clientMaxWindowBits: windowBits,
});
const part = fc.uint8Array({ minLength: 1, maxLength: 500 });
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 50 }),
  fc.uint8Array({ maxLength: 50 }),
  fc.tuple(part, fc.integer({ min: 3, max: 300 })).map(([part, times]) =>
    concat(Array<Uint8Array>(times).fill(part))
  ),
  fc.tuple(fc.string({ unit: "grapheme", minLength: 1 }), fc.integer({ min: 100, max: 5000 })).map(
    ([text, times]) => text.repeat(times),
  ),
);

Deno.test("socket with deflate: what is sent is received, cut anywhere, both ways at once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.option(parameters, { nil: undefined }),
      fc.array(message, { maxLength: 5 }),
      fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 41, max: 9000 })),
      async (deflate, messages, cut) => {
        const { client, server } = socketPair({ deflate }, cut);
        const sends = messages.flatMap((data) => [client.send(data), server.send(data)]);
        for (const socket of [client, server]) {
          for (const data of messages) assert.deepEqual(await socket.receive(), data);
        }
        await Promise.all(sends);
        const ends = await Promise.all([client.close(4000), server.closed]);
        assert.deepEqual(ends.map(({ code, wasClean }) => ({ code, wasClean })), [
          { code: 4000, wasClean: true },
          { code: 4000, wasClean: true },
        ]);
      },
    ),
    { numRuns: 60 },
  );
});
