// A socket whose messages nobody takes, and so does not read: what it sees of its stream's end all the
// same, and when it takes it for the end.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { FakeTime } from "./fake_time.ts";
import { concat, ROLES, socketOn } from "./support.ts";

const RESET = new NetError("reset", "reset by peer");
const LOST = { code: 1006, reason: "reset by peer", wasClean: false, by: "lost" } as const;
/** However long messages are kept for who does not take them. */
const BOUND_MS = 31_000;

type At = ReturnType<typeof socketOn>;

/** How it comes out that a stream is broken that nobody reads. */
const SIGNS: Record<string, (at: At) => void> = {
  "the stream tells": ({ stream }) => stream.onLost?.(RESET),
  "a send fails": ({ socket, stream }) => {
    stream.breakWrites(RESET);
    socket.send("late").catch(() => {});
  },
};

for (const role of ROLES) {
  for (const [name, show] of Object.entries(SIGNS)) {
    const title = `unread, ${role}, ${name}`;

    Deno.test(`${title}: closed settles, and the message can still be had`, async () => {
      using time = new FakeTime();
      const at = socketOn(role);
      at.stream.feed(at.peer.text("one"), at.peer.text("two"));
      await time.turn();
      show(at);
      await time.pass(1_000);
      // Neither the same news once more nor what fails meanwhile puts it off.
      for (let i = 0; i < 10; i++) {
        show(at);
        await time.pass(BOUND_MS / 10);
      }
      assert.deepEqual(await at.socket.closed, LOST);
      assert.equal(await at.socket.receive(), "one");
      assert.equal(await at.socket.receive(), null);
      await assert.rejects(at.socket.send("late"), NetError);
      assert.equal(time.pending, 0);
    });

    Deno.test(`${title}: while messages are taken all of them come, and the Close behind`, async () => {
      using time = new FakeTime();
      const at = socketOn(role);
      const texts = Array.from({ length: 20 }, (_, i) => `${i}`);
      const frames = [...texts.map((text) => at.peer.text(text)), at.peer.close(4001, "bye")];
      at.stream.feed(concat(frames), RESET);
      await time.turn();
      show(at);
      for (const text of texts) {
        await time.pass(BOUND_MS / 2);
        assert.equal(await at.socket.receive(), text);
      }
      assert.equal(await at.socket.receive(), null);
      await time.pass(BOUND_MS);
      const { code, reason, by } = await at.socket.closed;
      assert.deepEqual({ code, reason, by }, { code: 4001, reason: "bye", by: "peer" });
      assert.equal(time.pending, 0);
    });
  }
}
