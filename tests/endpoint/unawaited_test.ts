// What nobody waits for, and what is no message. A rejection that nobody handles fails a test, as it
// would end a process: then a peer could end it, who only has to leave at the wrong time.
import assert from "node:assert/strict";
import { setTimeout as turns } from "node:timers/promises";
import type { Message } from "../../src/endpoint/message.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { NetError } from "../../src/net/error.ts";
import { within } from "../support/within.ts";
import { ROLES, sent, socketOn } from "./support.ts";

const CALLS: Record<string, (socket: Socket) => Promise<unknown>> = {
  "send of text": (socket) => socket.send("text"),
  "send of what goes in several frames": (socket) => socket.send(new Uint8Array(200_000)),
  "ping": (socket) => socket.ping(),
  "pong": (socket) => socket.pong(),
};

for (const role of ROLES) {
  for (const [name, call] of Object.entries(CALLS)) {
    Deno.test(`unawaited, ${role}: ${name}: to fail on its way, or behind the end, disturbs nobody`, async () => {
      const { socket, stream } = socketOn(role);
      stream.fill();
      void call(socket);
      stream.breakWrites(new NetError("reset", "reset"));
      socket.abort();
      await within("the end", socket.closed);
      void call(socket);
      // Who waits is told all the same.
      await assert.rejects(call(socket), NetError);
      // Rejections are told of after the turn that they come in.
      await turns(0);
    });

    Deno.test(`unawaited, ${role}: ${name}: so does it behind a Close`, async () => {
      const { socket, stream, peer } = socketOn(role);
      const closing = socket.close(4000);
      assert.equal(await stream.next(), sent(role, "CLOSE 4000"));
      void call(socket);
      stream.feed(peer.close(4000), null);
      await within("the end", closing);
      void call(socket);
      await turns(0);
    });
  }

  Deno.test(`send, ${role}: what is no message is a TypeError, and the socket is as it was`, async () => {
    const { socket, stream, peer } = socketOn(role);
    const others = [42, null, undefined, {}, [1], new ArrayBuffer(2), new Uint16Array([258])];
    for (const data of others) {
      await assert.rejects(socket.send(data as unknown as Message), TypeError);
    }
    assert.equal(socket.bufferedAmount, 0);
    await socket.send("text");
    assert.equal(await stream.next(), sent(role, "TEXT text"));
    stream.feed(peer.close(1000), null);
    await socket.closed;
  });
}
