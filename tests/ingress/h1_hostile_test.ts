// Clients that break the rules, or that try to have one request run as two.
import assert from "node:assert/strict";
import type { Offer } from "../../src/ingress/offer.ts";
import { until } from "../support/until.ts";
import { AMBIGUOUS_REQUESTS } from "../protocol/http1/smuggling_table.ts";
import { bytes, Door, echo, GET, HOST, pause, type RawClient, readAll } from "./h1_support.ts";

interface Seen {
  offers: Offer[];
  paths: string[];
  bodies: string[];
}

/** Reads each request whole, and answers it with what it is; notes what it saw. */
function reader(seen: Seen): (offer: Offer) => Promise<void> {
  return async (offer) => {
    offer.onGone(() => {});
    seen.offers.push(offer);
    seen.paths.push(offer.request.path);
    seen.bodies.push(await readAll(offer.content));
    await offer.respond(200, [], bytes("fine"));
  };
}

/** All statuses of the final answers. */
function statuses(got: string): number[] {
  return [...got.matchAll(/HTTP\/1\.1 ([2-5][0-9]{2}) /g)].map(([, status]) => Number(status));
}

/** Sends bytes as far as the door takes them, then FIN. */
async function sendAll(client: RawClient, parts: string[]): Promise<string> {
  for (const part of parts) {
    if (client.socket.destroyed) break;
    await Promise.race([client.send(part), until("taken", () => client.isOver)]);
  }
  client.fin();
  return await client.ended();
}

function halves(text: string): string[] {
  const middle = Math.min(text.length >> 1, 200);
  return [text.slice(0, middle), text.slice(middle)];
}

for (const [how, cut] of [["whole", (text: string) => [text]], ["in two", halves]] as const) {
  Deno.test(`RFC 9112 §11.2: no ambiguous request is ever two, each gets its status: ${how}`, async (t) => {
    const seen: Seen = { offers: [], paths: [], bodies: [] };
    await using door = new Door(reader(seen));
    for (const { name, bytes, status, reading } of AMBIGUOUS_REQUESTS) {
      for (const list of [seen.offers, seen.paths, seen.bodies, door.refused]) list.length = 0;
      const client = await door.connect();
      const got = await sendAll(client, cut(bytes));
      const where = `${name}: ${JSON.stringify(got.slice(0, 200))}`;
      assert.ok(!seen.paths.some((path) => path.includes("smuggled")), where);
      assert.ok(seen.offers.length <= 1, where);
      // A large refused head may be cut by RST before the client has read the answer.
      if (client.error === null) assert.deepEqual(statuses(got), [status], where);
      if (status === 200) {
        assert.deepEqual(seen.bodies, [reading!.body], where);
        assert.equal(seen.paths[0], reading!.path, where);
        assert.equal(seen.offers[0].request.authority, reading!.authority, where);
        assert.deepEqual(seen.offers[0].content?.trailers ?? [], reading!.trailers, where);
      } else {
        assert.deepEqual(door.refused, [status], where);
        assert.deepEqual(seen.bodies, [], where);
      }
    }
    await t.step("more than 300 of them", () => assert.ok(AMBIGUOUS_REQUESTS.length > 300));
  });
}

