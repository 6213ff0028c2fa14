// What two readers may read in two ways, and bytes that would end a line, at a server: none of it is
// seen twice, nor becomes what nobody said.
import assert from "node:assert/strict";
import type { FetchHandler } from "../../src/server/fetch.ts";
import type { AcceptInit, WebSocketRequest } from "../../src/server/request.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { AMBIGUOUS_REQUESTS } from "../protocol/http1/smuggling_table.ts";
import { DOOR_IDS } from "../support/door_peers.ts";
import { answerAt } from "../support/doors.ts";
import { until } from "../support/until.ts";
import { withServer } from "./support.ts";

const fetch: FetchHandler = () => new Response("fine");

Deno.test("injection: RFC 9112 §11.2: of no ambiguous request a handler sees two, nor what was smuggled", async () => {
  const seen: { path: string; body: string }[] = [];
  const paths: string[] = [];
  const read: FetchHandler = async (request) => {
    const { pathname, search } = new URL(request.url);
    const path = pathname + search;
    paths.push(path);
    // Of content that breaks off, it hears nothing but that.
    seen.push({ path, body: await request.text() });
    return new Response("fine");
  };
  const failures: string[] = [];
  await withServer({ fetch: read }, null, async ({ peers, lines }) => {
    for (const { name, bytes, status, reading } of AMBIGUOUS_REQUESTS) {
      seen.length = paths.length = 0;
      const client = await peers.h1("h1");
      client.send(bytes);
      const method = bytes.trimStart().split(" ", 1)[0];
      await until("an answer", () => answerAt(client.got, 0, method) !== null || client.isOver);
      client.fin();
      const got = await client.ended();
      const statuses = [...got.matchAll(/HTTP\/1\.1 ([2-5][0-9]{2}) /g)].map(([, one]) => +one);
      // Fetch, §5.4: a Request of these has no content; it is read past.
      const body = method === "GET" || method === "HEAD" ? "" : reading?.body;
      const want = reading === undefined ? [] : [{ path: reading.path, body }];
      try {
        if (!client.isReset) assert.deepEqual(statuses, [status]);
        assert.deepEqual(seen, want);
        assert.ok(
          paths.length <= 1 && !paths.some((path) => path.includes("smuggled")),
          `${paths}`,
        );
      } catch (error) {
        failures.push(`${name}: ${(error as Error).message} ${JSON.stringify(got.slice(0, 200))}`);
      }
    }
    assert.deepEqual(lines.filter(({ level }) => level === "error"), []);
  });
  assert.deepEqual(failures, []);
});

const EVIL = "a\r\nset-cookie: evil=1\r\n\r\n<script>";

/** What a handler may make of what a client said: none of it becomes a line of the head. */
const INJECTIONS: Record<string, (request: WebSocketRequest) => Promise<unknown>> = {
  "a value of accept": (request) => request.accept({ headers: { "x-a": EVIL } }),
  "a name of accept": (request) => request.accept({ headers: [[EVIL, "x"]] }),
  "a value of accept by LF alone": (request) => request.accept({ headers: { "x-a": "a\nb: c" } }),
  "a value of accept with NUL": (request) => request.accept({ headers: { "x-a": "a\0b" } }),
  "a subprotocol": (request) =>
    request.accept({ protocol: EVIL, unoffered: true } satisfies AcceptInit),
  "a value of reject": (request) => request.reject(302, { location: `/${EVIL}` }, "no"),
  "a name of reject": (request) => request.reject(403, [[EVIL, "x"]]),
};

