// Messages across connections.
import assert from "node:assert/strict";
import type { Message } from "../../src/endpoint/message.ts";
import { NetError } from "../../src/net/error.ts";
import { socketOn } from "../endpoint/support.ts";
import { within } from "../support/within.ts";
import { settled, World } from "./reconnecting_support.ts";

Deno.test("reconnecting: one iteration goes over all connections, until it is over for good", async () => {
  const world = new World();
  const got: Message[] = [];
  const reading = (async () => {
    for await (const data of world.socket) got.push(data);
  })();
  const first = await world.open();
  await first.send("1");
  await first.send(Uint8Array.of(2));
  await settled();
  first.abort();
  await settled();
  await world.clock.pass(500);
  await (await world.attempt()).fail();
  const second = await world.reopen();
  await second.send("3");
  await settled();
  await second.close(4000);
  await within("the end of the iteration", reading);
  assert.deepEqual(got, ["1", Uint8Array.of(2), "3"]);
});

Deno.test("reconnecting: what came before a connection ended is read before the next comes", async () => {
  const world = new World();
  const first = await world.open();
  for (const text of ["1", "2", "3"]) await first.send(text);
  first.abort();
  await settled();
  assert.deepEqual(world.clock.waits, []);
  for (const want of ["1", "2", "3"]) assert.equal(await world.socket.receive(), want);
  await settled();
  await (await world.reopen()).send("4");
  assert.equal(await world.socket.receive(), "4");
  await world.socket.close();
});

Deno.test("reconnecting: to leave the loop leaves it open", async () => {
  const world = new World();
  const server = await world.open();
  await server.send("1");
  for await (const data of world.socket) {
    assert.equal(data, "1");
    break;
  }
  await server.send("2");
  assert.equal(await world.socket.receive(), "2");
  await world.socket.close();
});

Deno.test("reconnecting: sends wait for a connection, and go in the order of the calls", async () => {
  const world = new World();
  const first = Promise.all(["1", "2"].map((data) => world.socket.send(data)));
  const server = await world.open();
  await first;
  assert.deepEqual([await server.receive(), await server.receive()], ["1", "2"]);
  server.abort();
  await settled();
  const second = Promise.all(["3", "4"].map((data) => world.socket.send(data)));
  const again = await world.reopen();
  await second;
  await world.socket.send("5");
  for (const want of ["3", "4", "5"]) assert.equal(await again.receive(), want);
  assert.deepEqual(world.clock.waits, []);
  await world.socket.close();
});

Deno.test("reconnecting: a send waits from the server's Close on, not from the end of its stream", async () => {
  const world = new World();
  const { socket, stream, peer } = socketOn("client");
  await (await world.attempt()).open(socket);
  stream.feed(peer.close(1001));
  assert.equal(await stream.next(), "CLOSE 1001");
  const sending = world.socket.send("by the next");
  stream.feed(null);
  assert.equal(await (await world.reopen()).receive(), "by the next");
  await sending;
  await world.socket.close();
});

Deno.test("reconnecting: a send waits no longer than sendWaitMs, and then is not sent", async () => {
  const world = new World({ sendWaitMs: 50 });
  const attempt = await world.attempt();
  const late = world.socket.send("late").catch((error: unknown) => error);
  await world.clock.pass(49);
  const inTime = world.socket.send("in time");
  await world.clock.pass(1);
  const error = await late;
  assert.ok(error instanceof NetError);
  assert.deepEqual([error.kind, error.message], [
    ...["timeout", "Cannot send: no connection within 50 ms"],
  ]);
  const server = await attempt.open();
  await inTime;
  assert.equal(await server.receive(), "in time");
  await world.socket.close();
});

Deno.test("reconnecting: maxWaitingSends wait, and one more is rejected", async () => {
  const world = new World({ maxWaitingSends: 2 });
  const attempt = await world.attempt();
  const waiting = [world.socket.send("1"), world.socket.send("2")];
  await assert.rejects(world.socket.send("3"), /Cannot send: 2 messages wait for a connection/);
  const server = await attempt.open();
  await Promise.all(waiting);
  assert.equal(await server.receive(), "1");
  await world.socket.close();
});

Deno.test('reconnecting: whenDown "reject": no send waits', async () => {
  const world = new World({ whenDown: "reject" });
  await assert.rejects(world.socket.send("1"), { name: "NetError", kind: "lost" });
  const server = await world.open();
  await world.socket.send("2");
  assert.equal(await server.receive(), "2");
  await world.socket.close();
});

Deno.test("reconnecting: a message whose connection is lost rejects, and is not sent again", async () => {
  const world = new World();
  const server = await world.open();
  await world.socket.send("not read, so the server reads no more");
  const large = world.socket.send(new Uint8Array(2 ** 20)).catch((error: unknown) => error);
  await settled();
  assert.ok(world.socket.bufferedAmount > 0);
  server.abort();
  assert.ok(await within("the end of the send", large) instanceof NetError);
  const again = await world.reopen();
  await world.socket.send("next");
  assert.equal(await again.receive(), "next");
  await world.socket.close();
});
