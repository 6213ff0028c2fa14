// How answers are framed, and what becomes of the connection behind them.
import assert from "node:assert/strict";
import type { Body } from "../../src/ingress/offer.ts";
import { NetError } from "../../src/net/error.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { bytes, Door, GET, HOST, Parts } from "./h1_support.ts";

const CLOSE = "Connection: close\r\n";
const OLD = "GET /a HTTP/1.0\r\n";

interface Row {
  name: string;
  send: string;
  status?: number;
  fields?: Field[];
  body?: () => Body;
  /** The answer; `*` stands for the connection that stays. */
  want: string;
}

function request(lines: string, method = "GET"): string {
  return `${method} /a HTTP/1.1\r\n${HOST}${lines}\r\n`;
}

const last = request(CLOSE);
const chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";

const ROWS: Row[] = [
  {
    name: "RFC 9112 §9.6: close is said to who said it",
    send: last,
    body: () => bytes("hi"),
    want: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
  },
  {
    name: "without a body its length is 0",
    send: last,
    want: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
  },
  {
    name: "content of known length",
    send: last,
    body: () => new Parts(["ab", "c"], 3),
    want: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
  },
  {
    name: "content whose length only Content-Length tells",
    send: last,
    fields: [["content-length", "3"]],
    body: () => new Parts(["ab", "c"]),
    want: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
  },
  {
    name: "a Content-Length that is not the body's gives way",
    send: last,
    fields: [["content-length", "9"], ["x", "y"]],
    body: () => bytes("abc"),
    want: "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
  },
  {
    name: "RFC 9112 §7.1: content of unknown length goes in chunks",
    send: last,
    body: () => new Parts(["ab", "c".repeat(17)]),
    want: `${chunkedHead}2\r\nab\r\n11\r\n${"c".repeat(17)}\r\n0\r\n\r\n`,
  },
  {
    name: "RFC 9112 §7.1: no content of unknown length is one last chunk",
    send: last,
    body: () => new Parts([]),
    want: `${chunkedHead}0\r\n\r\n`,
  },
  {
    name: "RFC 9112 §7.1.2: trailers to who says TE: trailers",
    send: request(CLOSE + "TE: trailers\r\n"),
    body: () => new Parts(["a"], null, [["x-sum", "1"], ["content-length", "9"]]),
    want: `${chunkedHead}1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n`,
  },
  {
    name: "RFC 9110 §6.5.1: no trailers to who does not say so",
    send: last,
    body: () => new Parts(["a"], null, [["x-sum", "1"]]),
    want: `${chunkedHead}1\r\na\r\n0\r\n\r\n`,
  },
  {
    name: "RFC 9110 §9.3.2: no content to HEAD, its length is kept",
    send: request(CLOSE, "HEAD"),
    fields: [["content-length", "1000"]],
    want: "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n",
  },
  {
    name: "RFC 9110 §9.3.2: no content to HEAD, of unknown length",
    send: request(CLOSE, "HEAD"),
    body: () => new Parts(["never"]),
    want: "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
  },
  {
    name: "RFC 9110 §9.3.2: HEAD tells the length of the body that GET gets",
    send: request(CLOSE, "HEAD"),
    body: () => bytes("abc"),
    want: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n",
  },
  {
    name: "RFC 9110 §15.3.5: 204 has neither content nor length",
    send: last,
    status: 204,
    fields: [["content-length", "3"]],
    body: () => bytes("abc"),
    want: "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
  },
  {
    name: "RFC 9110 §15.3.6: 205 has no content",
    send: last,
    status: 205,
    body: () => new Parts(["abc"]),
    want: "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
  },
  {
    name: "RFC 9110 §15.4.5: 304 has no content, and may have a length",
    send: last,
    status: 304,
    fields: [["content-length", "3"], ["etag", '"x"']],
    want:
      'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 3\r\nConnection: close\r\n\r\n',
  },
  {
    name: "RFC 9112 §9.3: HTTP/1.0 ends with its answer",
    send: `${OLD}\r\n`,
    body: () => bytes("hi"),
    want: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
  },
  {
    name: "RFC 9112 §6.3: to HTTP/1.0 content of unknown length ends with the connection",
    send: `${OLD}Connection: keep-alive\r\n\r\n`,
    body: () => new Parts(["a", "b"]),
    want: "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab",
  },
  {
    name: "RFC 9112 §9.3: HTTP/1.0 stays with keep-alive",
    send: `${OLD}Connection: keep-alive\r\n\r\n`,
    body: () => bytes("hi"),
    want: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi*",
  },
  {
    name: "RFC 9112 §9.3: HTTP/1.1 stays",
    send: GET,
    body: () => bytes("hi"),
    want: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi*",
  },
  {
    name: "RFC 9110 §7.6.1: what is for one hop is not written",
    send: GET,
    fields: [
      ["connection", "x"],
      ["keep-alive", "1"],
      ["transfer-encoding", "gzip"],
      ["proxy-connection", "x"],
      ["a", "b"],
    ],
    want: "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\n\r\n*",
  },
  {
    name: "RFC 9110 §15.5.22: 426 has Upgrade, and Upgrade its connection option",
    send: last,
    status: 426,
    fields: [["upgrade", "websocket"]],
    want: "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n" +
      "Connection: close, Upgrade\r\n\r\n",
  },
  {
    name: "RFC 9110 §7.8: Upgrade: h2c alone is an ordinary request",
    send: request("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"),
    body: () => bytes("hi"),
    want: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi*",
  },
  {
    name: "a large body",
    send: last,
    body: () => bytes("x".repeat(1_000_000)),
    want: `HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n${
      "x".repeat(1_000_000)
    }`,
  },
  {
    name: "large chunks",
    send: last,
    body: () => new Parts(["x".repeat(100_000), "y", "z".repeat(20_000)]),
    want: `${chunkedHead}186a0\r\n${"x".repeat(100_000)}\r\n1\r\ny\r\n4e20\r\n${
      "z".repeat(20_000)
    }\r\n0\r\n\r\n`,
  },
];

