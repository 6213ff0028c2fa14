// How large messages may be, where that changes while a socket is open.
import assert from "node:assert/strict";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import { within } from "../support/within.ts";
import { socketPair } from "./pair.ts";

const DEFLATE = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};

for (const [how, more] of [["as it is", {}], ["deflated", { deflate: DEFLATE }]] as const) {
  Deno.test(`limitMessages: the next message, ${how}, may be larger, and the one after that smaller`, async () => {
    const limits = { maxFrameBytes: 2_000, maxMessageBytes: 2_000 };
    const { client, server } = socketPair({ ...limits, ...more });
    const received = async (size: number) => {
      const sending = client.send("x".repeat(size)).catch(() => {});
      const message = await within("the message", server.receive());
      await sending;
      return message?.length ?? null;
    };
    assert.equal(await received(2_000), 2_000);
    server.limitMessages(5_000);
    assert.equal(await received(5_000), 5_000);
    server.limitMessages(100);
    assert.equal(await received(2_000), null);
    assert.equal((await within("the end", server.closed)).code, CloseCode.MESSAGE_TOO_BIG);
    client.abort();
  });
}
