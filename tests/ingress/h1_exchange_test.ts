// Answers in their order and in their time: pipelining, interim answers, streams, bugs of ours.
import assert from "node:assert/strict";
import { Door, echo, echoed, GET, HOST, Parts } from "./h1_support.ts";

const CLOSE = "Connection: close\r\n";
const OLD = "GET /a HTTP/1.0\r\n";
const last = request(CLOSE);

function request(lines: string): string {
  return `GET /a HTTP/1.1\r\n${HOST}${lines}\r\n`;
}

Deno.test("RFC 9112 §9.3.2: pipelined requests are answered in order, one at a time", async () => {
  let open = 0;
  await using door = new Door(async (offer) => {
    assert.equal(++open, 1);
    offer.onGone(() => {});
    await new Promise((resolve) => setTimeout(resolve, 5));
    open--;
    await echo(offer);
  });
  const post = `POST /b HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`;
  const chunked =
    `PUT /c HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n`;
  const all = GET + post + chunked + request(CLOSE);
  const want = echoed("GET a.example /a []") + echoed("POST a.example /b [abc]") +
    echoed("PUT a.example /c [xy]") + echoed("GET a.example /a []", CLOSE);
  assert.equal(await door.exchange(all), want);
  assert.equal(await door.exchange(...all), want, "byte by byte");
  for (const cut of [10, 60, 100, 160, 170, 230]) {
    assert.equal(await door.exchange(all.slice(0, cut), all.slice(cut)), want, `cut at ${cut}`);
  }
});

Deno.test("RFC 9112 §3.2.2: beside an absolute URI Host is ignored", async () => {
  await using door = new Door(echo);
  const send = `GET http://b.example:81/x?y HTTP/1.1\r\n${HOST}${CLOSE}\r\n`;
  assert.equal(await door.exchange(send), echoed("GET b.example:81 /x?y []", CLOSE));
  const { request } = door.offers[0];
  assert.deepEqual(request.fields, [["host", "b.example:81"], ["connection", "close"]]);
  assert.equal(request.http, "1.1");
  assert.equal(request.scheme, "http");
  assert.equal(request.protocol, null);
  assert.equal(request.remote, "192.0.2.7:1234");
});

Deno.test("h1 answer: each part of a silent stream goes on at once", async () => {
  const second = Promise.withResolvers<string>();
  await using door = new Door((offer) =>
    offer.respond(200, [["content-type", "text/event-stream"]], new Parts(["one", second.promise]))
  );
  const client = await door.connect();
  await client.send(GET);
  await client.has("3\r\none\r\n");
  assert.ok(!client.got.includes("0\r\n\r\n"));
  second.resolve("two");
  await client.has("3\r\ntwo\r\n0\r\n\r\n");
});

Deno.test("h1 answer: the head does not wait for content", async () => {
  const first = Promise.withResolvers<string>();
  await using door = new Door((offer) => offer.respond(200, [], new Parts([first.promise])));
  const client = await door.connect();
  await client.send(GET);
  await client.has("chunked\r\n\r\n");
  first.resolve("one");
  await client.has("3\r\none\r\n0\r\n\r\n");
});

Deno.test("RFC 9110 §15.2: interim answers come before the answer, but not to HTTP/1.0", async () => {
  await using door = new Door(async (offer) => {
    await offer.inform(103, [["link", "</a>"]]);
    await offer.inform(102, []);
    // RFC 9110 §15.2.1: nobody waits for it.
    await offer.inform(100, []);
    await offer.respond(200, []);
    await assert.rejects(offer.inform(103, []), /answered already/);
  });
  const want = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  assert.equal(
    await door.exchange(last),
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + want,
  );
  assert.equal(await door.exchange(`${OLD}\r\n`), want);
});

Deno.test("h1 answer: 101 by inform, 1xx by respond and a field with CR LF throw TypeError", async () => {
  await using door = new Door(async (offer) => {
    await assert.rejects(offer.inform(101, []), TypeError);
    await assert.rejects(offer.respond(101, []), TypeError);
    await assert.rejects(offer.respond(200, [["a", "b\r\nc: d"]]), TypeError);
    await assert.rejects(offer.accept([]), TypeError);
    await offer.respond(200, []);
    await assert.rejects(offer.respond(200, []), /answered already/);
  });
  assert.match(await door.exchange(last), /^HTTP\/1.1 200 OK\r\n/);
});

for (
  const [name, handler] of [
    ["throws", () => Promise.reject(new RangeError("bug"))],
    ["gives no answer", () => Promise.resolve()],
  ] as const
) {
  Deno.test(`h1 answer: a handler that ${name} is a bug: 500, and the connection ends`, async () => {
    await using door = new Door(handler);
    assert.match(await door.exchange(GET + GET), /^HTTP\/1.1 500 .*Connection: close\r\n\r\nin/s);
    assert.equal(door.bugs.splice(0).length, 1);
    assert.equal(door.offers.length, 1);
  });
}
