// What a socket sends and receives while it is open, on either side.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { within } from "../support/within.ts";
import { concat, ROLES, sent, settled, socketOn, utf8 } from "./support.ts";

for (const role of ROLES) {
  Deno.test(`socket, ${role}: text as text, binary as binary, both ways`, async () => {
    const { socket, stream, peer } = socketOn(role);
    await socket.send("grüße\u{1f600}");
    await socket.send(utf8.encode("bytes"));
    await socket.send("");
    await socket.send(new Uint8Array(0));
    assert.deepEqual(
      stream.rest,
      ["TEXT grüße\u{1f600}", "BINARY bytes", "TEXT", "BINARY"].map((frame) => sent(role, frame)),
    );
    stream.feed(concat([peer.text("grüße"), peer.binary(utf8.encode("bytes")), peer.text("")]));
    assert.equal(await socket.receive(), "grüße");
    assert.deepEqual(await socket.receive(), utf8.encode("bytes"));
    assert.equal(await socket.receive(), "");
    socket.abort();
  });

  Deno.test(`socket, ${role}: many sends at once keep their order, small and large`, async () => {
    const { socket, stream } = socketOn(role);
    stream.fill();
    const sizes = [1, 70_000, 2, 3, 65_536, 65_537, 4, 200_000, 5];
    const sends = sizes.map((size) => socket.send(new Uint8Array(size)));
    const order: number[] = [];
    sends.forEach((promise, i) => void promise.then(() => order.push(i)));
    stream.makeRoom();
    await within("all sends", Promise.all(sends));
    assert.deepEqual(order, sizes.map((_, i) => i));
    const lengths: number[] = [];
    for (const text of stream.rest) {
      const [name, ...rest] = text.replace(" unmasked", "").split(" ");
      const length = Number(/^\d{3,}/.exec(rest[0])?.[0] ?? rest.join(" ").length);
      if (name.startsWith("BINARY")) lengths.push(length);
      else lengths.push(lengths.pop()! + length);
    }
    assert.deepEqual(lengths, sizes);
    socket.abort();
  });

  Deno.test(`socket, ${role}: RFC 6455 §5.4: Ping and Pong go between the frames of a large message`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.fill();
    const sending = socket.send(new Uint8Array(140_000));
    assert.equal(await stream.next(), sent(role, "BINARY+ 65536 bytes"));
    const ping = socket.ping(utf8.encode("between"));
    stream.feed(peer.ping("you?"), peer.pong("between"));
    assert.equal(await stream.next(), sent(role, "PING between"));
    assert.equal(await stream.next(), sent(role, "PONG you?"));
    assert.ok(await within("the Pong", ping) >= 0);
    stream.makeRoom();
    await within("the message", sending);
    assert.deepEqual(stream.rest, [
      sent(role, "CONTINUATION+ 65536 bytes"),
      sent(role, "CONTINUATION 8928 bytes"),
    ]);
    socket.abort();
  });

  Deno.test(`socket, ${role}: RFC 6455 §5.5.3: of Pings that come while a Pong has no room the last is answered`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.fill();
    stream.feed(...Array.from({ length: 1000 }, (_, i) => peer.ping(`${i}`)));
    stream.feed(peer.text("read on"));
    assert.equal(await within("the message", socket.receive()), "read on");
    stream.makeRoom();
    assert.equal(await stream.next(), sent(role, "PONG 0"));
    assert.equal(await stream.next(), sent(role, "PONG 999"));
    await settled();
    assert.deepEqual(stream.rest, []);
    socket.abort();
  });

  Deno.test(`socket, ${role}: bufferedAmount is what was given and not yet taken, in bytes of messages`, async () => {
    const { socket, stream } = socketOn(role);
    assert.equal(socket.bufferedAmount, 0);
    stream.fill();
    const sends = [socket.send("ü"), socket.send(new Uint8Array(100_000)), socket.send("abc")];
    assert.equal(socket.bufferedAmount, 2 + 100_000 + 3);
    void socket.ping().catch(() => {});
    assert.equal(socket.bufferedAmount, 2 + 100_000 + 3);
    stream.makeRoom();
    stream.fill();
    await sends[0];
    await settled();
    assert.equal(socket.bufferedAmount, 100_000 + 3 - 65_536);
    stream.makeRoom();
    await Promise.all(sends);
    assert.equal(socket.bufferedAmount, 0);
    socket.abort();
  });

  Deno.test(`socket, ${role}: it reads one message ahead, and no more`, async () => {
    const { socket, stream, peer } = socketOn(role);
    for (let i = 0; i < 10; i++) stream.feed(peer.text(`${i}`));
    await settled();
    assert.equal(stream.reads, 1);
    assert.equal(await socket.receive(), "0");
    await settled();
    assert.equal(stream.reads, 2);
    for (let i = 1; i < 10; i++) assert.equal(await socket.receive(), `${i}`);
    socket.abort();
  });

  Deno.test(`socket, ${role}: Pings are answered while nobody reads, unless a message waits`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.feed(peer.ping("one"));
    assert.equal(await stream.next(), sent(role, "PONG one"));
    stream.feed(peer.text("waits"), peer.ping("two"));
    await settled();
    assert.deepEqual(stream.rest, []);
    assert.equal(await socket.receive(), "waits");
    assert.equal(await stream.next(), sent(role, "PONG two"));
    socket.abort();
  });

  Deno.test(`socket, ${role}: the end is seen while nobody reads`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.feed(peer.close(1001, "going"), null);
    assert.equal((await within("closed", socket.closed)).code, 1001);
  });

  Deno.test(`socket, ${role}: several receive at once get the messages in the order of the calls`, async () => {
    const { socket, stream, peer } = socketOn(role);
    const all = Promise.all([socket.receive(), socket.receive(), socket.receive()]);
    stream.feed(concat([peer.text("1"), peer.text("2")]), null);
    assert.deepEqual(await within("all", all), ["1", "2", null]);
  });

  Deno.test(`socket, ${role}: for await gives all messages; to leave it leaves the socket open`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.feed(...["1", "2", "3"].map((text) => peer.text(text)));
    for await (const data of socket) {
      assert.equal(data, "1");
      break;
    }
    stream.feed(peer.close(1000), null);
    const rest: unknown[] = [];
    for await (const data of socket) rest.push(data);
    assert.deepEqual(rest, ["2", "3"]);
  });

  Deno.test(`socket, ${role}: fragments make one message, with control frames between them`, async () => {
    const { socket, stream, peer } = socketOn(role);
    const part = (opcode: Opcode, text: string, fin = false) =>
      peer.frame({ opcode, fin, payload: utf8.encode(text) });
    stream.feed(
      part(Opcode.TEXT, "a"),
      peer.ping("p"),
      part(Opcode.CONTINUATION, "b"),
      part(Opcode.CONTINUATION, "c", true),
    );
    assert.equal(await socket.receive(), "abc");
    assert.deepEqual(stream.rest, [sent(role, "PONG p")]);
    socket.abort();
  });
}

