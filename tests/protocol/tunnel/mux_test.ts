import assert from "node:assert/strict";
import { TunnelCode } from "../../../src/protocol/tunnel/code.ts";
import { Mux } from "../../../src/protocol/tunnel/mux.ts";
import type { MuxOptions } from "../../../src/protocol/tunnel/mux_state.ts";
import { bytes, CODE, credit, data, fin, muxIn, open, opened, refused } from "./mux_support.ts";
import { reset, sent, take } from "./mux_support.ts";

const TARGET = { protocol: "tcp", host: "a.example", port: 80 } as const;

Deno.test("mux: a stream from OPEN to FIN both ways", () => {
  const gateway = new Mux({ role: "gateway" });
  const agent = new Mux({ role: "agent", windowBytes: 5 });
  assert.equal(gateway.open(TARGET), 1);
  assert.equal(gateway.sendable(1), 0);
  assert.deepEqual(sent(gateway), ["open 1 tcp a.example:80 +262144"]);
  assert.equal(take(agent, open(1, "tcp", 262_144)), "open 1 tcp a.example:80 +262144");
  assert.equal(agent.sendable(1), 0);
  assert.ok(agent.accept(1));
  assert.equal(agent.sendable(1), 262_144);
  assert.deepEqual(sent(agent), ["opened 1 +5"]);
  assert.equal(take(gateway, opened(1, 5)), "opened 1 +5");
  assert.equal(gateway.send(1, bytes("hello, you")), 5);
  assert.equal(gateway.send(1, bytes(", you")), 0);
  assert.deepEqual(sent(gateway), ["data 1 hello"]);
  assert.equal(take(agent, data(1, "hello")), "data 1 hello");
  agent.consumed(1, 2);
  assert.deepEqual(sent(agent), []);
  agent.consumed(1, 1);
  assert.deepEqual(sent(agent), ["credit 1 +3"]);
  assert.equal(take(gateway, credit(1, 3)), "credit 1 +3");
  assert.equal(gateway.send(1, bytes("yo")), 2);
  assert.ok(gateway.fin(1));
  assert.deepEqual(sent(gateway), ["data 1 yo", "fin 1"]);
  assert.equal(take(agent, data(1, "yo")), "data 1 yo");
  assert.equal(take(agent, fin(1)), "fin 1");
  assert.equal(agent.send(1, bytes("bye")), 3);
  assert.ok(agent.fin(1));
  assert.deepEqual(sent(agent), ["data 1 bye", "fin 1"]);
  assert.equal(take(gateway, data(1, "bye")), "data 1 bye");
  assert.equal(take(gateway, fin(1)), "fin 1");
  assert.deepEqual([gateway.streams, agent.streams], [0, 0]);
});

Deno.test("mux: identifiers rise and are never used again", () => {
  const mux = muxIn("refused", "gateway");
  assert.equal(mux.open(TARGET), 2);
  mux.reset(2, CODE, "");
  assert.equal(mux.open(TARGET), 3);
});

Deno.test("mux: an agent takes no more streams than it said, and lives", () => {
  const mux = new Mux({ role: "agent", maxStreams: 2 });
  for (const id of [1, 5]) assert.notEqual(take(mux, open(id)), "");
  assert.equal(take(mux, open(6)), "");
  assert.deepEqual(sent(mux), ["refused 6 RATE_LIMITED More than 2 streams"]);
  mux.refuse(5, TunnelCode.FORBIDDEN_HOST, "No");
  assert.equal(take(mux, open(7)), "open 7 tcp a.example:80 +8");
  assert.deepEqual(sent(mux), ["refused 5 FORBIDDEN_HOST No"]);
});

Deno.test("mux: a gateway opens no more streams than it may", () => {
  const mux = new Mux({ role: "gateway", maxStreams: 2 });
  for (const id of [1, 2]) assert.equal(mux.open(TARGET), id);
  assert.ok(!mux.canOpen);
  assert.throws(() => mux.open(TARGET), /No stream can be opened/);
  take(mux, refused(1));
  assert.ok(mux.canOpen);
});

Deno.test("mux: streams that are opened and reset while nothing is sent don't queue for ever", () => {
  const mux = new Mux({ role: "gateway", maxStreams: 5 });
  while (mux.canOpen) mux.reset(mux.open(TARGET), CODE, "");
  assert.equal(sent(mux).length, 20);
  assert.ok(mux.canOpen);
});

