// The backend's refusal reaches the client whole, and one that breaks off does not look whole.
import assert from "node:assert/strict";
import { connectWebSocket, UpgradeRefused } from "../../src/client/connect.ts";
import { type Field, getFields } from "../../src/protocol/wire/field.ts";
import { NetError } from "../../src/net/error.ts";
import { PeerError } from "../../src/protocol/wire/error.ts";
import type { BackendConn } from "../support/backend.ts";
import { testCertificates, type TestProxy, withProxy } from "../support/proxy.ts";
import type { RawStream } from "../support/raw_h3.ts";

/** Asks for a session and answers it with these very bytes. */
async function refuse(
  t: TestProxy,
  ...parts: string[]
): Promise<{ client: RawStream; conn: BackendConn }> {
  const quic = await t.connect();
  const client = await quic.connectWs();
  const conn = await t.backend.accept();
  await conn.request();
  for (const part of parts) conn.write(part);
  return { client, conn };
}

interface WholeRefusal {
  name: string;
  answer: string;
  /** The backend ends its connection behind the answer. */
  fin?: boolean;
  status: number;
  body: string;
  /** Fields that the client gets, all values of each. */
  has?: Record<string, string[]>;
  trailers?: Field[];
}

const MIB = "0123456789abcdef".repeat(65_536);

const WHOLE: WholeRefusal[] = [
  {
    name: "401 with a body, WWW-Authenticate and cookies",
    answer:
      "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: 17\r\n" +
      'WWW-Authenticate: Bearer realm="a"\r\nWWW-Authenticate: Basic realm="b"\r\n' +
      'Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n\r\n{"error":"token"}',
    status: 401,
    body: '{"error":"token"}',
    has: {
      "www-authenticate": ['Bearer realm="a"', 'Basic realm="b"'],
      "set-cookie": ["a=1; Path=/", "b=2"],
      "content-type": ["application/json"],
      "content-length": ["17"],
      via: ["1.1 h3ws"],
    },
  },
  {
    name: "403 with a chunked body and extensions, and its trailers",
    trailers: [["x-sum", "1"]],
    answer: "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "5;x=y\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nX-Sum: 1\r\n\r\n",
    status: 403,
    body: "hello world",
    has: { "transfer-encoding": [], "content-length": [] },
  },
  {
    name: "400 whose body ends with the connection",
    answer: "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nuntil the end",
    fin: true,
    status: 400,
    body: "until the end",
    has: { connection: [] },
  },
  {
    name: "500 of HTTP/1.0",
    answer: "HTTP/1.0 500 Oh\r\n\r\nold",
    fin: true,
    status: 500,
    body: "old",
    has: { via: ["1.0 h3ws"] },
  },
  {
    name: "302 with its Location",
    answer:
      "HTTP/1.1 302 Found\r\nLocation: https://login.example/?x=1\r\nContent-Length: 0\r\n\r\n",
    status: 302,
    body: "",
    has: { location: ["https://login.example/?x=1"] },
  },
  {
    name: "426 without its hop-by-hop fields",
    answer:
      "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, X-Hop\r\n" +
      "X-Hop: 1\r\nKeep-Alive: timeout=5\r\nSec-WebSocket-Version: 13, 8\r\nVia: 1.1 inner\r\n" +
      "Content-Length: 2\r\n\r\nno",
    status: 426,
    body: "no",
    has: {
      upgrade: [],
      connection: [],
      "x-hop": [],
      "keep-alive": [],
      "sec-websocket-version": ["13, 8"],
      via: ["1.1 inner, 1.1 h3ws"],
    },
  },
  {
    name: "503 with the backend's own Retry-After, behind a 100 and a 103",
    answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" +
      "HTTP/1.1 503 Busy\r\nRetry-After: 77\r\nContent-Length: 4\r\n\r\nbusyand more",
    status: 503,
    body: "busy",
    has: { "retry-after": ["77"], link: [] },
  },
  {
    name: "304, which has no body",
    answer: 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 9\r\n\r\n',
    status: 304,
    body: "",
    has: { etag: ['"x"'] },
  },
  {
    name: "a body of 1 MiB",
    answer: `HTTP/1.1 404 Not Found\r\nContent-Length: ${MIB.length}\r\n\r\n${MIB}`,
    status: 404,
    body: MIB,
  },
];

for (const row of WHOLE) {
  Deno.test(`refusal: ${row.name}`, async () => {
    await withProxy({}, async (t) => {
      const { client, conn } = await refuse(t, row.answer);
      if (row.fin) conn.fin();
      const answer = await client.answer();
      assert.equal(answer.status, row.status);
      assert.ok(answer.body === row.body, `body of ${answer.body.length} bytes`);
      assert.equal(client.inbox.ending, "fin");
      assert.deepEqual(client.trailers, row.trailers ?? null, "nothing says that it broke");
      for (const [name, values] of Object.entries(row.has ?? {})) {
        assert.deepEqual(getFields(answer.fields, name), values, name);
      }
      assert.deepEqual(t.seen.rejections, [{ reason: "backend", status: row.status, path: "/ws" }]);
      await conn.inbox.rest();
    });
  });
}

