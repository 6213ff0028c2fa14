// Answers that break a rule, whole, byte by byte and cut in two: no byte of them reaches another.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { PeerError } from "../../src/protocol/wire/error.ts";
import type { BackendConn } from "../support/backend.ts";
import { until } from "../support/until.ts";
import { ask, OK, textOf, withPool } from "./h1_pool_support.ts";

const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

const BEFORE: [name: string, answer: string][] = [
  ["no HTTP at all", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
  ["HTTP/2", "HTTP/2.0 200 OK\r\n\r\n"],
  ["a status of 99", "HTTP/1.1 099 No\r\n\r\n"],
  ["a status of 600", "HTTP/1.1 600 No\r\n\r\n"],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"],
  ["the same length twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"],
  ["a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"],
  ["a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok"],
  [
    "a length and Transfer-Encoding",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["Transfer-Encoding: gzip", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok"],
  [
    "Transfer-Encoding in HTTP/1.0",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["NUL in a value", "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n"],
  ["a bare CR in a value", "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n"],
  ["a bare LF", "HTTP/1.1 200 OK\nX: a\r\n\r\n"],
  ["obs-fold", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"],
  ["a blank before the colon", "HTTP/1.1 200 OK\r\nX : a\r\n\r\n"],
  ["a 101 that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
  ["a 101 in HTTP/1.0", "HTTP/1.0 101 Switching Protocols\r\n\r\n"],
  ["interim answers without end", "HTTP/1.1 102 Processing\r\n\r\n".repeat(40)],
  ["a head above the limit", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(20_000)}\r\n\r\n`],
];

type Feed = (conn: BackendConn, answer: string) => Promise<void>;

const FEEDS: Record<string, Feed> = {
  whole: (conn, answer) => {
    conn.write(answer);
    return Promise.resolve();
  },
  "byte by byte": async (conn, answer) => {
    for (const byte of answer.slice(0, 200)) {
      if (conn.socket.destroyed) return;
      conn.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    conn.write(answer.slice(200));
  },
  "cut in two": async (conn, answer) => {
    const at = Math.floor(answer.length * 0.6);
    conn.write(answer.slice(0, at));
    await new Promise((resolve) => setTimeout(resolve, 5));
    conn.write(answer.slice(at));
  },
};

for (const [name, answer] of BEFORE) {
  for (const [how, feed] of Object.entries(FEEDS)) {
    Deno.test(`h1 pool: refused before its head, ${how}: ${name}`, async () => {
      await withPool({}, async ({ backend, pool }) => {
        const asked = ask(pool);
        asked.catch(() => {});
        const conn = await backend.accept();
        await conn.request();
        const fed = feed(conn, answer);
        await assert.rejects(asked, (error) => error instanceof PeerError && error.code === 502);
        await fed;
        assert.equal(pool.connections, 0);
        await conn.inbox.rest();
      });
    });
  }
}

interface Broken {
  name: string;
  answer: string;
  end?: "fin" | "reset";
  /** What arrives of it. */
  text: string;
}

const AFTER: Broken[] = [
  {
    name: "content shorter than its length",
    answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
    end: "fin",
    text: "abc",
  },
  { name: "chunks without the last", answer: `${CHUNKED}3\r\nabc\r\n`, end: "fin", text: "abc" },
  { name: "a chunk that is cut off", answer: `${CHUNKED}9\r\nabc`, end: "fin", text: "abc" },
  {
    name: "trailers that are cut off",
    answer: `${CHUNKED}3\r\nabc\r\n0\r\nX: y\r\n`,
    end: "fin",
    text: "abc",
  },
  { name: "an invalid chunk size", answer: `${CHUNKED}3\r\nabc\r\nxyz\r\n`, text: "abc" },
  { name: "a negative chunk size", answer: `${CHUNKED}3\r\nabc\r\n-1\r\n`, text: "abc" },
  {
    name: "a chunk size above 2^53",
    answer: `${CHUNKED}3\r\nabc\r\nffffffffffffffff\r\n`,
    text: "abc",
  },
  { name: "data longer than its chunk", answer: `${CHUNKED}3\r\nabcd\r\n`, text: "abc" },
  { name: "a chunk line with a bare LF", answer: `${CHUNKED}3\nabc\r\n`, text: "" },
  {
    name: "a reset in a content that ends with the connection",
    answer: "HTTP/1.1 200 OK\r\n\r\nabc",
    end: "reset",
    text: "abc",
  },
  {
    name: "a reset in a content with a length",
    answer: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
    end: "reset",
    text: "abc",
  },
];

for (const { name, answer, end, text } of AFTER) {
  Deno.test(`h1 pool: breaks off behind its head: ${name}`, async () => {
    await withPool({}, async ({ backend, pool }) => {
      const asked = ask(pool);
      const conn = await backend.accept();
      await conn.request();
      conn.write(answer);
      const { content } = await asked;
      let came = "";
      const read = async () => {
        for (;;) {
          if (came === text && end !== undefined) {
            if (end === "fin") conn.fin();
            else conn.reset();
          }
          const part = await content!.read();
          if (part === null) return;
          came += new TextDecoder().decode(part);
        }
      };
      const foreign = (error: unknown) => error instanceof PeerError || error instanceof NetError;
      await assert.rejects(read(), foreign);
      assert.equal(came, text);
      // It stays broken.
      await assert.rejects(content!.read(), foreign);
      assert.equal(pool.connections, 0);
    });
  });
}

for (const [name, hostile] of [["before its head", BEFORE[4][1]], ["after it", AFTER[4].answer]]) {
  Deno.test(`h1 pool: what broke ${name} leaves the next request unharmed`, async () => {
    await withPool({}, async ({ backend, pool }) => {
      const first = ask(pool).then(textOf);
      first.catch(() => {});
      const conn = await backend.accept();
      await conn.request();
      conn.write(hostile + OK);
      await assert.rejects(first);
      const second = ask(pool);
      const next = await backend.accept();
      await next.request();
      next.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright");
      assert.equal(await textOf(await second), "right");
      await until("it to be idle", () => pool.idle === 1);
    });
  });
}