Deno.test("mux: who doesn't read answers is not answered for ever", () => {
  const mux = new Mux({ role: "agent", maxStreams: 1 });
  const payload = bytes("12345678");
  for (let i = 0; i < 16; i++) assert.equal(take(mux, { type: "ping", payload }), "ping 12345678");
  assert.throws(() => take(mux, { type: "ping", payload }), {
    name: "TunnelError",
    code: TunnelCode.RATE_LIMITED,
  });
  assert.equal(sent(mux).length, 16);
});

Deno.test("mux: answers that were taken are not counted", () => {
  const mux = new Mux({ role: "agent", maxStreams: 1 });
  const payload = bytes("12345678");
  for (let i = 0; i < 100; i++) {
    take(mux, { type: "ping", payload });
    assert.deepEqual(sent(mux), ["pong 12345678"]);
  }
});

Deno.test("mux: PING is answered with its own bytes, PONG is told", () => {
  const mux = new Mux({ role: "gateway" });
  mux.ping(bytes("abcdefgh"));
  assert.deepEqual(sent(mux), ["ping abcdefgh"]);
  assert.equal(take(mux, { type: "pong", payload: bytes("abcdefgh") }), "pong abcdefgh");
  assert.deepEqual(sent(mux), []);
});

for (const byPeer of [true, false]) {
  Deno.test(`mux: none is opened while ${byPeer ? "the peer drains" : "we drain"}`, () => {
    const mux = muxIn("open", "gateway");
    if (byPeer) assert.equal(take(mux, { type: "drain", ms: 5000 }), "drain 5000");
    else mux.drain(5000);
    assert.deepEqual(sent(mux), byPeer ? [] : ["drain 5000"]);
    assert.ok(!mux.canOpen);
    assert.ok(!mux.isDone);
    assert.equal(mux.send(1, bytes("on")), 2);
    mux.reset(1, CODE, "");
    assert.ok(mux.isDone);
  });
}

Deno.test("mux: more than a frame holds goes in several", () => {
  const mux = new Mux({ role: "agent", maxFrameBytes: 3 });
  take(mux, open(1, "tcp", 8));
  mux.accept(1);
  assert.equal(mux.send(1, bytes("abcdefghij")), 8);
  assert.deepEqual(sent(mux), ["opened 1 +262144", "data 1 abc", "data 1 def", "data 1 gh"]);
});

Deno.test("mux: what waits is a copy, and is counted", () => {
  const mux = muxIn("open", "agent");
  const payload = bytes("abc");
  mux.send(1, payload);
  payload.fill(0);
  assert.equal(mux.outputBytes, 5);
  assert.deepEqual(sent(mux), ["data 1 abc"]);
  assert.equal(mux.outputBytes, 0);
});

Deno.test("mux: credit comes back while the peer may use it, and not after", () => {
  const mux = muxIn("open", "agent");
  take(mux, data(1, "12345678"));
  mux.consumed(1, 3);
  mux.consumed(1, 5);
  assert.deepEqual(sent(mux), ["credit 1 +8"]);
  take(mux, data(1, "1234"));
  take(mux, fin(1));
  mux.consumed(1, 4);
  assert.deepEqual(sent(mux), []);
  assert.throws(() => mux.consumed(1, 1), /Consumed 1 of 0/);
  mux.fin(1);
  mux.consumed(1, 4);
  assert.deepEqual(sent(mux), ["fin 1"]);
});

Deno.test("mux: a window of one byte never gets stuck", () => {
  const mux = new Mux({ role: "agent", windowBytes: 1 });
  take(mux, open(1));
  mux.accept(1);
  for (let i = 0; i < 5; i++) {
    take(mux, data(1, "x"));
    mux.consumed(1, 1);
  }
  assert.deepEqual(sent(mux).slice(1), Array(5).fill("credit 1 +1"));
});

Deno.test("mux: DATA is made before a payload without a copy, and costs the same", () => {
  const mux = muxIn("open", "agent");
  const size = mux.dataHeader(1);
  const room = new Uint8Array(16 + 3);
  room.set(bytes("abc"), 16);
  mux.writeDataHeader(room, 16 - size, 1);
  assert.deepEqual(room.subarray(16 - size), Uint8Array.of(6, 1, ...bytes("abc")));
  assert.equal(mux.sendable(1), 5);
  assert.deepEqual(sent(mux), []);
});

