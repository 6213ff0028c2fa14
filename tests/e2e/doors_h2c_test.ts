// RFC 7540 §3.2: --h2c-upgrade: HTTP/2 at --plain-listen behind a 101 to a request of HTTP/1.1.
import assert from "node:assert/strict";
import { H2Code } from "../../src/protocol/http2/codes.ts";
import { CLIENT_PREFACE } from "../../src/protocol/http2/frame.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { openH2 } from "../support/door_clients.ts";
import { answerAt, type Doors, RawH1, withDoors } from "../support/doors.ts";
import { h2Settings, SettingId } from "../support/raw_h2.ts";
import { until } from "../support/until.ts";

const ON = { h2cUpgrade: true };
/** MAX_CONCURRENT_STREAMS of 100, INITIAL_WINDOW_SIZE of 2^25 and ENABLE_PUSH of 0, as curl has it. */
const SETTINGS = "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n";
const UPGRADE = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n";
const HOST = "Host: a.example\r\n";
const SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

function asking({ method = "GET", path = "/x", lines = "" } = {}): string {
  return `${method} ${path} HTTP/1.1\r\n${HOST}${UPGRADE}${SETTINGS}${lines}\r\n`;
}

/** Takes one request at the backend, and answers it. */
async function serve(t: Doors, answer = OK) {
  const conn = await t.backend.accept();
  const asked = await conn.request();
  conn.write(answer);
  return { conn, asked };
}

Deno.test("h2c: a request becomes stream 1, and HTTP/2 goes on behind it", async () => {
  await withDoors(ON, async (t) => {
    const serving = serve(t);
    const client = await t.h2c({ upgrade: asking({ lines: "X-A: 1\r\nTE: trailers\r\n" }) });
    assert.match(client.switching, new RegExp(`^${SWITCHING}$`, "i"));
    const { asked, conn } = await serving;
    const answer = await client.over(1);
    assert.deepEqual([answer.status, answer.body, answer.reset], [200, "hello", null]);
    assert.equal(asked.target, "/x");
    const names = asked.fields.map(([name]) => name);
    for (const name of ["upgrade", "http2-settings"]) assert.ok(!names.includes(name), name);
    assert.deepEqual(
      ["host", "x-a", "te", "connection", "via"].map((name) => asked.get(name)),
      // RFC 9110 §7.6.3: the version by which this request came.
      ["a.example", "1", "trailers", "te", "1.1 h3ws"],
    );
    await conn.destroy();
    const again = serve(t);
    const second = await client.get("/y");
    assert.deepEqual([second.status, second.body], [200, "hello"]);
    assert.equal((await again).asked.get("via"), "2 h3ws");
    const tunnel = openH2(client);
    await t.backend.upgrade();
    (await tunnel).reset();
    await until("the records", () => t.seen.requests.length === 2 && t.seen.closed.length === 1);
    assert.deepEqual(
      t.seen.requests.map(({ http, status }) => `${http} ${status}`),
      Array(2).fill("2 200"),
    );
    await client.close();
    await until("the end of the connection", () => t.proxy.connections === 0);
    const [first, last] = t.seen.connectionEnds;
    assert.deepEqual([first.code, first.reason, first.byPeer], [0, "switched to HTTP/2", false]);
    assert.equal(last.byPeer, true);
    assert.deepEqual([t.seen.connectionEnds.length, t.seen.failures], [2, []]);
  });
});

Deno.test("h2c: HEAD, OPTIONS, an absolute target and a length of 0", async () => {
  await withDoors(ON, async (t) => {
    const rows = [
      [{ method: "HEAD" }, "HEAD /x", ""],
      [{ method: "OPTIONS" }, "OPTIONS /x", "hello"],
      [{ path: "http://a.example/z?q" }, "GET /z?q", "hello"],
      [{ method: "POST", lines: "Content-Length: 0\r\n" }, "POST /x", "hello"],
    ] as const;
    for (const [request, line, body] of rows) {
      const serving = serve(t);
      const client = await t.h2c({ upgrade: asking(request) });
      const { asked, conn } = await serving;
      assert.equal(`${asked.method} ${asked.target}`, line);
      assert.equal(asked.get("host"), "a.example");
      const answer = await client.over(1);
      assert.deepEqual([answer.status, answer.body, answer.get("content-length")], [
        200,
        body,
        "5",
      ]);
      await client.close();
      await conn.destroy();
    }
  });
});

for (const earlyBytes of [1, 16, CLIENT_PREFACE.length, CLIENT_PREFACE.length + 9]) {
  Deno.test(`h2c: ${earlyBytes} bytes of the preface in the request's own packet are not lost`, async () => {
    await withDoors(ON, async (t) => {
      const serving = serve(t);
      const client = await t.h2c({ upgrade: asking(), earlyBytes });
      await serving;
      assert.equal((await client.over(1)).body, "hello");
      assert.equal((await client.get("/healthz")).status, 200);
    });
  });
}

