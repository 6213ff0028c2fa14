// The HTTP proxy of a gateway, byte by byte: what goes through, and who is not served.
import assert from "node:assert/strict";
// @ts-types="@types/ws"
import { WebSocketServer } from "ws";
import { HttpFront } from "../../src/tunnel/http_front.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { TcpServer } from "../../src/net/tcp_server.ts";
import { until } from "../support/until.ts";
import { endOf, Raw, withRawTarget } from "./raw.ts";
import { type TestTunnel, withTunnel } from "./support.ts";

/** A client of the proxy and a target, each played by the test. */
async function play(
  run: (ends: {
    client: Raw;
    accept: () => Promise<Raw>;
    at: string;
    tunnel: TestTunnel;
  }) => Promise<void>,
): Promise<void> {
  await withTunnel({ transports: ["ws"] }, async (tunnel) => {
    await withRawTarget(async ({ port, accept }) => {
      using client = await Raw.connect(tunnel.gateway.httpPort!);
      await run({ client, accept, at: `127.0.0.1:${port}`, tunnel });
      client.close();
      await until("nothing is left", () => tunnel.gateway.gateway.connections === 0);
      await until("nothing is left at the agent", () => tunnel.agent.streams === 0);
    });
  });
}

Deno.test("http front: 1xx, 100 (Continue), content in chunks and trailers go through", async () => {
  await play(async ({ client, accept, at }) => {
    await client.send(
      `POST http://${at}/x HTTP/1.1\r\nHost: wrong\r\nTE: trailers\r\nConnection: TE, X-Gone\r\n` +
        `X-Gone: 1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n`,
    );
    const target = await accept();
    const head = (await target.until("\r\n\r\n")).toLowerCase();
    assert.ok(head.startsWith("post /x http/1.1\r\n"));
    for (const line of [`host: ${at}`, "expect: 100-continue", "te: trailers", "trailer: x-sum"]) {
      assert.ok(head.includes(`\r\n${line}\r\n`), line);
    }
    assert.ok(!head.includes("x-gone: 1"));
    await target.send(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
    );
    assert.match(await client.until("\r\n\r\n"), /^HTTP\/1.1 103 [^]*link: <\/a>/i);
    assert.match(await client.until("\r\n\r\n"), /^HTTP\/1.1 100 /);
    await client.send("3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n");
    assert.match(await target.until("\r\n\r\n"), /^3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n$/i);
    await target.send(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Out\r\n\r\n" +
        "2\r\nhi\r\n0\r\nX-Out: 8\r\n\r\n",
    );
    const answer = await client.until("X-Out: 8\r\n\r\n");
    assert.match(answer, /^HTTP\/1.1 200 [^]*\r\n\r\n2\r\nhi\r\n0\r\nX-Out: 8\r\n\r\n$/i);
  });
});

Deno.test("http front: requests at once are answered in turn, each by its own target", async () => {
  await withRawTarget(async (other) => {
    await play(async ({ client, accept, at }) => {
      const get = (authority: string) => `GET http://${authority}/ HTTP/1.1\r\nHost: x\r\n\r\n`;
      await client.send(get(at) + get(`127.0.0.1:${other.port}`));
      for (const [next, body] of [[accept, "one"], [other.accept, "two"]] as const) {
        const target = await next();
        await target.until("\r\n\r\n");
        await target.send(`HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n${body}`);
        assert.match(await client.until(body), /^HTTP\/1.1 200 /);
      }
    });
  });
});