for (const { name, send, status = 200, fields = [], body, want } of ROWS) {
  Deno.test(`h1 answer: ${name}`, async () => {
    await using door = new Door((offer) => offer.respond(status, fields, body?.()));
    const client = await door.connect();
    await client.send(send);
    if (!want.endsWith("*")) return assert.equal(await client.ended(), want);
    const first = want.slice(0, -1);
    await client.has(first);
    // It stays: the same again.
    await client.send(send);
    await client.has(first + first);
    assert.equal(client.got, first + first);
    assert.equal(client.isOver, false);
  });
}

const BREAKS: Row[] = [
  {
    name: "RFC 9112 §8: in chunks: no last chunk",
    send: GET,
    body: () => new Parts(["ab", new NetError("reset", "gone")]),
    want: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
  },
  {
    name: "RFC 9112 §8: of known length: less than that",
    send: GET,
    body: () => new Parts(["ab", new NetError("reset", "gone")], 9),
    want: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
  },
  {
    name: "RFC 9112 §8: it ends before its length",
    send: GET,
    body: () => new Parts(["ab"], 9),
    want: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
  },
];

for (const { name, send, body, want } of BREAKS) {
  Deno.test(`h1 answer: content that breaks off never looks whole: ${name}`, async () => {
    const failed: unknown[] = [];
    await using door = new Door(async (offer) => {
      await offer.respond(200, [], body!()).catch((error) => failed.push(error));
    });
    assert.equal(await door.exchange(send + GET), want);
    assert.equal(door.offers.length, 1);
    assert.ok(failed[0] instanceof NetError);
  });
}

Deno.test("h1 answer: content that is longer than its length is a bug, and is not sent", async () => {
  const failed: unknown[] = [];
  await using door = new Door(async (offer) => {
    await offer.respond(200, [], new Parts(["ab", "cd"], 3)).catch((error) => failed.push(error));
  });
  assert.equal(await door.exchange(GET + GET), "");
  assert.ok(failed[0] instanceof TypeError);
});