const HEADS = [
  {
    name: "10,000 header lines",
    send: `GET / HTTP/1.1\r\n${HOST}${"A: b\r\n".repeat(10_000)}\r\n`,
    status: 431,
  },
  {
    name: "a head above the limit",
    send: `GET / HTTP/1.1\r\n${HOST}A: ${"b".repeat(20_000)}\r\n\r\n`,
    status: 431,
  },
  {
    name: "a request line of 1 MiB",
    send: `GET /${"a".repeat(2 ** 20)} HTTP/1.1\r\n\r\n`,
    status: 414,
  },
  { name: "a line that never ends", send: "x".repeat(20_000), status: 414 },
  { name: "NUL in a value", send: `GET / HTTP/1.1\r\n${HOST}A: b\0c\r\n\r\n`, status: 400 },
  { name: "bare LF", send: `GET / HTTP/1.1\nHost: a.example\n\n`, status: 400 },
  {
    name: "an unknown expectation",
    send: `GET / HTTP/1.1\r\n${HOST}Expect: x\r\n\r\n`,
    status: 417,
  },
  {
    name: "a transfer coding that is not known",
    send: `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: x, chunked\r\n\r\n`,
    status: 501,
  },
  { name: "the preface of HTTP/2", send: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 505 },
  { name: "another version", send: `GET / HTTP/2.0\r\n${HOST}\r\n`, status: 505 },
  { name: "a hello of TLS", send: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", status: 400 },
  { name: "half a head, then FIN", send: `GET / HTTP/1.1\r\nHost: a`, status: 400, fin: true },
];

for (const { name, send, status, fin } of HEADS) {
  Deno.test(`h1 door: ${name} is ${status}, told once, and the end`, async () => {
    await using door = new Door(echo);
    const client = await door.connect();
    await client.send(send);
    if (fin) client.fin();
    const got = await client.ended();
    assert.match(
      got,
      new RegExp(`^HTTP/1.1 ${status} [^\r]+\r\nContent-Type: text/plain; charset=utf-8\r\n`),
    );
    assert.match(got, /\r\nConnection: close\r\n\r\n[^\r\n]+\n$/);
    assert.equal(client.error, null);
    await until("its end", () => door.ends.length === 1);
    assert.deepEqual([door.offers.length, door.refused, door.peerErrors], [0, [status], []]);
    assert.equal(door.ends[0].code, status);
    assert.equal(door.ends[0].byPeer, false);
  });
}

Deno.test("h1 door: RST in each state ends the connection, and only this one", async (t) => {
  const first = `POST /a HTTP/1.1\r\n${HOST}Content-Length: 9\r\n\r\n`;
  const states: { name: string; send: string; after?: string }[] = [
    { name: "before a byte", send: "" },
    { name: "in a head", send: "GET / HT" },
    { name: "before the content", send: first },
    { name: "in the content", send: `${first}hell` },
    { name: "while it is answered", send: GET.replace("/a", "/slow") },
    { name: "in an answer that goes on", send: GET.replace("/a", "/stream"), after: "first" },
    { name: "between two requests", send: GET, after: "[]" },
    {
      name: "while 100 is awaited",
      send: first.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"),
      after: "100",
    },
  ];
  let gone = 0;
  await using door = new Door(async (offer) => {
    const over = Promise.withResolvers<void>();
    offer.onGone(() => {
      gone++;
      over.resolve();
    });
    if (offer.request.path === "/slow") await over.promise;
    if (offer.request.path !== "/stream") return await echo(offer);
    const parts = [bytes("first")];
    await offer.respond(200, [], {
      length: null,
      trailers: [],
      read: async () => parts.shift() ?? (await over.promise, Promise.reject(new Error("aborted"))),
      cancel: () => over.resolve(),
    }).catch(() => {});
  });
  const other = await door.connect();
  for (const { name, send, after } of states) {
    await t.step(name, async () => {
      const client = await door.connect();
      await client.send(send);
      if (after !== undefined) await client.has(after);
      const ends = door.ends.length;
      client.reset();
      await until("its end", () => door.ends.length === ends + 1);
      assert.equal(door.ends.at(-1)!.byPeer, true);
    });
  }
  assert.equal(gone, 5);
  await other.send(GET);
  await other.has("[]");
});

Deno.test("RFC 9112 §9.6: FIN of a client that waits for its answer is not its end", async () => {
  let gone = 0;
  await using door = new Door(async (offer) => {
    offer.onGone(() => gone++);
    await pause(100);
    await echo(offer);
  });
  const client = await door.connect();
  await client.send(GET + GET);
  client.fin();
  assert.equal(statuses(await client.ended()).length, 2);
  assert.equal(gone, 0);
});

Deno.test("h1 door: onGone that is asked for too late calls at once, and respond rejects", async () => {
  const done = Promise.withResolvers<void>();
  await using door = new Door(async (offer) => {
    const gone = Promise.withResolvers<void>();
    offer.onGone(gone.resolve);
    await gone.promise;
    let again = 0;
    offer.onGone(() => again++);
    assert.equal(again, 1);
    await assert.rejects(offer.respond(200, []), { name: "NetError" });
    await assert.rejects(offer.inform(103, []), { name: "NetError" });
    done.resolve();
  });
  const client = await door.connect();
  await client.send(GET);
  client.reset();
  await done.promise;
});

Deno.test("h1 door: a client that pipelines without end is held back", async () => {
  await using door = new Door(async (offer) => {
    offer.onGone(() => {});
    await pause(1000);
    await offer.respond(200, []);
  });
  const client = await door.connect();
  const size = 64 * 2 ** 20;
  client.socket.write(bytes(GET.repeat(Math.ceil(size / GET.length))));
  await pause(300);
  assert.ok(client.socket.writableLength > size / 2);
  assert.equal(door.offers.length, 1);
});
