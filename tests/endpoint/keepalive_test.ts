import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { FakeTime } from "./fake_time.ts";
import { ROLES, socketOn } from "./support.ts";

const KEEPALIVE = { pingIntervalMs: 10_000, pongTimeoutMs: 4_000 };

function pings(calls: readonly string[]): number {
  return calls.filter((call) => call.startsWith("PING")).length;
}

for (const role of ROLES) {
  for (const shared of [false, true]) {
    const name = `keepalive, ${role}, ${shared ? "with a shared" : "with its own"} sweeper`;
    /** A socket, its time, and what must be left of its timers. */
    const setUp = () => {
      const time = new FakeTime();
      const sweeper = shared ? new Sweeper(1_000) : undefined;
      const at = socketOn(role, { keepalive: KEEPALIVE, sweeper });
      return { ...at, time, sweeper };
    };

    Deno.test(`${name}: a peer that is silent gets Pings, and lives while it answers`, async () => {
      const { socket, stream, peer, time } = setUp();
      using _ = time;
      for (let i = 1; i <= 5; i++) {
        await time.pass(12_000);
        assert.equal(pings(stream.rest), i);
        stream.feed(peer.pong("whatever comes will do"));
        await time.pass(1_000);
      }
      socket.abort();
    });

    Deno.test(`${name}: a peer that is not silent gets none`, async () => {
      const { socket, stream, peer, time } = setUp();
      using _ = time;
      for (let i = 1; i <= 10; i++) {
        await time.pass(5_000);
        stream.feed(peer.text(`${i}`));
        assert.equal(await socket.receive(), `${i}`);
      }
      assert.equal(pings(stream.rest), 0);
      socket.abort();
    });

    Deno.test(`${name}: a peer that does not answer is lost, with 1006`, async () => {
      const { socket, stream, time, sweeper } = setUp();
      using _ = time;
      const receiving = socket.receive();
      await time.pass(12_000);
      assert.equal(pings(stream.rest), 1);
      await time.pass(8_000);
      assert.equal(await receiving, null);
      assert.deepEqual(await socket.closed, {
        code: 1006,
        reason: "no Pong within 4000 ms",
        wasClean: false,
        by: "lost",
      });
      assert.equal(stream.calls.at(-1), "abort");
      assert.equal(sweeper?.size ?? 0, 0);
    });

    Deno.test(`${name}: so is one that does not even take the Ping`, async () => {
      const { socket, stream, time } = setUp();
      using _ = time;
      stream.fill();
      const sending = assert.rejects(socket.send(new Uint8Array(100_000)));
      await time.pass(20_000);
      assert.equal((await socket.closed).by, "lost");
      await sending;
    });

    Deno.test(`${name}: no peer is lost for messages that are not asked for`, async () => {
      const { socket, stream, peer, time } = setUp();
      using _ = time;
      stream.feed(peer.text("waits"));
      await time.pass(100_000);
      assert.equal(await socket.receive(), "waits");
      await time.pass(30_000);
      assert.equal((await socket.closed).by, "lost");
    });

    Deno.test(`${name}: while a message waits, Pings that can't be written tell that the peer is gone`, async () => {
      const { socket, stream, peer, time } = setUp();
      using _ = time;
      stream.feed(peer.text("waits"));
      await time.pass(31_000);
      const before = pings(stream.rest);
      assert.ok(before >= 2 && before <= 3, `${before} Pings`);
      // None piles up behind one that the peer does not take.
      stream.fill();
      await time.pass(100_000);
      assert.equal(pings(stream.rest), before + 1);
      stream.makeRoom();
      stream.breakWrites(new NetError("reset", "reset by peer"));
      await time.pass(45_000);
      assert.deepEqual(await socket.closed, {
        ...{ code: 1006, reason: "reset by peer", wasClean: false, by: "lost" },
      });
      assert.equal(await socket.receive(), "waits");
      assert.equal(await socket.receive(), null);
    });

    Deno.test(`${name}: a process that was stopped reads first what came meanwhile`, async () => {
      const { socket, stream, peer, time } = setUp();
      using _ = time;
      await time.pass(11_000);
      assert.equal(pings(stream.rest), 1);
      time.stop(60_000);
      stream.feed(peer.pong());
      await time.pass(1_000);
      let over = false;
      void socket.closed.then(() => over = true);
      await time.pass(2_000);
      assert.equal(over, false);
      socket.abort();
    });
  }

  Deno.test(`keepalive, ${role}: an interval of 0 is none`, async () => {
    using time = new FakeTime();
    const { socket, stream } = socketOn(role, { keepalive: { ...KEEPALIVE, pingIntervalMs: 0 } });
    await time.pass(100_000);
    assert.deepEqual(stream.rest, []);
    socket.abort();
  });
}
