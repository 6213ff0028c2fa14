// How content goes out and comes in.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { UnwritableRequest } from "../../src/client/h1_request.ts";
import { RequestBroken } from "../../src/client/h1_upload.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { until } from "../support/until.ts";
import { type Ask, ask, Fed, OK, textOf, withPool } from "./h1_pool_support.ts";

const HOST: Field = ["host", "a.example"];

interface Sent {
  name: string;
  asked: Ask;
  /** All that the backend gets. */
  want: string;
}

function trailed(length: number | null, trailers: Field[]): Fed {
  const content = new Fed(length, ["ab"]);
  content.trailers = trailers;
  return content;
}

const START = "/ HTTP/1.1\r\nHost: a.example\r\n";
const SENT: Sent[] = [
  { name: "no content", asked: {}, want: `GET ${START}\r\n` },
  {
    name: "POST without content has a length (RFC 9110 §8.6)",
    asked: { method: "POST" },
    want: `POST ${START}Content-Length: 0\r\n\r\n`,
  },
  {
    name: "an empty content",
    asked: { method: "DELETE", content: new Fed(0) },
    want: `DELETE ${START}\r\n`,
  },
  {
    name: "a length of 0 that the client said",
    asked: { method: "DELETE", fields: [HOST, ["content-length", "0"]] },
    want: `DELETE ${START}Content-Length: 0\r\n\r\n`,
  },
  {
    name: "content with a length",
    asked: { method: "POST", content: new Fed(5, ["ab", "cde"]) },
    want: `POST ${START}Content-Length: 5\r\n\r\nabcde`,
  },
  {
    name: "content of unknown length goes in chunks",
    asked: { method: "POST", content: new Fed(null, ["ab", "x".repeat(17)]) },
    want: `POST ${START}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n11\r\n${
      "x".repeat(17)
    }\r\n0\r\n\r\n`,
  },
  {
    name: "content of unknown length that is empty",
    asked: { method: "POST", content: new Fed(null) },
    want: `POST ${START}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  },
  {
    name: "trailers",
    asked: { method: "POST", content: trailed(null, [["x-sum", "1"]]) },
    want: `POST ${START}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n`,
  },
  {
    name: "trailers behind a content with a length",
    asked: {
      method: "POST",
      fields: [HOST, ["trailer", "x-sum"]],
      content: trailed(2, [["x-sum", "1"]]),
    },
    want: `POST ${START}Trailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n` +
      "2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n",
  },
  {
    name: "what is no trailer is left out (RFC 9110 §6.5.1)",
    asked: { method: "POST", content: trailed(null, [["content-length", "9"], ["x-sum", "1"]]) },
    want: `POST ${START}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n`,
  },
  {
    name: "framing of the client's connection is replaced",
    asked: {
      method: "POST",
      fields: [
        ...[HOST, ["content-length", "99"], ["transfer-encoding", "chunked"]] as Field[],
        ["connection", "close, x"],
      ],
      content: new Fed(2, ["ab"]),
    },
    want: `POST ${START}Content-Length: 2\r\n\r\nab`,
  },
  {
    name: "TE goes with its connection option (RFC 9110 §10.1.4)",
    asked: { fields: [HOST, ["te", "trailers"]] },
    want: `GET ${START}TE: trailers\r\nConnection: te\r\n\r\n`,
  },
  {
    name: "no Expect without content (RFC 9110 §10.1.1)",
    asked: { fields: [HOST, ["expect", "100-continue"]] },
    want: `GET ${START}\r\n`,
  },
];

for (const { name, asked, want } of SENT) {
  Deno.test(`h1 pool: sends ${name}`, async () => {
    await withPool({}, async ({ backend, pool }) => {
      const answer = ask(pool, asked);
      const conn = await backend.accept();
      const seen = new TextDecoder().decode(await conn.inbox.take(want.length));
      assert.equal(seen, want);
      conn.write(OK);
      await textOf(await answer);
      await until("the connection to be free", () => pool.idle === 1);
      assert.equal(conn.inbox.pending.length, 0);
    });
  });
}

const UNWRITABLE: [name: string, asked: Ask][] = [
  ["a target with a blank", { target: "/a b" }],
  ["a target with a fragment", { target: "/a#b" }],
  ["a target with CR LF", { target: "/ HTTP/1.1\r\nX: y" }],
  ["a target above ASCII", { target: "/caf\xe9" }],
  ["no Host", { fields: [] }],
  ["two Host fields", { fields: [HOST, HOST] }],
  ["an invalid Host", { fields: [["host", "a/b"]] }],
  ["a method that is no token", { method: "GE T" }],
  ["CONNECT", { method: "CONNECT", target: "a.example:80" }],
  ["CR LF in a value", { fields: [HOST, ["x", "a\r\nb: c"]] }],
  ["TRACE with content", { method: "TRACE", content: new Fed(1, ["x"]) }],
];

for (const [name, asked] of UNWRITABLE) {
  Deno.test(`h1 pool: nothing is sent of ${name}`, async () => {
    await withPool({}, async ({ backend, pool }) => {
      await assert.rejects(ask(pool, asked), UnwritableRequest);
      assert.equal(backend.connections.length, 0);
    });
  });
}

Deno.test("h1 pool: the head and the first bytes of content are one packet", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const answer = ask(pool, { method: "POST", content: new Fed(2, ["ab"]) });
    const conn = await backend.accept();
    await conn.inbox.has(1);
    assert.match(new TextDecoder().decode(conn.inbox.pending), /\r\n\r\nab$/);
    conn.write(OK);
    await textOf(await answer);
  });
});

Deno.test("h1 pool: a head does not wait for its content", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const content = new Fed(null, [], false);
    const answer = ask(pool, { method: "POST", content });
    const conn = await backend.accept();
    await conn.request();
    content.push("one");
    assert.equal(await conn.inbox.takeUpTo("one\r\n"), "3\r\none\r\n");
    content.push(null);
    assert.equal(await conn.inbox.takeUpTo("\r\n\r\n"), "0\r\n\r\n");
    conn.write(OK);
    await textOf(await answer);
  });
});

Deno.test("h1 pool: content is not read faster than the backend takes it", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const content = new Fed(null, [], false);
    const part = new Uint8Array(1 << 20);
    for (let i = 0; i < 64; i++) content.push(part);
    const answer = ask(pool, { method: "POST", content });
    answer.catch(() => {});
    const conn = await backend.accept();
    await conn.request();
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.ok(content.reads < 32, `${content.reads} MiB were read`);
    conn.reset();
    await assert.rejects(answer);
    assert.ok(content.cancelled);
  });
});

Deno.test("h1 pool: content that breaks off ends the request, and is its sender's fault", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const content = new Fed(9, ["ab"], false);
    const answer = ask(pool, { method: "POST", content });
    answer.catch(() => {});
    const conn = await backend.accept();
    await conn.inbox.takeUpTo("ab");
    content.push(new NetError("reset", "gone"));
    await assert.rejects(answer, RequestBroken);
    assert.equal((await conn.inbox.rest()).length, 0);
  });
});

for (const [name, parts] of [["shorter", ["ab"]], ["longer", ["abcd"]]] as const) {
  Deno.test(`h1 pool: RFC 9112 §6.3: content ${name} than its length ends the connection`, async () => {
    await withPool({}, async ({ backend, pool }) => {
      const answer = ask(pool, { method: "POST", content: new Fed(3, [...parts]) });
      await assert.rejects(answer, RequestBroken);
      const conn = await backend.accept();
      const text = new TextDecoder().decode(await conn.inbox.rest());
      assert.ok(!text.includes("abcd"), text);
    });
  });
}

Deno.test("h1 pool: RFC 9112 §9.5: a refusal that comes early ends the upload", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const content = new Fed(null, ["ab"], false);
    const answer = ask(pool, { method: "POST", content });
    const conn = await backend.accept();
    await conn.inbox.takeUpTo("ab\r\n");
    conn.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
    const response = await answer;
    assert.equal(response.status, 413);
    assert.ok(content.cancelled);
    assert.equal(await textOf(response), "big");
    assert.equal(pool.connections, 0);
    assert.equal(response.traffic.sentBytes, 2);
    assert.equal(response.traffic.receivedBytes, 3);
  });
});

Deno.test("h1 pool: a refusal is read even where the backend takes no more", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const content = new Fed(null, ["ab"], false);
    const answer = ask(pool, { method: "POST", content });
    const conn = await backend.accept();
    await conn.inbox.takeUpTo("ab\r\n");
    conn.write("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n\r\nbig");
    conn.fin();
    content.push("more");
    const response = await answer;
    assert.equal(response.status, 413);
    assert.equal(await textOf(response), "big");
  });
});

Deno.test("h1 pool: an answer that comes while its request is read goes both ways", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const content = new Fed(null, ["a"], false);
    const answer = ask(pool, { method: "POST", content });
    const conn = await backend.accept();
    await conn.inbox.takeUpTo("a\r\n");
    conn.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    const response = await answer;
    const echo = response.content!;
    assert.deepEqual(await echo.read(), new Uint8Array([0x61]));
    content.push("b");
    assert.equal(await conn.inbox.takeUpTo("b\r\n"), "1\r\nb\r\n");
    content.push(null);
    await conn.inbox.takeUpTo("0\r\n\r\n");
    conn.write("1\r\nb\r\n0\r\nX-Sum: 2\r\n\r\n");
    assert.deepEqual(await echo.read(), new Uint8Array([0x62]));
    assert.equal(await echo.read(), null);
    assert.deepEqual(echo.trailers, [["x-sum", "2"]]);
    await until("the connection to be free", () => pool.idle === 1);
  });
});

Deno.test("h1 pool: an answer that is whole before its request ends the connection", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const content = new Fed(null, ["a"], false);
    const answer = ask(pool, { method: "POST", content });
    const conn = await backend.accept();
    await conn.inbox.takeUpTo("a\r\n");
    conn.write(OK);
    assert.equal(await textOf(await answer), "ok");
    assert.ok(content.cancelled);
    assert.equal(pool.connections, 0);
  });
});

const EXPECT: Field[] = [HOST, ["expect", "100-continue"]];

Deno.test("h1 pool: RFC 9110 §10.1.1: content waits for a 100 (Continue)", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const content = new Fed(2, ["ab"]);
    const interim: number[] = [];
    const answer = ask(pool, {
      method: "PUT",
      fields: EXPECT,
      content,
      onInformational: (status) => void interim.push(status),
    });
    const conn = await backend.accept();
    assert.equal((await conn.request()).get("expect"), "100-continue");
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(content.reads, 0);
    conn.write("HTTP/1.1 100 Continue\r\n\r\n");
    assert.equal(await conn.inbox.takeUpTo("ab"), "ab");
    conn.write(OK);
    assert.equal(await textOf(await answer), "ok");
    assert.deepEqual(interim, [100]);
    await until("the connection to be free", () => pool.idle === 1);
  });
});

Deno.test("h1 pool: RFC 9110 §10.1.1: content does not wait for a 100 for ever", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const answer = ask(pool, { method: "PUT", fields: EXPECT, content: new Fed(2, ["ab"]) });
    const conn = await backend.accept();
    await conn.request();
    const startedMs = performance.now();
    assert.equal(await conn.inbox.takeUpTo("ab"), "ab");
    assert.ok(performance.now() - startedMs > 900);
    conn.write(OK);
    assert.equal(await textOf(await answer), "ok");
  });
});

for (const status of [200, 417]) {
  Deno.test(`h1 pool: RFC 9110 §10.1.1: no content behind a ${status} without 100`, async () => {
    await withPool({}, async ({ backend, pool }) => {
      const content = new Fed(2, ["ab"]);
      const answer = ask(pool, { method: "PUT", fields: EXPECT, content });
      const conn = await backend.accept();
      await conn.request();
      conn.write(`HTTP/1.1 ${status} X\r\nContent-Length: 2\r\n\r\n`);
      const response = await answer;
      assert.equal(response.status, status);
      // Longer than a 100 is waited for.
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      conn.write("no");
      assert.equal(await textOf(response), "no");
      assert.equal(content.reads, 0);
      assert.equal(pool.connections, 0);
    });
  });
}

Deno.test("h1 pool: interim answers are told in order, before the answer", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const seen: string[] = [];
    const answer = ask(pool, {
      onInformational: async (status, fields) => {
        await new Promise((resolve) => setTimeout(resolve, 10));
        seen.push(`${status} ${fields.map((field) => field.join("=")).join()}`);
      },
    });
    const conn = await backend.accept();
    await conn.request();
    conn.write(
      `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${OK}`,
    );
    const response = await answer;
    assert.deepEqual(seen, ["103 link=</a>", "102 "]);
    assert.equal(await textOf(response), "ok");
  });
});

const BODILESS: [method: string, answer: string][] = [
  ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"],
  ["HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["GET", "HTTP/1.1 204 No Content\r\n\r\n"],
  ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"],
  ["GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
];

for (const [method, answer] of BODILESS) {
  const line = answer.split("\r\n").slice(0, 2).join(", ");
  Deno.test(`h1 pool: RFC 9112 §6.3: no content to ${method}: ${line}`, async () => {
    await withPool({}, async ({ backend, pool }) => {
      const asked = ask(pool, { method });
      const conn = await backend.accept();
      await conn.request();
      conn.write(answer);
      assert.equal((await asked).content, null);
      await until("the connection to be free", () => pool.idle === 1);
    });
  });
}

Deno.test("h1 pool: content comes as it is sent", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const asked = ask(pool);
    const conn = await backend.accept();
    await conn.request();
    conn.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    const { content } = await asked;
    assert.equal(content!.length, null);
    for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
      conn.write(event);
      assert.equal(new TextDecoder().decode(await content!.read() ?? undefined), event);
    }
    content!.cancel();
    assert.equal(pool.connections, 0);
    await assert.rejects(content!.read(), NetError);
  });
});

const CANCELS: [name: string, answer: string, kept: boolean][] = [
  ["all of it is there", OK, true],
  [
    "all of it is there in chunks",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    true,
  ],
  ["more is to come", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", false],
  ["something is behind it", `${OK}x`, false],
];

for (const [name, answer, kept] of CANCELS) {
  const what = kept ? "keeps" : "ends";
  Deno.test(`h1 pool: cancel() ${what} the connection where ${name}`, async () => {
    await withPool({}, async ({ backend, pool }) => {
      const asked = ask(pool);
      const conn = await backend.accept();
      await conn.request();
      conn.write(answer);
      const { content } = await asked;
      content!.cancel();
      content!.cancel();
      await until("the outcome", () => pool.idle === (kept ? 1 : 0));
      assert.equal(pool.connections, kept ? 1 : 0);
    });
  });
}

Deno.test("h1 pool: an abort while content is read ends it", async () => {
  await withPool({}, async ({ backend, pool }) => {
    const controller = new AbortController();
    const asked = ask(pool, { signal: controller.signal });
    const conn = await backend.accept();
    await conn.request();
    conn.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok");
    const { content } = await asked;
    await content!.read();
    const read = content!.read();
    controller.abort(new NetError("aborted", "client is gone"));
    await assert.rejects(read, /client is gone/);
    assert.equal((await conn.inbox.rest()).length, 0);
  });
});