Deno.test("h2c: a request that came with the one before it switches behind its answer", async () => {
  await withDoors(ON, async (t) => {
    const serving = serve(t);
    const client = await RawH1.connect(t.proxy.plainPort!);
    client.send(`GET /first HTTP/1.1\r\n${HOST}\r\n${asking({ path: "/healthz" })}`);
    const { asked } = await serving;
    assert.equal(asked.target, "/first");
    await client.has("hello");
    await client.has("101 Switching");
    const behind = client.got.indexOf("\r\n\r\n", client.got.indexOf("101 Switching")) + 4;
    client.send(concat([CLIENT_PREFACE, h2Settings([])]));
    // RFC 9113 §6.5.3: ours, and the acknowledgement of the client's.
    await client.has("\x00\x00\x00\x04\x01\x00\x00\x00\x00");
    assert.equal(client.got.charCodeAt(behind + 3), 4);
    await client.has("ok\n");
    await client.close();
  });
});

Deno.test("h2c: the client's windows hold from the first answer on", async () => {
  await withDoors(ON, async (t) => {
    const serving = serve(t, OK.replace("5\r\n\r\nhello", "6\r\n\r\nhello!"));
    // INITIAL_WINDOW_SIZE of 5.
    const upgrade = asking().replace(SETTINGS, "HTTP2-Settings: AAQAAAAF\r\n");
    const settings = [[SettingId.INITIAL_WINDOW_SIZE, 5]] as const;
    const client = await t.h2c({ upgrade, settings, opensWindows: false });
    await serving;
    const stream = client.stream(1);
    await until("what the window has room for", () => stream.bytes >= 5);
    await client.roundTrip();
    assert.deepEqual([stream.body, stream.ended], ["hello", false]);
  });
});

const NOT: [name: string, request: string][] = [
  ["without HTTP2-Settings", asking().replace(SETTINGS, "")],
  ["with two of them", asking({ lines: SETTINGS })],
  ["with one of two values", asking().replace("AAAAA\r\n", "AAAAA, AAMAAABk\r\n")],
  ["with an empty one", asking().replace(SETTINGS, "HTTP2-Settings:\r\n")],
  ["with one that is cut", asking().replace("AAAA\r\n", "AAA\r\n")],
  ["with one in base64", asking().replace(SETTINGS, "HTTP2-Settings: AAMAAAB+\r\n")],
  ["with a setting that is none", asking().replace(SETTINGS, "HTTP2-Settings: AAIAAAAC\r\n")],
  ["with one that Connection does not name", asking().replace(", HTTP2-Settings", "")],
  ["that Connection does not name", asking().replace("Upgrade, HTTP2", "HTTP2")],
  ["without Upgrade", asking().replace("Upgrade: h2c\r\n", "")],
  ["with content", `${asking({ method: "POST", lines: "Content-Length: 2\r\n" })}hi`],
  [
    "with content in chunks",
    `${asking({ method: "POST", lines: "Transfer-Encoding: chunked\r\n" })}2\r\nhi\r\n0\r\n\r\n`,
  ],
];

