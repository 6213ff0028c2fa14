// Which connection a request goes by, and what becomes of it afterwards.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import type { BackendConn } from "../support/backend.ts";
import { until } from "../support/until.ts";
import { ask, Fed, OK, textOf, withPool } from "./h1_pool_support.ts";

/** Takes the next request of a connection: its head. */
function head(conn: BackendConn): Promise<string> {
  return conn.inbox.takeUpTo("\r\n\r\n");
}

Deno.test("h1 pool: requests one after the other go by one connection", async () => {
  await withPool({}, async ({ backend, pool }) => {
    for (let i = 0; i < 3; i++) {
      const asked = ask(pool, { target: `/${i}` });
      const conn = i === 0 ? await backend.accept() : backend.connections[0];
      assert.match(await head(conn), new RegExp(`^GET /${i} HTTP/1.1\r\nHost: a.example\r\n\r\n$`));
      conn.write(OK);
      const response = await asked;
      assert.equal(response.status, 200);
      assert.equal(await textOf(response), "ok");
      assert.equal(response.retried, false);
      await until("the connection to be idle", () => pool.idle === 1);
    }
    assert.equal(backend.connections.length, 1);
    assert.equal(pool.connections, 1);
  });
});

Deno.test("h1 pool: the connection that was used last is used first", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const asked = [ask(pool, { target: "/0" }), ask(pool, { target: "/1" })];
    const conns = [await backend.accept(), await backend.accept()];
    const first = await head(conns[0]);
    await head(conns[1]);
    if (first.startsWith("GET /1 ")) conns.reverse();
    for (const i of [1, 0]) {
      conns[i].write(OK);
      await textOf(await asked[i]);
      await until("one more that is idle", () => pool.idle === 2 - i);
    }
    const third = ask(pool, { target: "/2" });
    assert.match(await head(conns[0]), /^GET \/2 /);
    conns[0].write(OK);
    await textOf(await third);
  });
});