Deno.test("http front: an answer that breaks off does so for the client, too", async () => {
  await play(async ({ client, accept, at }) => {
    await client.send(`GET http://${at}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    const target = await accept();
    await target.until("\r\n\r\n");
    await target.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    await client.until("abc");
    target.close();
    assert.equal(await client.rest(), "");
  });
});

Deno.test("http front: a client that goes before its answer takes the connection with it", async () => {
  await play(async ({ client, accept, at }) => {
    await client.send(`GET http://${at}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    const target = await accept();
    await target.until("\r\n\r\n");
    client.close();
    assert.equal(await target.rest(), "");
  });
});

Deno.test("http front: what a target says that is no HTTP is a 502", async () => {
  await play(async ({ client, accept, at }) => {
    await client.send(`GET http://${at}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    const target = await accept();
    await target.until("\r\n\r\n");
    await target.send("SSH-2.0-x\r\n\r\n");
    assert.match(await client.until("\r\n\r\n"), /^HTTP\/1.1 502 /);
  });
});

Deno.test("http front: CONNECT: what comes at once with it is the target's; each side ends its own", async () => {
  await play(async ({ client, accept, at }) => {
    await client.send(`CONNECT ${at} HTTP/1.1\r\nHost: ${at}\r\n\r\nearly`);
    const target = await accept();
    assert.equal(await client.until("\r\n\r\n"), "HTTP/1.1 200 OK\r\n\r\n");
    assert.equal(await target.until("early"), "early");
    await client.conn.closeWrite();
    assert.equal(await target.rest(), "");
    await target.send("still here");
    await target.conn.closeWrite();
    assert.equal(await client.rest(), "still here");
  });
});

for (
  const { name, request, status } of [
    { name: "a path, as to a server", request: "GET / HTTP/1.1\r\nHost: a", status: 400 },
    {
      name: "https, which is for CONNECT",
      request: "GET https://a/ HTTP/1.1\r\nHost: a",
      status: 501,
    },
    { name: "a scheme of another world", request: "GET ftp://a/ HTTP/1.1\r\nHost: a", status: 400 },
    { name: "CONNECT without a port", request: "CONNECT a HTTP/1.1\r\nHost: a", status: 400 },
    { name: "CONNECT to port 0", request: "CONNECT a:0 HTTP/1.1\r\nHost: a", status: 400 },
    {
      name: "CONNECT with content",
      request: "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1",
      status: 400,
    },
    {
      name: "a TRACE that ends here",
      request: "TRACE http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0",
      status: 405,
    },
    {
      name: "an OPTIONS that ends here",
      request: "OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0",
      status: 204,
    },
    {
      name: "two framings",
      request:
        `POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked`,
      status: 400,
    },
    {
      name: "a head without end",
      request: `GET http://a/ HTTP/1.1\r\nA: ${"a".repeat(17_000)}`,
      status: 431,
    },
    { name: "HTTP/2", request: "PRI * HTTP/2.0\r\n\r\nSM", status: 505 },
    { name: "what is no HTTP", request: "\x04\x01\x00\x50\r\n", status: 400 },
  ]
) {
  Deno.test(`http front: ${name} is answered ${status}, and nothing is opened`, async () => {
    await withTunnel({ transports: ["ws"] }, async ({ gateway, told }) => {
      using client = await Raw.connect(gateway.httpPort!);
      await client.send(`${request}\r\n\r\n`);
      assert.match(await client.until("\r\n\r\n"), new RegExp(`^HTTP/1.1 ${status} `));
      assert.deepEqual(told.lines.filter((line) => /^(open|refused)/.test(line)), []);
    });
  });
}

Deno.test("http front: a WebSocket by an absolute URI, whole, and its refusal", async () => {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    verifyClient: ({ req }: { req: { url?: string } }) => req.url !== "/no",
  });
  server.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const ask = (path: string) =>
    `GET ws://127.0.0.1:${port}${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n` +
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  try {
    await withTunnel({ transports: ["ws"] }, async ({ gateway, told }) => {
      using client = await Raw.connect(gateway.httpPort!);
      await client.send(ask("/"));
      const head = await client.until("\r\n\r\n");
      assert.match(head, /^HTTP\/1.1 101 /);
      // RFC 6455 §1.3: the answer to that key.
      assert.match(head, /sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i);
      const frame = Uint8Array.of(0x82, 0x83, 0, 0, 0, 0, 0x61, 0x62, 0x63);
      await client.send(frame);
      assert.deepEqual(await client.bytes(5), Uint8Array.of(0x82, 3, 0x61, 0x62, 0x63));
      client.close();
      using refused = await Raw.connect(gateway.httpPort!);
      await refused.send(ask("/no"));
      assert.match(await refused.until("\r\n\r\n"), /^HTTP\/1.1 401 /);
      await until("the end", () => gateway.gateway.connections === 0);
      assert.equal(told.lines.filter((line) => line.startsWith("closed")).length, 2);
    });
  } finally {
    server.close();
  }
});

/** A front of its own, with times that a test can wait for. */
async function withFront(
  times: { handshakeTimeoutMs: number; keepAliveMs: number },
  run: (tunnel: TestTunnel, port: number) => Promise<void>,
): Promise<void> {
  await withTunnel({ transports: ["ws"] }, async (tunnel) => {
    const sweeper = new Sweeper(20);
    const front = new HttpFront({
      ...{ ...times, sweeper, gateway: tunnel.gateway.gateway },
      gate: { asks: false, anybody: () => ({ user: "", group: "default" }) } as never,
      onBug: (where, error) => tunnel.told.gateway.bug(where, error),
    });
    const server = new TcpServer({
      ...{ hostname: "127.0.0.1", port: 0, proxyProtocol: false, sweeper },
      ...{ maxHandshakes: 0, handshakeTimeoutMs: 0 },
      onAccept: (accepted) => void front.take(accepted),
      onRefused: () => {},
      onBug: () => {},
    });
    try {
      await run(tunnel, server.port);
      await until("every client is let go", () => server.connections === 0);
    } finally {
      await server.closeAll();
      sweeper.stop();
    }
  });
}

Deno.test("http front: a head that trickles is answered 408, an idle client is let go", async () => {
  await withFront({ handshakeTimeoutMs: 200, keepAliveMs: 400 }, async (_, port) => {
    using slow = await Raw.connect(port);
    using idle = await Raw.connect(port);
    await slow.send("GET http://a");
    assert.match(await slow.rest(), /^HTTP\/1.1 408 /);
    assert.equal(await idle.rest(), "");
  });
});

Deno.test("http front: 1,000 idle clients disturb nobody, and nothing of them is left", async () => {
  await withFront({ handshakeTimeoutMs: 5_000, keepAliveMs: 60_000 }, async (_, port) => {
    const idle = await Promise.all(Array.from({ length: 1_000 }, () => Raw.connect(port)));
    await withRawTarget(async (target) => {
      using client = await Raw.connect(port);
      await client.send(`CONNECT 127.0.0.1:${target.port} HTTP/1.1\r\nHost: a\r\n\r\nhi`);
      assert.equal(await (await target.accept()).until("hi"), "hi");
    });
    for (const raw of idle) raw.close();
  });
});

Deno.test("http front: 503 while the agents have all they can carry, and room again behind it", async () => {
  const gateway = { maxStreamsPerAgent: 1 };
  await withTunnel({ transports: ["ws"], gateway }, async ({ gateway }) => {
    await withRawTarget(async ({ port, accept }) => {
      const ask = `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: a\r\n\r\n`;
      using first = await Raw.connect(gateway.httpPort!);
      await first.send(ask);
      assert.match(await first.until("\r\n\r\n"), /^HTTP\/1.1 200 /);
      (await accept()).close();
      using second = await Raw.connect(gateway.httpPort!);
      await second.send(ask);
      assert.match(await second.until("\r\n\r\n"), /^HTTP\/1.1 503 [^]*\r\nretry-after: 1\r\n/i);
      first.close();
      await until("there is room", () => gateway.gateway.connections === 0);
      using third = await Raw.connect(gateway.httpPort!);
      await third.send(ask);
      assert.match(await third.until("\r\n\r\n"), /^HTTP\/1.1 200 /);
      (await accept()).close();
    });
  });
});

Deno.test("fronts: one client more than the limit is let go, and its place is free again", async () => {
  const gateway = { maxConnections: 3 };
  await withTunnel({ transports: ["ws"], gateway }, async ({ gateway, told }) => {
    for (const port of [gateway.socksPort!, gateway.httpPort!, gateway.mixedPort!]) {
      const clients = await Promise.all([1, 2, 3].map(() => Raw.connect(port)));
      await until("they are there", () => gateway.clients === 3);
      assert.equal(await endOf(port), "reset");
      for (const client of clients) client.close();
      await until("they are gone", () => gateway.clients === 0);
      assert.equal(told.lines.pop(), "client refused: full");
    }
  });
});
