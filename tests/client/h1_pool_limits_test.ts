// How many connections there are, and how long anything may take.
import assert from "node:assert/strict";
import { H1Pool } from "../../src/client/h1_pool.ts";
import { NetError } from "../../src/net/error.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { until } from "../support/until.ts";
import { ask, Fed, OK, poolOptions, SWEEP_MS, textOf, withPool } from "./h1_pool_support.ts";

function isTimeout(error: unknown): boolean {
  return error instanceof NetError && error.kind === "timeout";
}

function isBusy(error: unknown): boolean {
  return error instanceof NetError && error.kind === "busy";
}

Deno.test("h1 pool: above maxConnections requests wait, and are served in order", async () => {
  await withPool({ maxConnections: 1 }, async ({ backend, pool }) => {
    const asked = [0, 1, 2].map((i) => ask(pool, { target: `/${i}` }));
    const conn = await backend.accept();
    assert.equal(pool.waiting, 2);
    for (let i = 0; i < 3; i++) {
      assert.match(await conn.inbox.takeUpTo("\r\n\r\n"), new RegExp(`^GET /${i} `));
      conn.write(OK);
      assert.equal(await textOf(await asked[i]), "ok");
    }
    assert.equal(backend.connections.length, 1);
    assert.equal(pool.waiting, 0);
  });
});

Deno.test("h1 pool: a connection that was used a moment ago is waited for", async () => {
  await withPool({}, async ({ backend, pool }) => {
    let conn = null;
    for (let i = 0; i < 5; i++) {
      const asked = ask(pool);
      conn ??= await backend.accept();
      await conn.inbox.takeUpTo("\r\n\r\n");
      conn.write(OK);
      await textOf(await asked);
    }
    assert.equal(backend.connections.length, 1);
  });
});

