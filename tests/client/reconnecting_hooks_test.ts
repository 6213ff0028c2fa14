// How it is closed, and the hooks.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { within } from "../support/within.ts";
import { settled, World } from "./reconnecting_support.ts";

Deno.test("reconnecting: resubscribe is called on each connection but the first, before what waits", async () => {
  let count = 0;
  const gate = Promise.withResolvers<void>();
  const world = new World({
    async resubscribe(socket) {
      await socket.send(`subscribe ${++count}`);
      await gate.promise;
    },
  });
  const first = await world.open();
  assert.equal(world.socket.open, true);
  first.abort();
  await settled();
  const sending = world.socket.send("waits");
  const second = await world.reopen();
  assert.equal(world.socket.open, false);
  // What comes meanwhile is read.
  await second.send("at once");
  assert.equal(await world.socket.receive(), "at once");
  assert.equal(await second.receive(), "subscribe 1");
  gate.resolve();
  await sending;
  assert.equal(await second.receive(), "waits");
  await world.socket.close();
});

Deno.test("reconnecting: what resubscribe throws closes that connection, and another comes", async () => {
  const error = new Error("no subscription");
  const ends: unknown[] = [];
  let fails = true;
  const world = new World({
    resubscribe() {
      if (fails) throw error;
    },
    onClose: (end) => ends.push(end),
  });
  (await world.open()).abort();
  await settled();
  const second = await world.reopen();
  const end = { code: 1011, reason: "", wasClean: true, by: "us" };
  assert.equal((await within("its Close", second.closed)).code, 1011);
  await settled();
  assert.deepEqual(ends[1], { ...end, error });
  fails = false;
  const third = await world.reopen();
  await world.socket.send("on");
  assert.equal(await third.receive(), "on");
  await world.socket.close();
});

Deno.test("reconnecting: a connection that is lost while resubscribe waits for it is only lost", async () => {
  const ends: unknown[] = [];
  const world = new World({
    resubscribe: () => new Promise(() => {}),
    onClose: (end) => ends.push(end),
  });
  (await world.open()).abort();
  await settled();
  (await world.reopen()).abort();
  await settled();
  assert.equal(ends.length, 2);
  assert.equal(Reflect.has(ends[1] as object, "error"), false);
  await world.socket.close();
});

for (const hook of ["onOpen", "onClose", "endsOn"] as const) {
  Deno.test(`reconnecting: what ${hook} throws ends all, and is told`, async () => {
    const error = new Error("a bug");
    const world = new World({
      [hook]: () => {
        throw error;
      },
    });
    const server = await world.open();
    if (hook !== "onOpen") server.abort();
    const end = await within("the end", world.socket.closed);
    assert.equal(end.error, error);
    await assert.rejects(world.socket.receive(), error);
    assert.deepEqual(world.clock.waits, []);
    await within("the end of the server's socket", server.closed);
  });
}

Deno.test("reconnecting: the hooks can't read: messages go to receive alone", async () => {
  let seen: object = {};
  const world = new World({ onOpen: (socket) => seen = socket });
  await world.open();
  assert.deepEqual(Object.keys(seen).sort(), [
    ...["extensions", "fields", "http", "ping", "protocol", "send"],
  ]);
  await world.socket.close();
});

Deno.test("reconnecting: close while open closes the connection, and no other comes", async () => {
  const world = new World();
  const server = await world.open();
  const reading = world.socket.receive();
  const end = { code: 4001, reason: "", wasClean: true, by: "us" };
  assert.deepEqual(await world.socket.close(4001, "done"), end);
  assert.deepEqual(await world.socket.closed, end);
  assert.deepEqual([await reading, await world.socket.receive()], [null, null]);
  assert.equal((await server.closed).reason, "done");
  assert.deepEqual([world.count, world.clock.waits], [1, []]);
  assert.deepEqual(world.told, ["open 1.1 1", "close 4001 null"]);
});

const DOWN = {
  ...{ code: 1006, reason: "closed while there was no connection", wasClean: false, by: "us" },
};

for (const during of ["an attempt", "a wait"]) {
  Deno.test(`reconnecting: close during ${during} ends it at once, and leaves no timer`, async () => {
    const world = new World();
    const attempt = await world.attempt();
    if (during === "a wait") await attempt.fail();
    const reading = world.socket.receive();
    const sending = world.socket.send("never").catch((error: unknown) => error);
    assert.deepEqual(await within("the end", world.socket.close()), DOWN);
    assert.equal(await reading, null);
    assert.equal((await sending as NetError).kind, "aborted");
    assert.deepEqual(world.clock.waits, []);
    await world.clock.pass(100_000);
    assert.equal(world.count, 1);
  });
}

Deno.test("reconnecting: close as a connection opens closes it, with its code", async () => {
  const world = new World();
  const opening = (await world.attempt()).open();
  const closing = world.socket.close(4002, "why");
  const server = await opening;
  const { code, reason } = await within("its Close", server.closed);
  assert.deepEqual([code, reason, (await closing).code], [4002, "why", 4002]);
});

Deno.test("reconnecting: close while resubscribe goes on closes the connection", async () => {
  const world = new World({ resubscribe: () => new Promise(() => {}) });
  (await world.open()).abort();
  await settled();
  await world.reopen();
  assert.equal((await within("the end", world.socket.close())).code, 1000);
});

Deno.test("reconnecting: a code that MUST NOT be sent rejects, and it stays open", async () => {
  const world = new World();
  const server = await world.open();
  for (const code of [0, 1006, 1015, 5000]) {
    await assert.rejects(world.socket.close(code), RangeError);
  }
  await world.socket.send("still here");
  assert.equal(await server.receive(), "still here");
  await world.socket.close();
});

Deno.test("reconnecting: its signal closes it, before it begins or later", async () => {
  const early = new World({ signal: AbortSignal.abort() });
  assert.deepEqual(await within("the end", early.socket.closed), DOWN);
  assert.equal(early.count, 0);
  const controller = new AbortController();
  const world = new World({ signal: controller.signal });
  await world.open();
  controller.abort();
  assert.equal((await within("the end", world.socket.closed)).code, 1000);
});

Deno.test("reconnecting: close in onClose is the end", async () => {
  const world = new World({
    onClose(_end, delayMs) {
      assert.equal(delayMs, 500);
      void world.socket.close();
    },
  });
  await (await world.attempt()).fail();
  assert.deepEqual(await within("the end", world.socket.closed), DOWN);
});

Deno.test("reconnecting: nothing of it stays at its signal when it is over", async () => {
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  signal.addEventListener = (_type: string, listener: unknown) => void listeners.add(listener);
  signal.removeEventListener = (_type: string, listener: unknown) =>
    void listeners.delete(listener);
  const world = new World({ signal });
  await world.open();
  assert.equal(listeners.size, 1);
  await world.socket.close();
  assert.equal(listeners.size, 0);
});