Deno.test("mux: what can't be sent past the output is a bug of the caller", () => {
  const mux = muxIn("open", "agent");
  const write = (length: number) => () => mux.writeDataHeader(new Uint8Array(2 + length), 0, 1);
  assert.throws(write(9), /takes no 9 bytes/);
  assert.throws(write(0), /DATA of 0 bytes/);
  assert.throws(() => mux.writeDataHeader(new Uint8Array(1), 0, 1), /takes no -1 bytes/);
  assert.equal(mux.sendable(1), 8);
  mux.fin(1);
  assert.throws(write(1), /takes no 1 bytes/);

  const early = muxIn("asked for", "agent");
  early.accept(1);
  assert.throws(() => early.writeDataHeader(new Uint8Array(3), 0, 1), /OPENED waits/);
  early.output();
  early.writeDataHeader(new Uint8Array(3), 0, 1);

  const small = new Mux({ role: "agent", maxFrameBytes: 2 });
  take(small, open(1));
  small.accept(1);
  small.output();
  assert.throws(() => small.writeDataHeader(new Uint8Array(5), 0, 1), /DATA of 3 bytes/);
});

Deno.test("mux: nothing can be done with a stream that is over", () => {
  for (const state of ["ended", "reset by us", "reset by the peer", "refused"] as const) {
    for (const role of ["gateway", "agent"] as const) {
      const mux = muxIn(state, role);
      assert.equal(mux.streams, 0);
      assert.equal(mux.sendable(1), 0);
      assert.equal(mux.send(1, bytes("a")), 0);
      assert.equal(mux.fin(1), false);
      assert.equal(mux.reset(1, CODE, ""), false);
      assert.equal(mux.accept(1), false);
      assert.equal(mux.refuse(1, CODE, ""), false);
      mux.consumed(1, 5);
      assert.deepEqual(sent(mux), []);
    }
  }
});

Deno.test("mux: nothing is sent on a stream that is not open, nor behind FIN", () => {
  for (const mux of [muxIn("asked for", "gateway"), muxIn("ended by us", "gateway")]) {
    assert.equal(mux.send(1, bytes("a")), 0);
    assert.equal(mux.fin(1), false);
    assert.deepEqual(sent(mux), []);
  }
});

Deno.test("mux: a gateway takes an OPEN back by RESET, an agent says REFUSED", () => {
  const gateway = muxIn("asked for", "gateway");
  assert.ok(gateway.reset(1, CODE, "gone"));
  assert.deepEqual(sent(gateway), ["reset 1 CONNECTION_FAILED gone"]);
  const agent = muxIn("asked for", "agent");
  assert.ok(agent.reset(1, CODE, "gone"));
  assert.deepEqual(sent(agent), ["refused 1 CONNECTION_FAILED gone"]);
  const told = muxIn("asked for", "agent");
  assert.equal(take(told, reset(1)), "reset 1 CONNECTION_FAILED r");
});

Deno.test("mux: only what was asked for can be answered", () => {
  for (const mux of [muxIn("open", "agent"), muxIn("asked for", "gateway")]) {
    assert.throws(() => mux.accept(1), /needs no answer/);
    assert.throws(() => mux.refuse(1, CODE, ""), /needs no answer/);
  }
  assert.throws(() => muxIn("never opened", "agent").open(TARGET), /No stream can be opened/);
});

Deno.test("mux: a target that can't be named opens nothing", () => {
  const mux = new Mux({ role: "gateway" });
  for (const change of [{ host: "" }, { host: "a b" }, { host: "a".repeat(256) }, { port: 0 }]) {
    assert.throws(() => mux.open({ ...TARGET, ...change }), RangeError);
  }
  assert.deepEqual(sent(mux), []);
  assert.equal(mux.open(TARGET), 1);
});

for (
  const options of [
    { windowBytes: 0 },
    { windowBytes: 2 ** 31 },
    { windowBytes: 1.5 },
    { maxStreams: 0 },
    { maxFrameBytes: 0 },
    { maxFrameBytes: 65_537 },
  ]
) {
  Deno.test(`mux: ${JSON.stringify(options)} is refused`, () => {
    assert.throws(() => new Mux({ role: "agent", ...options } as MuxOptions), RangeError);
  });
}