for (const door of DOOR_IDS) {
  Deno.test(`injection: ${door}: RFC 9110 §5.5: CR, LF and NUL in a field of an answer are a TypeError, and nothing is sent`, async () => {
    const thrown: string[] = [];
    await withServer({}, async (request) => {
      const inject = INJECTIONS[request.headers.get("x-how")!];
      await inject(request).catch((error: Error) => thrown.push(error.name));
      await request.reject(418, {}, "teapot");
    }, async ({ peers, errors }) => {
      for (const how of Object.keys(INJECTIONS)) {
        const answer = await peers.open(door, { fields: [["x-how", how]] });
        assert.deepEqual([answer.status, answer.body], [418, "teapot"], how);
        assert.equal(answer.get("set-cookie"), null, how);
      }
      assert.deepEqual(thrown, Object.keys(INJECTIONS).map(() => "TypeError"));
      assert.deepEqual(errors(), []);
    });
  });

  Deno.test(`injection: ${door}: escapes of CR, LF and NUL in a path are resolved for the handler, and stay escapes in what it says back`, async () => {
    const path = "/%0d%0aset-cookie:%20evil=1/%00?%0d%0a";
    const seen: string[] = [];
    const moved: FetchHandler = ({ url }) => Response.redirect(new URL("x?from=" + url, url));
    await withServer({ fetch: moved }, async (request) => {
      seen.push(request.path, request.rawPath, request.queryString);
      await request.reject(302, { location: request.rawPath });
    }, async ({ peers }) => {
      for (const answer of [await peers.open(door, { path }), await peers.ask(door, { path })]) {
        assert.equal(answer.status, 302);
        assert.match(answer.get("location")!, /%0d%0aset-cookie:%20evil=1\/%00/i);
        assert.equal(answer.get("set-cookie"), null);
      }
    });
    assert.deepEqual(seen, [
      "/\r\nset-cookie: evil=1/\0",
      "/%0d%0aset-cookie:%20evil=1/%00",
      "%0d%0a",
    ]);
  });
}

const BAD_VALUES: Record<string, Field> = {
  "NUL in a value": ["x", "a\0b"],
  "CR LF in a value": ["x", EVIL],
  "LF in a value": ["x", "a\nb: c"],
  "a name with a space": ["x y", "1"],
};

for (const door of ["h2c", "h2", "h3"] as const) {
  Deno.test(`injection: ${door}: RFC 9113 §8.2.1, RFC 9114 §10.3: a field that is none reaches no handler`, async () => {
    let calls = 0;
    const counted: FetchHandler = () => {
      calls++;
      return new Response("fine");
    };
    await withServer({ fetch: counted }, () => void calls++, async ({ peers, errors }) => {
      for (const [name, field] of Object.entries(BAD_VALUES)) {
        for (const asking of ["open", "ask"] as const) {
          const { status } = await peers[asking](door, { fields: [field] });
          // HTTP/2 resets the stream, HTTP/3 can't with a code: it says so.
          assert.equal(status, door === "h3" ? 400 : 0, name);
        }
      }
      assert.equal(calls, 0);
      assert.equal((await peers.ask(door)).body, "fine");
      assert.deepEqual(errors(), []);
    });
  });
}

const LINES: Record<string, string> = {
  "NUL in a value": "X: a\0b\r\n",
  "NUL in a name": "X\0: b\r\n",
  "a bare CR": "X: a\rSet-Cookie: b\r\n",
  "a line that is folded": "X: a\r\n b\r\n",
  "a space before the colon": "X : a\r\n",
};

for (const door of ["h1", "h1s"] as const) {
  Deno.test(`injection: ${door}: RFC 9112 §5.1, §5.2: a field line that is none is 400, and reaches no handler`, async () => {
    let calls = 0;
    await withServer({ fetch }, () => void calls++, async ({ peers, rejections, errors }) => {
      for (const [name, line] of Object.entries(LINES)) {
        const client = await peers.h1(door);
        client.send(
          `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${line}\r\n`,
        );
        assert.match(await client.ended(), /^HTTP\/1\.1 400 /, name);
      }
      assert.deepEqual(rejections, Object.keys(LINES).map(() => ["bad_headers", 400]));
      assert.equal(calls, 0);
      assert.deepEqual(errors(), []);
    });
  });
}
