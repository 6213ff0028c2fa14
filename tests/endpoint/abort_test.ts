// An abort, wherever it comes, settles every promise.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { within } from "../support/within.ts";
import { ROLES, socketOn } from "./support.ts";

/** Where an `abort` may come. */
const STATES: { name: string; enter: (at: ReturnType<typeof socketOn>) => Promise<unknown>[] }[] = [
  { name: "while nothing goes on", enter: () => [] },
  {
    name: "while all wait",
    enter: ({ socket, stream }) => {
      stream.fill();
      return [
        socket.receive(),
        socket.receive(),
        socket.send("one"),
        socket.send(new Uint8Array(200_000)),
        socket.send("two"),
        socket.ping(),
        socket.readable.getReader().read(),
        socket.writable.getWriter().write("three"),
      ];
    },
  },
  {
    name: "while a Close waits for its answer",
    enter: ({ socket }) => [socket.receive(), socket.close(), socket.ping()],
  },
  {
    name: "while a Close waits for room",
    enter: ({ socket, stream }) => {
      stream.fill();
      return [socket.send(new Uint8Array(200_000)), socket.close(), socket.receive()];
    },
  },
  {
    name: "while the answer to a Close waits for room",
    enter: ({ socket, stream, peer }) => {
      stream.fill();
      stream.feed(peer.close(1000));
      return [socket.send(new Uint8Array(200_000)), socket.receive()];
    },
  },
  {
    name: "while the peer keeps its stream behind its Close",
    enter: ({ socket, stream, peer }) => {
      stream.feed(peer.close(1000));
      return [socket.receive(), socket.close()];
    },
  },
  {
    name: "while a message waits",
    enter: ({ stream, peer }) => {
      stream.feed(peer.text("one"), peer.text("two"));
      return [];
    },
  },
  {
    name: "behind the end",
    enter: ({ socket, stream }) => {
      stream.feed(null);
      return [socket.closed];
    },
  },
];

for (const { name, enter } of STATES) {
  for (const role of ROLES) {
    Deno.test(`socket, ${role}: abort ${name} settles all that waits`, async () => {
      const at = socketOn(role);
      const waiting = enter(at);
      for (const promise of waiting) promise.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 0));
      at.socket.abort("enough");
      at.socket.abort("again");
      const { wasClean, reason } = await within("closed", at.socket.closed);
      if (!wasClean && !name.includes("Close") && name !== "behind the end") {
        assert.equal(reason, "enough");
      }
      await within("all that waits", Promise.allSettled(waiting));
      assert.equal(await within("null", at.socket.receive()), null);
      await assert.rejects(at.socket.send("late"), NetError);
      await assert.rejects(at.socket.ping(), NetError);
      await within("close", at.socket.close());
      assert.equal(at.socket.http, "1.1");
      assert.equal(at.stream.calls.filter((call) => call === "abort").length, 1);
    });
  }
}