Deno.test("h1 pool: who waits dials when a connection ends", async () => {
  await withPool({ maxConnections: 1 }, async ({ backend, pool }) => {
    const first = ask(pool);
    const second = ask(pool, { target: "/second" });
    const conn = await backend.accept();
    await conn.request();
    conn.write("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    await first;
    const next = await backend.accept();
    assert.equal((await next.request()).target, "/second");
    next.write(OK);
    assert.equal(await textOf(await second), "ok");
  });
});

Deno.test("h1 pool: who waits does not get a connection that sends what nobody asked for", async () => {
  await withPool({ maxConnections: 1 }, async ({ backend, pool }) => {
    const first = ask(pool);
    const second = ask(pool, { target: "/second" });
    const conn = await backend.accept();
    await conn.request();
    conn.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    const { content } = await first;
    await content!.read();
    // It lies in the socket when the first answer ends.
    conn.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong");
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(await content!.read(), null);
    const next = await backend.accept();
    await next.request();
    next.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright");
    assert.equal(await textOf(await second), "right");
  });
});

Deno.test("h1 pool: nobody waits longer than waitTimeoutMs", async () => {
  await withPool({ maxConnections: 1, waitTimeoutMs: 100 }, async ({ backend, pool }) => {
    const first = ask(pool);
    await assert.rejects(ask(pool), isBusy);
    assert.equal(pool.waiting, 0);
    const conn = await backend.accept();
    await conn.request();
    conn.write(OK);
    await textOf(await first);
  });
});

Deno.test("h1 pool: who waits may give up, and takes nobody's place", async () => {
  await withPool({ maxConnections: 1 }, async ({ backend, pool }) => {
    const controller = new AbortController();
    const first = ask(pool);
    const second = ask(pool, { signal: controller.signal });
    const third = ask(pool, { target: "/third" });
    controller.abort(new NetError("aborted", "client is gone"));
    await assert.rejects(second, /client is gone/);
    const conn = await backend.accept();
    await conn.inbox.takeUpTo("\r\n\r\n");
    conn.write(OK);
    await textOf(await first);
    assert.match(await conn.inbox.takeUpTo("\r\n\r\n"), /^GET \/third /);
    conn.write(OK);
    await textOf(await third);
  });
});

Deno.test("h1 pool: no more than maxIdle are kept", async () => {
  await withPool({ maxIdle: 1 }, async ({ backend, pool }) => {
    const asked = [ask(pool), ask(pool), ask(pool)];
    for (let i = 0; i < 3; i++) {
      const conn = await backend.accept();
      await conn.request();
      conn.write(OK);
    }
    for (const one of asked) await textOf(await one);
    await until("the others to be dropped", () => pool.connections === 1 && pool.idle === 1);
  });
});

const IDLE: [name: string, line: string, idleTimeoutMs: number][] = [
  ["for idleTimeoutMs", "", 100],
  ["until shortly before the backend ends it (Keep-Alive)", "Keep-Alive: timeout=1\r\n", 60_000],
];

for (const [name, line, idleTimeoutMs] of IDLE) {
  Deno.test(`h1 pool: a connection is kept ${name}`, async () => {
    await withPool({ idleTimeoutMs }, async ({ backend, pool }) => {
      const asked = ask(pool);
      const conn = await backend.accept();
      await conn.request();
      conn.write(`HTTP/1.1 200 OK\r\n${line}Content-Length: 2\r\n\r\nok`);
      await textOf(await asked);
      assert.equal(pool.connections, 1);
      await until("the drop", () => pool.connections === 0, 5_000);
      assert.equal((await conn.inbox.rest()).length, 0);
    });
  });
}

Deno.test("h1 pool: a backend that does not answer is given up", async () => {
  await withPool({ answerTimeoutMs: 100 }, async ({ backend, pool }) => {
    const asked = ask(pool);
    asked.catch(() => {});
    const conn = await backend.accept();
    await assert.rejects(asked, isTimeout);
    await conn.inbox.rest();
    assert.equal(backend.connections.length, 1);
  });
});

Deno.test("h1 pool: a head that trickles is no answer; one interim answer after the other is", async () => {
  await withPool({ answerTimeoutMs: 200 }, async ({ backend, pool }) => {
    const asked = ask(pool);
    asked.catch(() => {});
    const conn = await backend.accept();
    await conn.request();
    for (let i = 0; i < 8; i++) {
      conn.write("HTTP/1.1 103 Early Hints\r\n\r\n");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    let over = false;
    asked.catch(() => over = true);
    conn.write("HTTP/1.1 200 OK\r\n");
    for (let i = 0; !over; i++) {
      assert.ok(i < 100, "it is waited for without an end");
      conn.write("a: b\r\n");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await assert.rejects(asked, isTimeout);
  });
});

Deno.test("h1 pool: a slow request is not a slow answer", async () => {
  await withPool({ answerTimeoutMs: 100 }, async ({ backend, pool }) => {
    const content = new Fed(2, ["a"], false);
    const asked = ask(pool, { method: "POST", content });
    const conn = await backend.accept();
    await new Promise((resolve) => setTimeout(resolve, 300));
    content.push("b");
    content.push(null);
    await conn.inbox.takeUpTo("ab");
    conn.write(OK);
    assert.equal(await textOf(await asked), "ok");
  });
});

Deno.test("h1 pool: content that stops coming is given up, but only while it is read", async () => {
  await withPool({ contentTimeoutMs: 100 }, async ({ backend, pool }) => {
    const asked = ask(pool);
    const conn = await backend.accept();
    await conn.request();
    conn.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok");
    const { content } = await asked;
    assert.equal((await content!.read())!.length, 2);
    await new Promise((resolve) => setTimeout(resolve, 300));
    conn.write("more");
    assert.equal((await content!.read())!.length, 4);
    await assert.rejects(content!.read(), isTimeout);
    await conn.inbox.rest();
  });
});

Deno.test("h1 pool: a backend that takes no bytes is given up", async () => {
  await withPool({ writeTimeoutMs: 200 }, async ({ backend, pool }) => {
    const content = new Fed(null, [], false);
    for (let i = 0; i < 64; i++) content.push(new Uint8Array(1 << 20));
    const asked = ask(pool, { method: "POST", content });
    asked.catch(() => {});
    const conn = await backend.accept();
    await conn.request();
    await assert.rejects(asked, isTimeout);
    assert.ok(content.cancelled);
  });
});

Deno.test("h1 pool: a dial that takes too long is given up, and its place is free", async () => {
  const sweeper = new Sweeper(SWEEP_MS);
  let dials = 0;
  const never = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      dials++;
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  const options = { ...poolOptions(0, sweeper), maxConnections: 1, dialTimeoutMs: 100 };
  const pool = new H1Pool({ ...options, dial: never });
  await Promise.all([assert.rejects(ask(pool), isTimeout), assert.rejects(ask(pool), isTimeout)]);
  assert.equal(dials, 2);
  assert.equal(pool.connections, 0);
  pool.close();
  assert.equal(sweeper.size, 0);
  sweeper.stop();
});

Deno.test("h1 pool: an abort ends a dial at once", async () => {
  const sweeper = new Sweeper(SWEEP_MS);
  const controller = new AbortController();
  const never = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  const pool = new H1Pool({ ...poolOptions(0, sweeper), dial: never });
  const asked = ask(pool, { signal: controller.signal });
  asked.catch(() => {});
  await Promise.resolve();
  controller.abort(new NetError("aborted", "client is gone"));
  await assert.rejects(asked, /client is gone/);
  assert.equal(pool.connections, 0);
  sweeper.stop();
});

Deno.test("h1 pool: nobody at that address", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const sweeper = new Sweeper(SWEEP_MS);
  const pool = new H1Pool(poolOptions(port, sweeper));
  await assert.rejects(ask(pool), (error) => error instanceof NetError && error.kind === "refused");
  assert.equal(pool.connections, 0);
  sweeper.stop();
});

Deno.test("h1 pool: close() serves all that asked before, those that wait too, and takes no more", async () => {
  await withPool({ maxConnections: 1 }, async ({ backend, pool }) => {
    const asked = [ask(pool), ask(pool), ask(pool)];
    const conn = await backend.accept();
    await conn.request();
    assert.equal(pool.waiting, 2);
    pool.close();
    await assert.rejects(ask(pool), /closed/);
    for (const [i, answer] of asked.entries()) {
      const one = i === 0 ? conn : await backend.accept();
      await one.request();
      one.write(OK);
      assert.equal(await textOf(await answer), "ok");
      // Nobody will use it again.
      await one.inbox.rest();
    }
    assert.equal(pool.connections, 0);
  });
});

Deno.test("h1 pool: RFC 9112 §9.3.1: a second attempt is made even if close() came before it", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const first = ask(pool);
    const stale = await backend.accept();
    await stale.request();
    stale.write(OK);
    assert.equal(await textOf(await first), "ok");
    await until("the connection to rest", () => pool.idle === 1);
    const second = ask(pool);
    await stale.inbox.takeUpTo("\r\n\r\n");
    pool.close();
    stale.fin();
    const conn = await backend.accept();
    await conn.request();
    conn.write(OK);
    assert.equal(await textOf(await second), "ok");
    await conn.inbox.rest();
  });
});

Deno.test("h1 pool: a node:http server, many requests at once", async () => {
  const http = await import("node:http");
  const server = http.createServer((request, response) => {
    const parts: Uint8Array[] = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      const text = `${request.method} ${request.url} ${length}`;
      if (request.url!.endsWith("1")) response.setHeader("content-length", text.length);
      response.end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const sweeper = new Sweeper(SWEEP_MS);
  const pool = new H1Pool({ ...poolOptions(port, sweeper), maxConnections: 7 });
  try {
    await Promise.all(Array.from({ length: 20 }, async (_, worker) => {
      for (let i = 0; i < 25; i++) {
        const size = (worker * 997 + i * 131) % 5_000;
        const method = size % 2 ? "POST" : "GET";
        const content = method === "GET"
          ? null
          : new Fed(i % 3 ? size : null, ["x".repeat(size - 1), "y"]);
        const target = `/${worker}/${i}`;
        const response = await ask(pool, { method, target, content });
        const want = `${method} ${target} ${content === null ? 0 : size}`;
        assert.equal(await textOf(response), want);
      }
    }));
    assert.ok(pool.connections <= 7);
  } finally {
    pool.close();
    sweeper.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
