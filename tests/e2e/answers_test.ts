// What the proxy answers by itself, over real UDP. The backend must not hear of any of it.
import assert from "node:assert/strict";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { HELLO, testAnswers } from "../support/answer_rows.ts";
import { withProxy } from "../support/proxy.ts";
import { connectFields, dataFrame, headersFrame, type Pseudo } from "../support/raw_h3.ts";

const BAD = { status: 400, rejected: "bad_headers" };
const PLAIN: Pseudo = { protocol: null, scheme: null, path: null };
const GET: Pseudo = { method: "GET", protocol: null };

testAnswers([
  {
    name: "404: a path that is not allowed",
    pseudo: { path: "/other" },
    status: 404,
    rejected: "path",
  },
  {
    name: "404: a path that only begins as the allowed one",
    pseudo: { path: "/ws/x" },
    status: 404,
    rejected: "path",
  },
  {
    name: "404: GET of an unknown path",
    pseudo: { ...GET, path: "/nothing" },
    status: 404,
    rejected: null,
  },
  {
    name: "405: GET of the tunnel's path, with Allow",
    pseudo: GET,
    status: 405,
    has: { allow: "CONNECT" },
    rejected: "method",
  },
  {
    name: "405: POST of the tunnel's path, with Allow",
    pseudo: { ...GET, method: "POST" },
    status: 405,
    has: { allow: "CONNECT" },
    rejected: "method",
  },
  {
    name: "405: HEAD of the tunnel's path, without a body",
    pseudo: { ...GET, method: "HEAD" },
    status: 405,
    has: { allow: "CONNECT" },
    rejected: "method",
  },
  {
    name: "501: :protocol that is not websocket",
    pseudo: { protocol: "connect-udp" },
    status: 501,
    rejected: "protocol",
  },
  {
    name: "501: :protocol webtransport",
    pseudo: { protocol: "webtransport" },
    status: 501,
    rejected: "protocol",
  },
  {
    name: "501: plain CONNECT",
    pseudo: { ...PLAIN, authority: "example.com:443" },
    status: 501,
    rejected: "protocol",
  },
  {
    name: "400: Sec-WebSocket-Version 12, says 13",
    fields: [["sec-websocket-version", "12"]],
    status: 400,
    has: { "sec-websocket-version": "13" },
    rejected: "bad_headers",
  },
  { name: "400: Sec-WebSocket-Version is empty", fields: [["sec-websocket-version", ""]], ...BAD },
  {
    name: "400: Sec-WebSocket-Version 13, 8",
    fields: [["sec-websocket-version", "13, 8"]],
    ...BAD,
  },
  {
    name: "400: Sec-WebSocket-Protocol is no list of tokens",
    fields: [["sec-websocket-protocol", "a b"]],
    ...BAD,
  },
  {
    name: "400: Sec-WebSocket-Extensions can't be read",
    fields: [["sec-websocket-extensions", "permessage-deflate; =1"]],
    ...BAD,
  },
]);

for (const protocol of ["websocket", "WebSocket", "WEBSOCKET"]) {
  Deno.test(`answers: :protocol is compared without case: ${protocol}`, async () => {
    await withProxy({}, async (t) => {
      const { quic } = await t.open({ protocol });
      quic.close();
    });
  });
}

Deno.test("answers: Sec-WebSocket-Version may be left out (RFC 9220 §3)", async () => {
  await withProxy({}, async (t) => {
    const quic = await t.connect();
    const client = await quic.request(connectFields());
    const backend = await t.backend.accept();
    assert.equal((await backend.request()).get("sec-websocket-version"), "13");
    backend.upgrade();
    assert.equal((await client.response()).status, 200);
    quic.close();
  });
});

Deno.test("answers: a CONNECT before any SETTINGS is served", async () => {
  await withProxy({}, async (t) => {
    const quic = await t.connect({ settings: false });
    // Its first frame goes out in one write with the CONNECT, too.
    const client = await quic.request(connectFields(), dataFrame(HELLO));
    const backend = await t.backend.upgrade();
    assert.equal((await client.response()).status, 200);
    assert.deepEqual(await backend.inbox.take(HELLO.length), HELLO);
    await quic.sendSettings();
    await client.send(HELLO);
    assert.deepEqual(await backend.inbox.take(HELLO.length), HELLO);
    quic.close();
  });
});

Deno.test("answers: 503 with Retry-After over --max-conns, and room again after an end", async () => {
  await withProxy({ maxSessions: 2 }, async (t) => {
    const first = await t.open();
    // One that is being dialled counts as well.
    const second = await first.quic.connectWs();
    const dialled = await t.backend.accept();
    const refused = await (await first.quic.connectWs()).answer();
    assert.equal(refused.status, 503);
    assert.match(refused.get("retry-after") ?? "", /^[0-9]+$/);
    assert.deepEqual(t.seen.rejections, [{ reason: "max_conns", status: 503, path: "/ws" }]);
    assert.equal(t.backend.connections.length, 2);

    await dialled.request();
    dialled.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    assert.equal((await second.answer()).status, 403);
    const third = await t.open();
    assert.equal(t.proxy.sessions, 2);
    third.quic.close();
  });
});

Deno.test("answers: /healthz and /health/udp are 200 ok, with GET and HEAD", async () => {
  await withProxy({}, async (t) => {
    const quic = await t.connect();
    for (const path of ["/healthz", "/health/udp"]) {
      for (const method of ["GET", "HEAD"]) {
        const request = await quic.request(connectFields({ method, protocol: null, path }));
        const { status, body } = await request.answer();
        assert.deepEqual([status, body], [200, method === "GET" ? "ok\n" : ""]);
      }
    }
  });
});

Deno.test("answers: --path as a regular expression, and never its query", async () => {
  await withProxy({ path: { regexp: /^\/rooms\/[^/]+$/ } }, async (t) => {
    const quic = await t.connect();
    for (const path of ["/rooms", "/rooms/a/b", "/x?/rooms/a"]) {
      assert.equal((await (await quic.connectWs({ path })).answer()).status, 404, path);
    }
    const { backend } = await t.open({ path: "/rooms/a?b/c" });
    assert.equal((await backend.request()).target, "/rooms/a?b/c");
    assert.equal(t.seen.opened[0].path, "/rooms/a", "a query stands in no record");
    quic.close();
  });
});

Deno.test("answers: a request and its frames in single bytes are the same", async () => {
  await withProxy({}, async (t) => {
    const quic = await t.connect();
    const client = await quic.openStream();
    const bytes = concat([headersFrame(connectFields()), dataFrame(HELLO), dataFrame(HELLO)]);
    for (const byte of bytes) await client.write(Uint8Array.of(byte));
    const backend = await t.backend.upgrade();
    assert.equal((await client.response()).status, 200);
    assert.deepEqual(await backend.inbox.take(2 * HELLO.length), concat([HELLO, HELLO]));
    quic.close();
  });
});

Deno.test("answers: 400 for a :path that is no path, under any --path and :scheme", async () => {
  await withProxy({ path: { regexp: /^/ } }, async (t) => {
    const quic = await t.connect();
    for (const path of ["ws", "", "http://other/ws"]) {
      const { status } = await (await quic.connectWs({ scheme: "ftp", path })).answer();
      assert.equal(status, 400, path);
    }
    (await t.open()).quic.close();
  });
});
