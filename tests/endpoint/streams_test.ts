// `readable` and `writable`, as WebSocketStream has them.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { within } from "../support/within.ts";
import { FakeTime } from "./fake_time.ts";
import { ROLES, sent, settled, socketOn } from "./support.ts";

for (const role of ROLES) {
  Deno.test(`readable, ${role}: gives the messages and closes with the socket`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.feed(peer.text("1"), peer.binary(Uint8Array.of(2)), peer.close(1000), null);
    const all: unknown[] = [];
    for await (const data of socket.readable) all.push(data);
    assert.deepEqual(all, ["1", Uint8Array.of(2)]);
    assert.equal(socket.readable, socket.readable);
  });

  Deno.test(`readable, ${role}: fails where the socket does not end by Close`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.feed(peer.text("1"), null);
    const reader = socket.readable.getReader();
    assert.deepEqual(await reader.read(), { done: false, value: "1" });
    await assert.rejects(within("the failure", reader.read()), NetError);
  });

  Deno.test(`readable, ${role}: reads no more than is asked for`, async () => {
    const { socket, stream, peer } = socketOn(role);
    for (let i = 0; i < 9; i++) stream.feed(peer.text(`${i}`));
    const reader = socket.readable.getReader();
    await settled();
    assert.equal(stream.reads, 1);
    assert.deepEqual(await reader.read(), { done: false, value: "0" });
    await settled();
    assert.equal(stream.reads, 2);
    socket.abort();
  });

  const CLOSES: { name: string; reason: unknown; want: string }[] = [
    { name: "", reason: undefined, want: "CLOSE 1000" },
    { name: " for any reason", reason: new Error("enough"), want: "CLOSE 1000" },
    {
      name: " with a code",
      reason: { closeCode: 4001, reason: "enough" },
      want: "CLOSE 4001 enough",
    },
  ];
  for (const { name, reason, want } of CLOSES) {
    Deno.test(`readable, ${role}: to cancel it${name} closes the socket`, async () => {
      const { socket, stream, peer } = socketOn(role);
      const canceling = socket.readable.cancel(reason);
      assert.equal(await stream.next(), sent(role, want));
      stream.feed(peer.close(1000), null);
      await within("the cancel", canceling);
      assert.equal((await socket.closed).by, "us");
    });

    Deno.test(`writable, ${role}: to abort it${name} closes the socket`, async () => {
      const { socket, stream, peer } = socketOn(role);
      const aborting = socket.writable.abort(reason);
      assert.equal(await stream.next(), sent(role, want));
      stream.feed(peer.close(1000), null);
      await within("the abort", aborting);
      assert.equal((await socket.closed).by, "us");
    });
  }

  Deno.test(`writable, ${role}: to abort it while a write waits for room ends the socket in time`, async () => {
    using time = new FakeTime();
    const { socket, stream } = socketOn(role);
    stream.fill();
    const writer = socket.writable.getWriter();
    const write = assert.rejects(writer.write(new Uint8Array(200_000)));
    await time.turn();
    const aborting = writer.abort("enough");
    await time.turn();
    assert.equal(socket.open, false);
    await time.pass(6_000);
    assert.equal((await socket.closed).by, "us");
    await Promise.all([write, aborting]);
  });

  Deno.test(`readable and writable, ${role}: a code that can't be sent is a RangeError, and the socket closes all the same`, async () => {
    for (const way of ["cancel", "abort"] as const) {
      const { socket, stream, peer } = socketOn(role);
      const bad = { closeCode: 1006 };
      const giving = way === "cancel" ? socket.readable.cancel(bad) : socket.writable.abort(bad);
      const failed = assert.rejects(giving, RangeError);
      assert.equal(await stream.next(), sent(role, "CLOSE 1000"));
      stream.feed(peer.close(1000), null);
      await within("the end", failed);
      assert.equal((await socket.closed).by, "us");
    }
  });

  Deno.test(`writable, ${role}: sends what is written, waits for room, and closes the socket`, async () => {
    const { socket, stream, peer } = socketOn(role);
    const writer = socket.writable.getWriter();
    await writer.ready;
    stream.fill();
    const writing = writer.write("one");
    assert.equal(writer.desiredSize, 0);
    assert.equal(await stream.next(), sent(role, "TEXT one"));
    stream.makeRoom();
    await writing;
    const closing = writer.close();
    assert.equal(await stream.next(), sent(role, "CLOSE 1000"));
    stream.feed(peer.close(1000), null);
    await within("the close", closing);
    await writer.closed;
  });

  Deno.test(`writable, ${role}: fails when the socket ends, written to or not`, async () => {
    const { socket, stream, peer } = socketOn(role);
    const writer = socket.writable.getWriter();
    stream.feed(peer.close(1001), null);
    await assert.rejects(within("the failure", writer.closed), NetError);
    await assert.rejects(writer.write("late"), NetError);
    await socket.closed;
  });

  Deno.test(`readable and writable, ${role}: an echo by pipeTo ends with the socket`, async () => {
    const { socket, stream, peer } = socketOn(role);
    const echo = socket.readable.pipeTo(socket.writable);
    stream.feed(peer.text("1"), peer.text("2"));
    assert.equal(await stream.next(), sent(role, "TEXT 1"));
    assert.equal(await stream.next(), sent(role, "TEXT 2"));
    stream.feed(peer.close(1000), null);
    assert.equal(await stream.next(), sent(role, "CLOSE 1000"));
    await within("the echo's end", echo.catch(() => {}));
    assert.equal((await socket.closed).wasClean, true);
  });
}