const ENDS: { name: string; answer: string; fin?: boolean; text?: string }[] = [
  {
    name: "Connection: close",
    answer: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
  },
  { name: "HTTP/1.0 without keep-alive", answer: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok" },
  { name: "content that ends with the connection", answer: "HTTP/1.1 200 OK\r\n\r\nok", fin: true },
  { name: "bytes behind the content", answer: `${OK}HTTP/1.1 200 OK\r\n` },
  { name: "a second answer in the same packet", answer: OK + OK },
  {
    name: "bytes behind the last chunk",
    answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nx",
  },
  { name: "content behind a 204", answer: "HTTP/1.1 204 No Content\r\n\r\nok", text: "" },
];

for (const { name, answer, fin, text = "ok" } of ENDS) {
  Deno.test(`h1 pool: a connection is not used again after ${name}`, async () => {
    await withPool({}, async ({ backend, pool }) => {
      const asked = ask(pool);
      const conn = await backend.accept();
      await head(conn);
      conn.write(answer);
      if (fin) conn.fin();
      assert.equal(await textOf(await asked), text);
      assert.equal(pool.connections, 0);
      assert.equal((await conn.inbox.rest()).length, 0);
    });
  });
}

const IDLE: { name: string; act: (conn: BackendConn) => void }[] = [
  { name: "a FIN", act: (conn) => conn.fin() },
  { name: "a reset", act: (conn) => conn.reset() },
  { name: "an answer that nobody asked for", act: (conn) => conn.write(OK) },
  { name: "a 408", act: (conn) => conn.write("HTTP/1.1 408 Request Timeout\r\n\r\n") },
];

for (const { name, act } of IDLE) {
  Deno.test(`h1 pool: an idle connection is dropped for ${name}`, async () => {
    await withPool({}, async ({ backend, pool }) => {
      const first = ask(pool);
      const conn = await backend.accept();
      await head(conn);
      conn.write(OK);
      await textOf(await first);
      act(conn);
      await until("the drop", () => pool.connections === 0);
      const second = ask(pool, { target: "/second" });
      const next = await backend.accept();
      assert.match(await head(next), /^GET \/second /);
      next.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright");
      assert.equal(await textOf(await second), "right");
    });
  });
}

interface Stale {
  method: string;
  content?: () => Fed;
  act: (conn: BackendConn) => void;
  /** Whether the request comes a second time. */
  again: boolean;
}

const fin = (conn: BackendConn) => conn.fin();
const reset = (conn: BackendConn) => conn.reset();
const STALE: (Stale & { name: string })[] = [
  ...["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"].flatMap((method) => [
    { name: `${method} and a FIN`, method, act: fin, again: true },
    { name: `${method} and a reset`, method, act: reset, again: true },
  ]),
  { name: "POST", method: "POST", act: fin, again: false },
  { name: "PATCH", method: "PATCH", act: fin, again: false },
  {
    name: "PUT with content",
    method: "PUT",
    content: () => new Fed(2, ["ab"]),
    act: fin,
    again: false,
  },
  {
    name: "GET and half an answer",
    method: "GET",
    act: (conn) => {
      conn.write("HTTP/1.1 2");
      conn.fin();
    },
    again: false,
  },
  {
    name: "GET and an interim answer",
    method: "GET",
    act: (conn) => {
      conn.write("HTTP/1.1 102 Processing\r\n\r\n");
      conn.fin();
    },
    again: false,
  },
];

for (const { name, method, content, act, again } of STALE) {
  const what = again ? "is sent once more" : "fails";
  Deno.test(`h1 pool: RFC 9112 §9.3.1: on a stale connection ${name} ${what}`, async () => {
    await withPool({}, async ({ backend, pool }) => {
      const first = ask(pool);
      const conn = await backend.accept();
      await head(conn);
      conn.write(OK);
      await textOf(await first);
      await until("the connection to be idle", () => pool.idle === 1);
      const asked = ask(pool, { method, content: content?.() });
      asked.catch(() => {});
      await head(conn);
      act(conn);
      if (!again) {
        await assert.rejects(asked);
        assert.equal(backend.connections.length, 1);
        return;
      }
      const next = await backend.accept();
      assert.match(await head(next), new RegExp(`^${method} / `));
      next.write("HTTP/1.1 204 No Content\r\n\r\n");
      const response = await asked;
      assert.equal(response.status, 204);
      assert.equal(response.retried, true);
    });
  });
}

for (const half of ["HTTP/1.1 2", "HTTP/1.1 102 Processing\r\n\r\n"]) {
  Deno.test(`h1 pool: no second attempt after ${JSON.stringify(half)} and a reset`, async () => {
    await withPool({}, async ({ backend, pool }) => {
      const first = ask(pool);
      const conn = await backend.accept();
      await head(conn);
      conn.write(OK);
      await textOf(await first);
      await until("the connection to be idle", () => pool.idle === 1);
      const asked = ask(pool);
      asked.catch(() => {});
      await head(conn);
      conn.write(half);
      // A reset takes with it what was not read.
      await new Promise((resolve) => setTimeout(resolve, 100));
      conn.reset();
      await assert.rejects(asked, { kind: "reset" });
      assert.equal(backend.connections.length, 1);
    });
  });
}

Deno.test("h1 pool: a request that fails on a new connection is not repeated", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const asked = ask(pool);
    asked.catch(() => {});
    const conn = await backend.accept();
    await head(conn);
    conn.fin();
    await assert.rejects(asked, (error) => error instanceof NetError && error.kind === "lost");
    assert.equal(backend.connections.length, 1);
  });
});

Deno.test("h1 pool: the second attempt goes by a new connection, and is the last", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const asked = [ask(pool), ask(pool)];
    const conns = [await backend.accept(), await backend.accept()];
    for (const conn of conns) {
      await head(conn);
      conn.write(OK);
    }
    for (const one of asked) await textOf(await one);
    await until("both to be idle", () => pool.idle === 2);
    const stale = ask(pool);
    stale.catch(() => {});
    const used = await Promise.race(conns.map(async (conn) => {
      await conn.inbox.has(1);
      return conn;
    }));
    used.fin();
    const third = await backend.accept();
    await head(third);
    third.fin();
    await assert.rejects(stale, { kind: "lost" });
    assert.equal(backend.connections.length, 3);
  });
});

Deno.test("h1 pool: an answer is not shared with a request whose client went away", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const controller = new AbortController();
    const gone = ask(pool, { signal: controller.signal });
    gone.catch(() => {});
    const conn = await backend.accept();
    await head(conn);
    controller.abort(new NetError("aborted", "client is gone"));
    await assert.rejects(gone, /client is gone/);
    assert.equal(pool.connections, 0);
    assert.equal((await conn.inbox.rest()).length, 0);
  });
});

Deno.test("h1 pool: with a preface a connection serves one request", async () => {
  const preface = ({ remote }: { remote: string }) =>
    new TextEncoder().encode(`PROXY ${remote}\r\n`);
  await withPool({ preface }, async ({ backend, pool }) => {
    for (let i = 1; i <= 2; i++) {
      const asked = ask(pool, { client: { remote: `192.0.2.${i}:1` } });
      const conn = await backend.accept();
      assert.equal(
        await head(conn),
        `PROXY 192.0.2.${i}:1\r\nGET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n`,
      );
      conn.write("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
      assert.equal((await asked).status, 204);
      await until("the drop", () => pool.connections === 0);
    }
  });
});
