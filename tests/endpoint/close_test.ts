// How a socket ends, on either side: RFC 6455 §7.
import assert from "node:assert/strict";
import { FakeTime } from "./fake_time.ts";
import { NetError } from "../../src/net/error.ts";
import { within } from "../support/within.ts";
import { ROLES, sent, socketOn } from "./support.ts";

for (const role of ROLES) {
  Deno.test(`socket, ${role}: RFC 6455 §5.5.1: a Close is answered with its code`, async () => {
    const { socket, stream, peer } = socketOn(role);
    const receiving = socket.receive();
    stream.feed(peer.close(4001, "bye"), peer.text("behind"), null);
    assert.equal(await receiving, null);
    assert.equal(await stream.next(), sent(role, "CLOSE 4001"));
    assert.deepEqual(await within("closed", socket.closed), {
      code: 4001,
      reason: "bye",
      wasClean: true,
      by: "peer",
    });
    assert.deepEqual(stream.rest, ["closeWrite", "abort"]);
    await assert.rejects(socket.send("late"), NetError);
    await assert.rejects(socket.ping(), NetError);
    assert.equal(await socket.receive(), null);
    assert.equal((await socket.close()).code, 4001);
    assert.deepEqual(stream.rest, ["closeWrite", "abort"]);
  });

  Deno.test(`socket, ${role}: RFC 6455 §7.1.5: a Close without a code is 1005, and answered so`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.feed(peer.close(1005), null);
    assert.equal(await stream.next(), sent(role, "CLOSE"));
    assert.deepEqual(await within("closed", socket.closed), {
      code: 1005,
      reason: "",
      wasClean: true,
      by: "peer",
    });
  });

  Deno.test(`socket, ${role}: close sends one, waits for the peer's, and gives its code`, async () => {
    const { socket, stream, peer } = socketOn(role);
    const receiving = socket.receive();
    const closing = Promise.all([socket.close(1000, "done"), socket.close(4000, "never sent")]);
    assert.equal(await stream.next(), sent(role, "CLOSE 1000 done"));
    await assert.rejects(socket.send("late"), NetError);
    stream.feed(peer.text("dropped"), peer.ping("too late for a Pong"), peer.close(4002), null);
    assert.equal(await within("null", receiving), null);
    const end = { code: 4002, reason: "", wasClean: true, by: "us" };
    assert.deepEqual(await within("the end", closing), [end, end]);
    assert.deepEqual(stream.rest, ["closeWrite", "abort"]);
  });

  Deno.test(`socket, ${role}: close gives what comes before the peer's Close where that is wished`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.feed(peer.text("one"));
    const closing = socket.close(1000, "", { keepMessages: true });
    assert.equal(await stream.next(), sent(role, "CLOSE 1000"));
    assert.equal(socket.open, false);
    stream.feed(peer.text("two"), peer.text("three"), peer.close(4002), null);
    assert.deepEqual(await within("all", Array.fromAsync(socket)), ["one", "two", "three"]);
    assert.deepEqual(await within("the end", closing), {
      ...{ code: 4002, reason: "", wasClean: true, by: "us" },
    });
  });

  Deno.test(`socket, ${role}: a second close drops what the first would give`, async () => {
    const { socket, stream, peer } = socketOn(role);
    const closing = socket.close(1000, "", { keepMessages: true });
    await stream.next();
    stream.feed(peer.text("one"), peer.text("two"), peer.close(1000), null);
    void socket.close();
    assert.equal((await within("the end", closing)).code, 1000);
    assert.equal(await socket.receive(), null);
  });

  Deno.test(`socket, ${role}: a Close is not missed behind messages that nobody takes`, async () => {
    using time = new FakeTime();
    const { socket, stream, peer } = socketOn(role);
    const closing = socket.close(1000, "", { keepMessages: true });
    await stream.next();
    stream.feed(peer.text("one"), peer.text("two"), peer.close(4002), null);
    await time.pass(5_000);
    assert.equal((await closing).code, 4002);
  });

  Deno.test(`socket, ${role}: who sends on and never closes is not waited for`, async () => {
    using time = new FakeTime();
    const { socket, stream, peer } = socketOn(role);
    const closing = socket.close(1000, "", { keepMessages: true });
    await stream.next();
    for (let i = 0; i < 3; i++) {
      stream.feed(peer.text("more"));
      await socket.receive();
      await time.pass(4_000);
    }
    assert.deepEqual(await closing, {
      ...{ code: 1006, reason: "no Close in answer", wasClean: false, by: "us" },
    });
  });

  Deno.test(`socket, ${role}: RFC 6455 §7.1.1: the server ends the stream first`, async () => {
    const { socket, stream, peer } = socketOn(role);
    const closing = socket.close();
    await stream.next();
    stream.feed(peer.close(1000));
    // The peer's end of the stream is still to come.
    if (role === "server") assert.equal(await stream.next(), "closeWrite");
    let over = false;
    void closing.then(() => over = true);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.deepEqual([over, stream.rest], [false, []]);
    stream.feed(null);
    await within("the end", closing);
    assert.deepEqual(stream.rest, role === "server" ? ["abort"] : ["closeWrite", "abort"]);
  });

  Deno.test(`socket, ${role}: a code that MUST NOT be sent throws, and the socket lives on`, async () => {
    const { socket, stream, peer } = socketOn(role);
    for (const code of [0, 999, 1004, 1006, 1015, 1016, 2999, 5000, NaN, 1000.5]) {
      await assert.rejects(socket.close(code), RangeError);
    }
    stream.feed(peer.text("still here"));
    assert.equal(await socket.receive(), "still here");
    assert.deepEqual(stream.rest, []);
    socket.abort();
  });

  Deno.test(`socket, ${role}: a Close goes behind all that was sent before it`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.fill();
    const sends = [socket.send("one"), socket.send(new Uint8Array(150_000)), socket.send("two")];
    const closing = socket.close(1000);
    stream.feed(peer.close(1000), null);
    stream.makeRoom();
    await within("all", Promise.all([...sends, closing]));
    assert.deepEqual(stream.rest, [
      sent(role, "TEXT one"),
      ...["BINARY+ 65536 bytes", "CONTINUATION+ 65536 bytes", "CONTINUATION 18928 bytes"]
        .map((frame) => sent(role, frame)),
      sent(role, "TEXT two"),
      sent(role, "CLOSE 1000"),
      "closeWrite",
      "abort",
    ]);
  });

  Deno.test(`socket, ${role}: a stream that ends without Close is 1006, lost`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.feed(peer.text("the last"), null);
    assert.equal(await socket.receive(), "the last");
    assert.equal(await socket.receive(), null);
    assert.deepEqual(await within("closed", socket.closed), {
      code: 1006,
      reason: "the stream ended without Close",
      wasClean: false,
      by: "lost",
    });
    assert.deepEqual(stream.rest, ["closeWrite", "abort"]);
  });

  Deno.test(`socket, ${role}: a stream that ends inside a message is 1006, lost`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.feed(peer.text("cut off").subarray(0, 8), null);
    assert.equal(await socket.receive(), null);
    assert.equal((await within("closed", socket.closed)).code, 1006);
  });

  Deno.test(`socket, ${role}: a stream that breaks is 1006, lost, with its reason; what came is given`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.feed(peer.text("one"), new NetError("reset", "Connection reset by peer"));
    assert.equal(await socket.receive(), "one");
    assert.equal(await socket.receive(), null);
    assert.deepEqual(await within("closed", socket.closed), {
      code: 1006,
      reason: "Connection reset by peer",
      wasClean: false,
      by: "lost",
    });
    assert.deepEqual(stream.rest, ["abort"]);
  });

  Deno.test(`socket, ${role}: a write that fails leaves the Close to be read that says why`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.breakWrites(new NetError("reset", "Broken pipe"));
    await assert.rejects(socket.send("late"), { kind: "reset" });
    stream.feed(peer.close(1008, "not you"), null);
    const { code, reason, wasClean, by } = await within("closed", socket.closed);
    // RFC 6455 §7.1.4: clean is what was closed by both.
    assert.deepEqual({ code, reason, wasClean, by }, {
      code: 1008,
      reason: "not you",
      wasClean: false,
      by: "peer",
    });
  });

  Deno.test(`socket, ${role}: a write that fails ends it, if nothing comes that says why`, async () => {
    using time = new FakeTime();
    const { socket, stream } = socketOn(role);
    stream.breakWrites(new NetError("reset", "Broken pipe"));
    await assert.rejects(socket.send("late"), { kind: "reset" });
    await time.pass(2_000);
    assert.deepEqual(await socket.closed, {
      code: 1006,
      reason: "Broken pipe",
      wasClean: false,
      by: "lost",
    });
  });

  Deno.test(`socket, ${role}: a write that fails takes no message from who is slow to read`, async () => {
    using time = new FakeTime();
    const { socket, stream, peer } = socketOn(role);
    stream.feed(peer.text("one"), peer.text("two"), peer.close(1008, "not you"), null);
    stream.breakWrites(new NetError("reset", "Broken pipe"));
    await assert.rejects(socket.send("late"), { kind: "reset" });
    await time.pass(25_000);
    assert.equal(await socket.receive(), "one");
    await time.pass(25_000);
    assert.equal(await socket.receive(), "two");
    assert.equal((await socket.closed).reason, "not you");
    assert.equal(time.pending, 0);
  });

  Deno.test(`socket, ${role}: an end on both sides leaves no timer`, async () => {
    using time = new FakeTime();
    const one = socketOn(role);
    const closing = one.socket.close();
    one.stream.feed(one.peer.close(1000), null);
    await closing;
    const other = socketOn(role);
    other.stream.feed(other.peer.close(1000), null);
    await other.socket.closed;
    assert.equal(time.pending, 0);
  });

  Deno.test(`socket, ${role}: no Close in answer for 5 s is 1006, by us`, async () => {
    using time = new FakeTime();
    const { socket, stream } = socketOn(role);
    const closing = socket.close();
    assert.equal(await stream.next(), sent(role, "CLOSE 1000"));
    await time.pass(4_999);
    assert.deepEqual(stream.rest, []);
    await time.pass(1);
    assert.deepEqual(await closing, {
      code: 1006,
      reason: "no Close in answer",
      wasClean: false,
      by: "us",
    });
    assert.deepEqual(stream.rest, ["abort"]);
  });

  Deno.test(`socket, ${role}: a peer that never reads ends close after 5 s; what was queued rejects`, async () => {
    using time = new FakeTime();
    const { socket, stream } = socketOn(role);
    stream.fill();
    const sends = [socket.send(new Uint8Array(100_000)), socket.send("two")];
    const outcomes = Promise.allSettled(sends);
    const closing = socket.close();
    await time.pass(5_000);
    assert.equal((await closing).code, 1006);
    assert.deepEqual((await outcomes).map(({ status }) => status), ["rejected", "rejected"]);
  });

  Deno.test(`socket, ${role}: a peer that closes but keeps its stream is let go after 2 s`, async () => {
    using time = new FakeTime();
    const { socket, stream, peer } = socketOn(role);
    stream.feed(peer.close(1000));
    assert.equal(await stream.next(), sent(role, "CLOSE 1000"));
    await time.pass(2_000);
    assert.equal((await socket.closed).wasClean, true);
    assert.equal(stream.calls.at(-1), "abort");
  });
}

for (const role of ROLES) {
  Deno.test(`socket, ${role}: it is open until a side has sent a Close, or its stream has ended`, async () => {
    const closing = socketOn(role);
    assert.equal(closing.socket.open, true);
    void closing.socket.close();
    assert.equal(closing.socket.open, false);
    closing.socket.abort();
    const closed = socketOn(role);
    closed.stream.feed(closed.peer.close(1001));
    await closed.stream.next();
    assert.equal(closed.socket.open, false);
    closed.socket.abort();
    const lost = socketOn(role);
    lost.stream.feed(null);
    await within("the end of the stream", lost.socket.closed);
    assert.equal(lost.socket.open, false);
    const aborted = socketOn(role);
    aborted.socket.abort();
    assert.equal(aborted.socket.open, false);
  });
}
