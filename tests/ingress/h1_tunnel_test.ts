// Upgrades and CONNECT: a request, and then the bytes of another protocol (RFC 9110 §7.8).
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { until } from "../support/until.ts";
import {
  acceptEcho,
  bytes,
  Door,
  echoTunnel,
  GET,
  HOST,
  latin1,
  pause,
  switched,
  upgrade,
} from "./h1_support.ts";

const ROWS = [
  {
    name: "websocket",
    ask: "websocket",
    protocol: "websocket",
    fields: [],
    want: switched("websocket"),
  },
  {
    name: "as it was written",
    ask: "WebSocket",
    protocol: "WebSocket",
    fields: [],
    want: switched("WebSocket"),
  },
  {
    name: "the first of several",
    ask: "foo/1, bar",
    protocol: "foo/1, bar",
    fields: [],
    want: switched("foo/1"),
  },
  {
    name: "the one that was chosen, with all other fields",
    ask: "foo/1, bar",
    protocol: "foo/1, bar",
    fields: [["upgrade", "bar"], ["sec-websocket-accept", "x"], ["content-length", "5"]] as const,
    want: switched("bar", "Sec-WebSocket-Accept: x\r\n"),
  },
  { name: "never h2c", ask: "h2c, foo", protocol: "foo", fields: [], want: switched("foo") },
];

for (const { name, ask, protocol, fields, want } of ROWS) {
  Deno.test(`RFC 9110 §7.8: 101 switches to ${name}`, async () => {
    await using door = new Door(async (offer) => echoTunnel(await offer.accept(fields)));
    const client = await door.connect();
    await client.send(upgrade(ask) + "early");
    await client.has(want + "early");
    assert.equal(door.offers[0].request.protocol, protocol);
    client.fin();
    assert.equal(await client.ended(), want + "early");
    await until("its end", () => door.ends.length === 1);
    assert.deepEqual(door.ends, [{ code: 0, reason: "", byPeer: false }]);
  });
}

for (const watched of [false, true]) {
  Deno.test(`h1 tunnel: no byte is lost behind the head${watched ? ", with a client that is watched" : ""}`, async () => {
    const tail = "0123456789".repeat(30);
    const all = upgrade("foo") + GET + tail;
    for (const cut of [1, 40, upgrade("foo").length - 1, upgrade("foo").length, all.length - 9]) {
      await using door = new Door(async (offer) => {
        if (watched) offer.onGone(() => {});
        // Time for the rest to come before the answer.
        await pause(20);
        await acceptEcho(offer);
      });
      const client = await door.connect();
      await client.send(all.slice(0, cut));
      await client.send(all.slice(cut, -4));
      await client.send(all.slice(-4));
      client.fin();
      assert.equal(await client.ended(), switched("foo") + GET + tail);
      assert.equal(door.offers.length, 1);
    }
  });
}

Deno.test("h1 tunnel: what the backend says at once comes right behind the 101", async () => {
  await using door = new Door(async (offer) => {
    const tunnel = await offer.accept([]);
    await tunnel.write(bytes("hello"));
    await tunnel.closeWrite();
    await tunnel.read();
  });
  const client = await door.connect();
  await client.send(upgrade("foo"));
  assert.equal(await client.ended(), switched("foo") + "hello");
});

Deno.test("h1 tunnel: each chunk has its headroom, also what came with the head", async () => {
  for (const watched of [false, true]) {
    await using door = new Door(async (offer) => {
      if (watched) offer.onGone(() => {});
      const tunnel = await offer.accept([]);
      assert.ok(tunnel.headroom > 0);
      for (let chunk = await tunnel.read(); chunk !== null; chunk = await tunnel.read()) {
        assert.ok(chunk.byteOffset >= tunnel.headroom);
        const before = new Uint8Array(
          chunk.buffer,
          chunk.byteOffset - tunnel.headroom,
          tunnel.headroom,
        );
        before.fill(0);
        await tunnel.write(chunk, tunnel.headroom);
      }
      await tunnel.closeWrite();
    });
    const client = await door.connect();
    await client.send(upgrade("foo") + "early");
    await client.send("later");
    client.fin();
    assert.equal(await client.ended(), switched("foo") + "earlylater");
  }
});

