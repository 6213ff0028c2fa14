// The content of requests: when it is asked for, what becomes of what nobody reads.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { HttpError } from "../../src/protocol/http1/error.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { bytes, Door, echo, echoed, GET, HOST, pause, readAll } from "./h1_support.ts";

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const EXPECT = `POST /a HTTP/1.1\r\n${HOST}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const OK_CLOSE = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

function post(length: number, body = ""): string {
  return `POST /a HTTP/1.1\r\n${HOST}Content-Length: ${length}\r\n\r\n${body}`;
}

function chunked(body: string): string {
  return `POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${body}`;
}

Deno.test("RFC 9110 §10.1.1: 100 is sent when the content is first read, and not before", async () => {
  const go = Promise.withResolvers<void>();
  await using door = new Door(async (offer) => {
    offer.onGone(() => {});
    await go.promise;
    await echo(offer);
  });
  const client = await door.connect();
  await client.send(EXPECT);
  await pause(50);
  assert.equal(client.got, "");
  go.resolve();
  await client.has(CONTINUE);
  await client.send("hello");
  await client.has("[hello]");
  assert.equal(client.got, CONTINUE + echoed("POST a.example /a [hello]"));
});

Deno.test("RFC 9110 §10.1.1: no 100 once it is answered; then the connection ends", async () => {
  await using door = new Door((offer) => offer.respond(200, []));
  const client = await door.connect();
  await client.send(EXPECT);
  assert.equal(await client.ended(), OK_CLOSE);
  assert.equal(door.offers.length, 1);
});

Deno.test("RFC 9110 §10.1.1: no 100 where the content comes anyway", async () => {
  await using door = new Door(echo);
  const client = await door.connect();
  await client.send(EXPECT + "hello");
  await client.has("[hello]");
  assert.equal(client.got, echoed("POST a.example /a [hello]"));
});

Deno.test("RFC 9110 §15.2.1: a 100 of the backend's is the only one", async () => {
  await using door = new Door(async (offer) => {
    await offer.inform(100, []);
    await offer.inform(100, []);
    await echo(offer);
  });
  const client = await door.connect();
  await client.send(EXPECT);
  await client.has(CONTINUE);
  await client.send("hello");
  await client.has("[hello]");
  assert.equal(client.got, CONTINUE + echoed("POST a.example /a [hello]"));
});

/** Content that nobody reads; `stays` says whether the next request is answered. */
const UNREAD = [
  { name: "that came with its head", send: [post(5, "hello")], stays: true },
  { name: "that comes later", send: [post(5), "hel", "lo"], stays: true },
  {
    name: "in chunks that came with their head",
    send: [chunked("5\r\nhello\r\n0\r\n\r\n")],
    stays: true,
  },
  { name: "of 64 KiB", send: [post(65536), "x".repeat(65536)], stays: true },
  { name: "of 64 KiB and a byte", send: [post(65537), "x".repeat(65537)], stays: false },
  {
    name: "in chunks that come later",
    send: [chunked("5\r\nhel"), "lo\r\n0\r\n\r\n"],
    stays: false,
  },
  { name: "of 1 GiB", send: [post(2 ** 30), "x".repeat(100_000)], stays: false },
];

for (const { name, send, stays } of UNREAD) {
  for (const cancels of [false, true]) {
    const how = cancels ? "cancelled" : "not looked at";
    Deno.test(`RFC 9112 §9.3: content ${how}, ${name}: the connection ${stays ? "stays" : "ends"}`, async () => {
      await using door = new Door((offer) => {
        if (cancels) offer.content?.cancel();
        return offer.respond(200, []);
      });
      const client = await door.connect();
      for (const part of send) await client.send(part);
      await client.has("\r\n\r\n");
      if (!stays) {
        await client.send(GET);
        assert.equal(await client.ended(), OK_CLOSE);
        return assert.equal(door.offers.length, 1);
      }
      await client.send(GET);
      await until("a second answer", () => client.got.length >= 2 * OK.length);
      assert.equal(client.got, OK + OK);
      assert.deepEqual(door.offers.map(({ request }) => request.method), ["POST", "GET"]);
    });
  }
}

Deno.test("RFC 9112 §9.6: a client that sends on still gets the answer that came early", async () => {
  await using door = new Door(async (offer) => {
    await offer.content!.read();
    await offer.respond(413, [], bytes("too much"));
  });
  const client = await door.connect();
  await client.send(post(2 ** 30));
  const megabyte = "x".repeat(2 ** 20);
  for (let i = 0; i < 5; i++) await client.send(megabyte);
  const got = await client.ended();
  assert.match(got, /^HTTP\/1.1 413 Content Too Large\r\n.*Connection: close\r\n\r\ntoo much$/s);
  assert.equal(client.error, null);
});

Deno.test("RFC 9112 §9.6: who sends for ever behind the last answer is cut off", async () => {
  await using door = new Door((offer) => offer.respond(413, []));
  const client = await door.connect();
  await client.send(post(2 ** 40));
  const block = new Uint8Array(65536);
  const write = () => {
    while (!client.socket.destroyed && client.socket.write(block));
  };
  client.socket.on("drain", write);
  write();
  await within(
    "the end",
    new Promise<void>((resolve) => client.socket.once("close", () => resolve())),
  );
});

Deno.test("RFC 9112 §7.1.2: the trailers of a request", async () => {
  await using door = new Door(async (offer) => {
    assert.equal(offer.content!.length, null);
    assert.deepEqual(offer.content!.trailers, []);
    const text = await readAll(offer.content);
    assert.deepEqual(offer.content!.trailers, [["x-sum", "1"]]);
    assert.equal(await offer.content!.read(), null);
    await offer.respond(200, [], bytes(text));
  });
  const client = await door.connect();
  await client.send(chunked("5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"));
  await client.has("hello");
});

/** Content that breaks off while it is read. */
const BROKEN = [
  { name: "a bad chunk", send: [chunked("5\r\nhello\r\n"), "zz\r\n"], status: 400 },
  { name: "data behind its chunk", send: [chunked("2\r\nhello\r\n0\r\n\r\n")], status: 400 },
  { name: "FIN before its length", send: [post(9, "hello")], fin: true, status: 400 },
  { name: "FIN before the last chunk", send: [chunked("5\r\nhello\r\n")], fin: true, status: 400 },
  { name: "nothing more for too long", send: [post(9, "hello")], status: 408 },
  { name: "nothing at all for too long", send: [post(9)], status: 408 },
];

for (const { name, send, fin, status } of BROKEN) {
  Deno.test(`RFC 9112 §8: content that is not whole is ${status} and ends: ${name}`, async () => {
    let failed: unknown;
    let answered: unknown;
    let gone = 0;
    await using door = new Door(async (offer) => {
      offer.onGone(() => gone++);
      await readAll(offer.content).catch((error) => failed = error);
      await assert.rejects(offer.content!.read());
      await offer.respond(200, []).catch((error) => answered = error);
    }, { headTimeoutMs: 100 });
    const client = await door.connect();
    for (const part of send) await client.send(part);
    if (fin) client.fin();
    const got = await client.ended();
    assert.match(got, new RegExp(`^HTTP/1.1 ${status} [^]*Connection: close\r\n\r\n.+\n$`));
    assert.equal(got.match(/HTTP\/1.1/g)!.length, 1);
    assert.ok(failed instanceof HttpError && failed.code === status, String(failed));
    assert.ok(answered instanceof NetError, String(answered));
    assert.equal(gone, 1);
    assert.deepEqual([door.refused, door.peerErrors], [[status], []]);
  });
}

Deno.test("h1 content: an error of the client's that a handler lets through is no bug of ours", async () => {
  await using door = new Door(echo);
  assert.match(await door.exchange(chunked("zz\r\n")), /^HTTP\/1.1 400 .*\n$/s);
});

Deno.test("h1 content: slow content that never stops is no fault", async () => {
  await using door = new Door(echo, { headTimeoutMs: 200 });
  const client = await door.connect();
  await client.send(post(10));
  for (let i = 0; i < 10; i++) {
    await pause(50);
    await client.send(String(i));
  }
  await client.has("[0123456789]");
});

Deno.test("h1 content: cancel ends a read that waits, and the next request is still read", async () => {
  await using door = new Door(async (offer) => {
    if (offer.content === null) return await echo(offer);
    const reading = offer.content.read();
    await pause(10);
    offer.content.cancel();
    await assert.rejects(reading, NetError);
    await assert.rejects(offer.content.read(), NetError);
    await offer.respond(200, []);
  });
  const client = await door.connect();
  await client.send(post(5));
  await client.has(OK);
  await client.send("he");
  await client.send("llo" + GET);
  await client.has("[]");
  assert.equal(client.got, OK + echoed("GET a.example /a []"));
});

Deno.test("h1 content: it may be read on while the answer goes out", async () => {
  await using door = new Door((offer) => {
    const content = offer.content!;
    return offer.respond(200, [], {
      length: null,
      trailers: [],
      read: () => content.read(),
      cancel: () => content.cancel(),
    });
  });
  const client = await door.connect();
  await client.send(chunked(""));
  await client.has("Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
  await client.send("3\r\none\r\n");
  await client.has("3\r\none\r\n");
  await client.send("3\r\ntwo\r\n0\r\n\r\n");
  assert.match(await client.ended(), /\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n$/);
});

Deno.test("h1 content: a client whose content is not taken is held back", async () => {
  const go = Promise.withResolvers<void>();
  await using door = new Door(async (offer) => {
    await offer.content!.read();
    await go.promise;
    let length = 0;
    for (let chunk = await offer.content!.read(); chunk; chunk = await offer.content!.read()) {
      length += chunk.length;
    }
    await offer.respond(200, [["x-length", String(length)]]);
  });
  const client = await door.connect();
  const size = 64 * 2 ** 20;
  await client.send(post(size));
  client.socket.write(new Uint8Array(size).fill(120));
  await pause(300);
  assert.ok(client.socket.bytesWritten > 0);
  assert.ok(client.socket.writableLength > size / 2, "it was taken from the client");
  go.resolve();
  await client.has("X-Length: ");
});
