// What the door does about clients that are slow or silent, and how it drains.
import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { bytes, Door, echo, echoed, GET, HOST, Parts, pause } from "./h1_support.ts";

const CLOSE = "Connection: close\r\n";

Deno.test("h1 time: a head that is not whole in time is 408", async () => {
  for (const drip of [false, true]) {
    await using door = new Door(echo, { headTimeoutMs: 150, idleTimeoutMs: 60_000 });
    const client = await door.connect();
    await client.send("GET / HTTP/1.1\r\n");
    // RFC 9110 §15.5.9; one more byte now and then does not help.
    while (drip && !client.isOver) {
      await client.send("x");
      await pause(20);
    }
    assert.match(
      await client.ended(),
      /^HTTP\/1.1 408 Request Timeout\r\n.*Connection: close\r\n/s,
    );
    assert.deepEqual([door.refused, door.peerErrors, door.offers.length], [[408], [], 0]);
  }
});

Deno.test("h1 time: an idle connection is closed silently", async () => {
  await using door = new Door(echo, { idleTimeoutMs: 100 });
  const silent = await door.connect();
  assert.equal(await silent.ended(), "");
  const used = await door.connect();
  await used.send(GET);
  assert.equal(await used.ended(), echoed("GET a.example /a []"));
  await until("both ends", () => door.ends.length === 2);
  assert.deepEqual(door.ends[0], { code: 0, reason: "idle", byPeer: false });
  assert.deepEqual(door.refused, []);
});

Deno.test("h1 time: neither timeout runs while an answer is made", async () => {
  await using door = new Door(async (offer) => {
    await pause(300);
    await echo(offer);
  }, { idleTimeoutMs: 50, headTimeoutMs: 50, writeTimeoutMs: 50 });
  const client = await door.connect();
  await client.send(GET);
  await client.has("[]");
});

const STUCK = "x".repeat(64 * 2 ** 20);

for (
  const [name, body] of [
    ["a whole body", () => bytes(STUCK)],
    ["streamed content", () => new Parts([STUCK])],
    ["content of known length", () => new Parts([STUCK], STUCK.length)],
  ] as const
) {
  Deno.test(`h1 time: a client that does not take its answer is cut off: ${name}`, async () => {
    let gone = 0;
    let failed: unknown;
    await using door = new Door(async (offer) => {
      offer.onGone(() => gone++);
      await offer.respond(200, [], body()).catch((error) => failed = error);
    }, { writeTimeoutMs: 200 });
    const client = await door.connect();
    client.socket.pause();
    await client.send(GET);
    await until("its end", () => door.ends.length === 1);
    await until("the answer's end", () => failed !== undefined);
    assert.equal((failed as Error).name, "NetError");
    assert.equal(gone, 1);
  });
}

Deno.test("h1 time: a client that takes a large answer slowly, but takes it, is not cut off", async () => {
  await using door = new Door((offer) => offer.respond(200, [], new Uint8Array(24 * 2 ** 20)), {
    writeTimeoutMs: 300,
  });
  const client = await door.connect();
  let taken = 0;
  client.socket.removeAllListeners("data");
  client.socket.on("data", (chunk: Uint8Array) => {
    taken += chunk.length;
    client.socket.pause();
    setTimeout(() => client.socket.resume(), 2);
  });
  const started = performance.now();
  await client.send(GET);
  await until("all of it", () => taken > 24 * 2 ** 20);
  assert.ok(performance.now() - started > 300, "it was not slow");
});

Deno.test("h1 drain: idle connections end at once, others behind their answer", async () => {
  const go = Promise.withResolvers<void>();
  await using door = new Door(async (offer) => {
    if (offer.request.path === "/slow") await go.promise;
    await echo(offer);
  });
  const silent = await door.connect();
  const used = await door.connect();
  await used.send(GET);
  await used.has("[]");
  const half = await door.connect();
  await half.send("GET /half HTTP/1.1\r\n");
  const busy = await door.connect();
  await busy.send(GET.replace("/a", "/slow") + GET);
  await until("four connections", () => door.connections.size === 4);
  for (const connection of door.connections) connection.drain();
  assert.equal(await silent.ended(), "");
  assert.equal(await used.ended(), echoed("GET a.example /a []"));
  await pause(50);
  assert.equal(busy.isOver || half.isOver, false);
  await half.send(`${HOST}\r\n`);
  assert.equal(await half.ended(), echoed("GET a.example /half []", CLOSE));
  go.resolve();
  // RFC 9112 §9.6: behind "close" no request is served.
  assert.equal(await busy.ended(), echoed("GET a.example /slow []", CLOSE));
  await until("all ends", () => door.ends.length === 4);
});

Deno.test("h1 drain: what was promised to stay may ask once more, or just ends", async () => {
  const half = Promise.withResolvers<string>();
  await using door = new Door((offer) => offer.respond(200, [], new Parts(["a", half.promise])));
  const client = await door.connect();
  await client.send(GET);
  await client.has("1\r\na\r\n");
  for (const connection of door.connections) connection.drain();
  half.resolve("b");
  assert.match(await client.ended(), /1\r\nb\r\n0\r\n\r\n$/);
});

Deno.test("h1 close: everything ends at once, and who makes an answer is told", async () => {
  let gone = 0;
  const over = Promise.withResolvers<void>();
  await using door = new Door(async (offer) => {
    offer.onGone(() => {
      gone++;
      over.resolve();
    });
    await over.promise;
    await assert.rejects(offer.respond(200, []), { name: "NetError" });
  });
  const client = await door.connect();
  await client.send(GET);
  await until("the offer", () => door.offers.length === 1);
  for (const connection of door.connections) connection.close();
  assert.equal(await client.ended(), "");
  await until("its end", () => door.ends.length === 1);
  assert.equal(gone, 1);
  assert.equal(door.ends[0].byPeer, false);
});

Deno.test("h1 abort: an offer that is given up cuts its connection", async () => {
  await using door = new Door((offer) => {
    offer.abort();
    return Promise.resolve();
  });
  assert.equal(await door.exchange(GET), "");
});

Deno.test("h1 time: 1000 connections, opened and ended, leave nothing", async () => {
  await using door = new Door(echo);
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(Array.from({ length: 100 }, () => door.connect()));
    await Promise.all(clients.map(async (client, i) => {
      if (i % 4 !== 0) await client.send(GET);
      if (i % 4 === 1) client.reset();
      else client.fin();
      if (i % 4 !== 1) await client.ended();
    }));
  }
  await until("all ends", () => door.ends.length === 1000);
  assert.equal(door.connections.size, 0);
  assert.equal(door.sweeper.size, 0);
});