interface BrokenRefusal {
  name: string;
  answer: string;
  end: (conn: BackendConn) => void;
  body: string;
}

const BROKEN: BrokenRefusal[] = [
  {
    name: "Content-Length cut short by FIN",
    answer: "HTTP/1.1 401 No\r\nContent-Length: 10\r\n\r\nhalf",
    end: (conn) => conn.fin(),
    body: "half",
  },
  {
    name: "Content-Length cut short by RST",
    answer: "HTTP/1.1 401 No\r\nContent-Length: 10\r\n\r\nhalf",
    end: (conn) => conn.reset(),
    body: "half",
  },
  {
    name: "chunked without its last chunk",
    answer: "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    end: (conn) => conn.fin(),
    body: "half",
  },
  {
    name: "chunked with a bad chunk",
    answer: "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
    end: () => {},
    body: "half",
  },
  {
    name: "a body until the end of the connection, by RST",
    answer: "HTTP/1.1 401 No\r\n\r\nhalf",
    end: (conn) => conn.reset(),
    body: "half",
  },
  {
    name: "a body that stalls for --read-timeout",
    answer: "HTTP/1.1 401 No\r\nContent-Length: 10\r\n\r\nhalf",
    end: () => {},
    body: "half",
  },
];

for (const { name, answer, end, body } of BROKEN) {
  Deno.test(`refusal: does not look whole: ${name} (RFC 9114 §4.1.2)`, async () => {
    await withProxy({ readTimeoutMs: 500 }, async (t) => {
      const { client, conn } = await refuse(t, answer);
      assert.equal((await client.response()).status, 401);
      assert.equal(String.fromCharCode(...await client.inbox.take(body.length)), body);
      end(conn);
      assert.equal((await client.answer()).body, "");
      // There is no RESET_STREAM here: trailers with a pseudo-header field make it malformed.
      assert.ok(client.trailers?.some(([name]) => name.startsWith(":")), "malformed trailers");
      (await t.open()).quic.close();
    });
  });
}

Deno.test("refusal: --read-timeout is for a pause: a body that comes slowly comes whole", async () => {
  const readTimeoutMs = 1_500;
  await withProxy({ readTimeoutMs }, async (t) => {
    const parts = ["one ", "two ", "three ", "four ", "five ", "six"];
    const text = parts.join("");
    const head = `HTTP/1.1 401 No\r\nContent-Length: ${text.length}\r\n\r\n`;
    const { client, conn } = await refuse(t, head);
    const startedMs = performance.now();
    for (const part of parts) {
      await new Promise((resolve) => setTimeout(resolve, readTimeoutMs / 4));
      conn.write(part);
      assert.equal(String.fromCharCode(...await client.inbox.take(part.length)), part);
    }
    assert.ok(performance.now() - startedMs > readTimeoutMs, "it took longer in all");
    assert.equal((await client.answer()).body, "");
    assert.equal(client.trailers, null, "nothing says that it broke");
  });
});

Deno.test("refusal: the library's client tells a refusal from one that broke off", async () => {
  await withProxy({}, async (t) => {
    const { caPem } = await testCertificates();
    const url = `wss://localhost:${t.proxy.port}/ws`;
    const open = async (answer: string) => {
      const opening = connectWebSocket(url, { httpVersion: "3", caCerts: [caPem] });
      opening.catch(() => {});
      const conn = await t.backend.accept();
      await conn.request();
      conn.write(answer);
      conn.fin();
      return await opening.then(() => null, (error: unknown) => error);
    };
    const whole = await open("HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nno!\n");
    assert.ok(whole instanceof UpgradeRefused);
    assert.deepEqual([whole.status, String.fromCharCode(...whole.body)], [401, "no!\n"]);
    const broken = await open("HTTP/1.1 401 No\r\nContent-Length: 10\r\n\r\nhalf");
    assert.ok(broken instanceof NetError || broken instanceof PeerError, String(broken));
  });
});

Deno.test("refusal: a client that leaves in mid-body ends the backend leg", async () => {
  await withProxy({}, async (t) => {
    const quic = await t.connect();
    const client = await quic.connectWs();
    const conn = await t.backend.accept();
    await conn.request();
    conn.write(`HTTP/1.1 401 No\r\nContent-Length: 1000000000\r\n\r\n${MIB}`);
    await client.inbox.take(1000);
    quic.close();
    // It may be told by RST, as not all was read.
    await conn.inbox.rest();
  });
});

Deno.test("refusal: a client that does not read it holds no session for ever", async () => {
  await withProxy({ readTimeoutMs: 2_000, writeTimeoutMs: 1_000, maxSessions: 1 }, async (t) => {
    const quic = await t.connect();
    const client = await quic.connectWs();
    const conn = await t.backend.accept();
    await conn.request();
    conn.write(`HTTP/1.1 401 No\r\n\r\n${MIB.repeat(12)}`);
    assert.equal((await client.response()).status, 401);
    await conn.inbox.rest();
    await t.idle();
    const other = await t.connect();
    const next = await other.connectWs();
    assert.equal(
      (await Promise.race([t.backend.upgrade().then(() => next.response()), next.response()]))
        .status,
      200,
    );
    other.close();
    quic.close();
  });
});