Deno.test("socket: RFC 6455 §5.3: each frame of a client has a key of its own", async () => {
  const { socket, stream } = socketOn("client");
  for (let i = 0; i < 100; i++) await socket.send("x");
  const keys = stream.calls.map((frame) => (frame as Uint8Array).subarray(2, 6).join());
  assert.equal(new Set(keys).size, 100);
  socket.abort();
});

for (const role of ROLES) {
  Deno.test(`ping, ${role}: gives the time until its own Pong, in any order of calls`, async () => {
    const { socket, stream, peer } = socketOn(role);
    const pongs: string[] = [];
    const pings = ["a", "b", "c"].map((text) => socket.ping(utf8.encode(text)));
    pings.forEach((ping, i) => void ping.then(() => pongs.push("abc"[i])));
    stream.feed(peer.pong("unasked"), peer.pong("a"));
    await settled();
    assert.deepEqual(pongs, ["a"]);
    // §5.5.3: a peer may answer but the last of several.
    stream.feed(peer.pong("c"));
    for (const ms of await within("all Pongs", Promise.all(pings))) assert.ok(ms >= 0 && ms < 20e3);
    socket.abort();
  });

  Deno.test(`ping, ${role}: payloads of its own are not the same`, async () => {
    const { socket, stream } = socketOn(role);
    const pings = Promise.allSettled([socket.ping(), socket.ping()]);
    assert.equal(new Set(stream.rest).size, 2);
    socket.abort();
    assert.deepEqual((await pings).map(({ status }) => status), ["rejected", "rejected"]);
  });

  Deno.test(`ping, ${role}: RFC 6455 §5.5: more than 125 bytes are a mistake, and nothing is sent`, async () => {
    const { socket, stream } = socketOn(role);
    await assert.rejects(socket.ping(new Uint8Array(126)), RangeError);
    assert.deepEqual(stream.rest, []);
    socket.abort();
  });

  Deno.test(`ping, ${role}: rejects when the socket ends before the Pong`, async () => {
    const { socket, stream, peer } = socketOn(role);
    const ping = assert.rejects(socket.ping(), NetError);
    stream.feed(peer.close(1000), null);
    await within("the rejection", ping);
    await socket.closed;
  });

  Deno.test(`onPong, ${role}: gets each Pong with its payload`, async () => {
    const pongs: string[] = [];
    const onPong = (payload: Uint8Array) => void pongs.push(new TextDecoder().decode(payload));
    const { socket, stream, peer } = socketOn(role, { onPong });
    stream.feed(peer.pong("one"), peer.pong(), peer.close(1000), null);
    await socket.closed;
    assert.deepEqual(pongs, ["one", ""]);
  });
}
