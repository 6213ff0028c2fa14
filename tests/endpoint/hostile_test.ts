// A socket whose peer sends anything: it ends once, as it would were the bytes cut elsewhere.
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { deflateRawSync } from "node:zlib";
import type { Message } from "../../src/endpoint/message.ts";
import type { SocketEnd } from "../../src/endpoint/options.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { type Bytes, cutAt } from "../fuzz/driver.ts";
import { cuts, hostile } from "../fuzz/input.ts";
import { within } from "../support/within.ts";
import { type Peer, peerOf, type Role, ROLES, socketOn } from "./support.ts";

const LIMIT = 1000;
const DEFLATE = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};

interface Outcome {
  messages: Message[];
  end: SocketEnd;
  sent: string[];
}

async function outcome(role: Role, chunks: readonly Bytes[]): Promise<Outcome> {
  const limits = { maxFrameBytes: LIMIT, maxMessageBytes: LIMIT };
  const { socket, stream } = socketOn(role, { ...limits, deflate: DEFLATE });
  const messages: Message[] = [];
  stream.feed(...chunks, null);
  for await (const data of socket) messages.push(data);
  const end = await socket.closed;
  // Which Pongs still go out before the end is a matter of time.
  return { messages, end, sent: stream.rest.filter((frame) => !frame.startsWith("PONG")) };
}

function frames(peer: Peer): fc.Arbitrary<Bytes> {
  const payload = fc.uint8Array({ maxLength: 200 });
  const data = fc.constantFrom(Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION);
  return fc.oneof(
    fc.record({ opcode: data, fin: fc.boolean(), rsv: fc.constantFrom(0, 0, 4), payload }).map(
      (frame) => peer.frame(frame),
    ),
    fc.tuple(payload, fc.integer({ min: 1, max: 30 })).map(([bytes, times]) => {
      const whole = new Uint8Array(bytes.length * times).map((_, i) => bytes[i % bytes.length]);
      return peer.frame({ opcode: Opcode.BINARY, rsv: 4, payload: deflateRawSync(whole) });
    }),
    fc.string({ maxLength: 20 }).map((text) => peer.text(text)),
    fc.string({ maxLength: 20 }).map((text) => peer.ping(text)),
    fc.string({ maxLength: 20 }).map((text) => peer.pong(text)),
    fc.constantFrom(1000, 1005, 4999).map((code) => peer.close(code, "bye")),
  );
}

for (const role of ROLES) {
  Deno.test(`socket, ${role}: whatever comes, it ends, and wherever it is cut`, async () => {
    const input = hostile({ valid: frames(peerOf(role)) });
    await fc.assert(
      fc.asyncProperty(input, cuts, async (bytes, places) => {
        const whole = await within("the end", outcome(role, [bytes]));
        const { code, by } = whole.end;
        assert.ok(by === "peer" ? code !== 1006 : [1002, 1006, 1007, 1009].includes(code));
        assert.ok(whole.messages.every(({ length }) => length <= LIMIT));
        assert.deepEqual(whole.sent.slice(-2), ["closeWrite", "abort"]);
        assert.deepEqual(await within("the end", outcome(role, cutAt(bytes, places))), whole);
      }),
      { numRuns: Number(Deno.env.get("H3WS_FUZZ_RUNS") ?? 300) },
    );
  });
}