Deno.test("h1 tunnel: FIN before the answer is the tunnel's FIN, and the client is not gone", async () => {
  let gone = 0;
  await using door = new Door(async (offer) => {
    offer.onGone(() => gone++);
    await pause(50);
    const tunnel = await offer.accept([]);
    const first = latin1((await tunnel.read())!);
    assert.equal(await tunnel.read(), null);
    await tunnel.write(bytes(`got ${first}`));
    await tunnel.closeWrite();
  });
  const client = await door.connect();
  await client.send(upgrade("foo") + "early");
  client.fin();
  assert.equal(await client.ended(), switched("foo") + "got early");
  assert.equal(gone, 0);
});

Deno.test("h1 tunnel: each direction ends by itself", async () => {
  await using door = new Door(async (offer) => {
    const tunnel = await offer.accept([]);
    await tunnel.closeWrite();
    let got = "";
    for (let chunk = await tunnel.read(); chunk !== null; chunk = await tunnel.read()) {
      got += latin1(chunk);
    }
    assert.equal(got, "one two");
  });
  const client = await door.connect();
  await client.send(upgrade("foo"));
  await until("FIN", () => client.isOver);
  await client.send("one ");
  await client.send("two");
  client.fin();
  await until("the end", () => door.ends.length === 1);
});

Deno.test("RFC 9110 §7.8: bytes behind an offer that was refused are never a request", async () => {
  for (const watched of [false, true]) {
    await using door = new Door((offer) => {
      if (watched) offer.onGone(() => {});
      return offer.respond(403, [], bytes("no"));
    });
    const client = await door.connect();
    await client.send(upgrade("websocket") + GET);
    await client.send(GET);
    assert.equal(
      await client.ended(),
      "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
    );
    assert.equal(door.offers.length, 1);
  }
});

Deno.test("RFC 9110 §7.8: a tunnel begins behind the content of its request", async () => {
  const head =
    `POST /t HTTP/1.1\r\n${HOST}Connection: upgrade\r\nUpgrade: foo\r\nContent-Length: 5\r\n\r\n`;
  for (
    const [first, second] of [[head + "helloearly", ""], [head, "helloearly"], [
      head + "he",
      "lloearly",
    ]]
  ) {
    await using door = new Door(acceptEcho);
    const client = await door.connect();
    await client.send(first);
    await client.send(second);
    client.fin();
    assert.equal(await client.ended(), switched("foo") + "early");
  }
});

Deno.test("RFC 9110 §7.8: with Expect, a 100 comes before the 101", async () => {
  await using door = new Door(acceptEcho);
  const client = await door.connect();
  await client.send(
    `POST /t HTTP/1.1\r\n${HOST}Connection: upgrade\r\nUpgrade: foo\r\nContent-Length: 5\r\n` +
      "Expect: 100-continue\r\n\r\n",
  );
  await client.has("HTTP/1.1 100 Continue\r\n\r\n");
  await client.send("helloearly");
  client.fin();
  assert.equal(
    await client.ended(),
    "HTTP/1.1 100 Continue\r\n\r\n" + switched("foo") + "early",
  );
});

Deno.test("RFC 9110 §7.8: content that is too much before a tunnel ends the connection", async () => {
  await using door = new Door(async (offer) => {
    await assert.rejects(offer.accept([]), NetError);
  });
  const head =
    `POST /t HTTP/1.1\r\n${HOST}Connection: upgrade\r\nUpgrade: foo\r\nContent-Length: 99999\r\n\r\n`;
  assert.equal(await door.exchange(head), "");
});

Deno.test("RFC 9110 §9.3.6: CONNECT is an offer without a protocol; 200, and then its bytes", async () => {
  await using door = new Door(acceptEcho);
  const client = await door.connect();
  await client.send(`CONNECT b.example:443 HTTP/1.1\r\n${HOST}\r\nearly`);
  client.fin();
  assert.equal(await client.ended(), "HTTP/1.1 200 OK\r\n\r\nearly");
  const { method, protocol, authority, path } = door.offers[0].request;
  assert.deepEqual([method, protocol, authority, path], ["CONNECT", null, "b.example:443", ""]);
});

Deno.test("RFC 9931 §8: what comes behind a CONNECT that is refused is no request", async () => {
  await using door = new Door((offer) => offer.respond(501, []));
  const got = await door.exchange(`CONNECT b.example:443 HTTP/1.1\r\n${HOST}\r\n${GET}`);
  assert.equal(
    got,
    "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
  );
  assert.equal(door.offers.length, 1);
});