/** The request was served by HTTP/1.1, and so is the next one. */
async function servedAsIs(t: Doors, client: RawH1, request: string): Promise<void> {
  const serving = serve(t);
  client.send(request);
  const { asked, conn } = await serving;
  for (const name of ["upgrade", "http2-settings"]) assert.equal(asked.get(name), null, name);
  await until("an answer", () => answerAt(client.got) !== null || client.isOver);
  const first = answerAt(client.got)!;
  assert.deepEqual([first.status, first.text], [200, "hello"]);
  client.send(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`);
  await until("the next", () => answerAt(client.got, first.end) !== null || client.isOver);
  assert.equal(answerAt(client.got, first.end)?.text, "ok\n");
  await conn.destroy();
}

Deno.test("h2c: RFC 9110 §7.8: a request is served by HTTP/1.1 where something is not as it must be", async (test) => {
  await withDoors(ON, async (t) => {
    for (const [name, request] of NOT) {
      await test.step(name, async () => servedAsIs(t, await t.h1(), request));
    }
    assert.deepEqual([t.seen.rejections, t.seen.failures], [[], []]);
  });
});

Deno.test("h2c: RFC 7540 §3.2: never over TLS, and not unless --h2c-upgrade says so", async () => {
  await withDoors(ON, async (t) => servedAsIs(t, await t.h1s(), asking()));
  await withDoors({}, async (t) => servedAsIs(t, await t.h1(), asking()));
});

Deno.test("h2c: not of HTTP/1.0, nor of a connection's last request", async () => {
  await withDoors(ON, async (t) => {
    const last = asking().replace("Connection: ", "Connection: close, ");
    for (const request of [asking().replace("HTTP/1.1", "HTTP/1.0"), last]) {
      const serving = serve(t);
      const client = await t.h1();
      client.send(request);
      const { conn } = await serving;
      assert.match(await client.ended(), /^HTTP\/1\.1 200 OK\r\n[^]*hello$/);
      await conn.destroy();
    }
  });
});

Deno.test("h2c: a request for a tunnel becomes that, and no HTTP/2", async () => {
  await withDoors(ON, async (t) => {
    for (const offered of ["foo, h2c", "h2c, foo"]) {
      const client = await t.h1();
      client.send(asking().replace("Upgrade: h2c", `Upgrade: ${offered}`));
      const conn = await t.backend.accept();
      const asked = await conn.request();
      assert.deepEqual([asked.get("upgrade"), asked.get("http2-settings")], ["foo", null]);
      conn.write(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\nhi",
      );
      await client.has("\r\n\r\nhi");
      assert.match(client.got, /^HTTP\/1\.1 101 [^]*\r\nupgrade: foo\r\n/i);
      await client.close();
      await conn.inbox.rest();
      await conn.destroy();
    }
    const connect = await t.h1();
    connect.send(asking({ method: "CONNECT", path: "a.example:80" }));
    assert.match(await connect.ended(), /^HTTP\/1\.1 501 /);
  });
});

for (const isOpen of [true, false]) {
  const how = isOpen ? "while its answer is made" : "behind its answer";
  Deno.test(`h2c: a preface that does not come in time is SETTINGS_TIMEOUT, ${how}`, async () => {
    await withDoors({ ...ON, handshakeTimeoutMs: 400, readTimeoutMs: 60_000 }, async (t) => {
      const client = await t.h1();
      client.send(asking({ path: isOpen ? "/x" : "/healthz" }));
      const conn = isOpen ? await t.backend.accept() : null;
      const got = await client.ended();
      assert.ok(got.toLowerCase().startsWith(SWITCHING.toLowerCase()), got);
      // RFC 9113 §6.8: GOAWAY of 8 bytes: the last stream is 1, the code SETTINGS_TIMEOUT.
      assert.ok(got.endsWith("\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\x04"), got);
      await until("the end of the connection", () => t.proxy.connections === 0);
      assert.deepEqual(t.seen.connectionEnds.map(({ code, reason }) => [code, reason]), [
        [0, "switched to HTTP/2"],
        [H2Code.SETTINGS_TIMEOUT, "no SETTINGS in time"],
      ]);
      if (conn !== null) await conn.inbox.rest().catch(() => {});
      await conn?.destroy();
    });
  });
}

Deno.test("h2c: what is no preface behind the request is PROTOCOL_ERROR, and never run as a request", async () => {
  await withDoors(ON, async (t) => {
    const client = await t.h1();
    client.send(`${asking({ path: "/healthz" })}GET /smuggled HTTP/1.1\r\n${HOST}\r\n`);
    const got = await client.ended();
    assert.ok(got.toLowerCase().startsWith(SWITCHING.toLowerCase()), got);
    assert.match(got, /Invalid connection preface$/);
    await until("its record", () => t.seen.failures.length === 1);
    assert.deepEqual(t.backend.connections, []);
  });
});

Deno.test("h2c: a client that goes before its preface takes its request along", async () => {
  await withDoors(ON, async (t) => {
    const client = await t.h1();
    client.send(asking());
    const conn = await t.backend.accept();
    await client.has("\r\n\r\n");
    client.fin();
    await client.ended();
    await conn.inbox.rest().catch(() => {});
    await until("the end of the connection", () => t.proxy.connections === 0);
    await conn.destroy();
  });
});

Deno.test("h2c: a drain names stream 1, waits for its answer, and ends the connection", async () => {
  await withDoors(ON, async (t) => {
    const client = await t.h2c({ upgrade: asking() });
    const conn = await t.backend.accept();
    await conn.request();
    const drained = t.proxy.drain(20_000);
    await until("two GOAWAYs", () => client.goaways.length === 2);
    assert.deepEqual(client.goaways.map(({ lastStreamId }) => lastStreamId), [2 ** 31 - 1, 1]);
    conn.write(OK);
    assert.equal((await client.over(1)).body, "hello");
    assert.equal(await client.end(), H2Code.NO_ERROR);
    await drained;
  });
});

Deno.test("h2c: a connection that drains does not switch", async () => {
  await withDoors(ON, async (t) => {
    const client = await t.h1();
    client.send(`GET /first HTTP/1.1\r\n${HOST}\r\n`);
    const conn = await t.backend.accept();
    await conn.request();
    const drained = t.proxy.drain(20_000);
    client.send(asking());
    conn.write(OK);
    assert.match(await client.ended(), /^HTTP\/1\.1 200 OK\r\n[^]*hello$/);
    await drained;
  });
});
