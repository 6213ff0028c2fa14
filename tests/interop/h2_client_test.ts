// The HTTP/2 client against node:http2 and npm's ws (RFC 8441).
import assert from "node:assert/strict";
import { H2Client } from "../../src/client/h2_client.ts";
import { NoExtendedConnect, NoRoom, Unprocessed } from "../../src/client/http_client.ts";
import { Socket } from "../../src/endpoint/socket.ts";
import { NetError } from "../../src/net/error.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { NodeHttp2Server, type NodeHttp2ServerOptions } from "./node_http2_server.ts";

interface Talk {
  server: NodeHttp2Server;
  client: H2Client;
  head(path: string): Parameters<H2Client["connect"]>[0];
  open(path?: string): Promise<Socket>;
}

async function withClient(
  options: NodeHttp2ServerOptions,
  body: (talk: Talk) => Promise<void>,
): Promise<void> {
  await using server = await NodeHttp2Server.listen(options);
  const { caPem } = await testCertificates();
  const { port } = server;
  const secure = !options.plain;
  const at = { hostname: "localhost", port, secure, caCerts: [caPem] };
  const client = await H2Client.connect(at);
  const head = (path: string) => ({
    method: "CONNECT",
    protocol: "websocket",
    scheme: secure ? "https" : "http",
    authority: `localhost:${port}`,
    path,
    fields: [["sec-websocket-version", "13"]] as [string, string][],
  });
  const open = async (path = "/echo") => {
    const answer = await within("an answer", client.connect(head(path)));
    assert.ok(answer.tunnel);
    return socketOn(answer.tunnel);
  };
  try {
    await body({ server, client, head, open });
  } finally {
    client.close();
    await within("the end of the connection", client.closed);
  }
}

function socketOn(stream: ConstructorParameters<typeof Socket>[0]["stream"]): Socket {
  const limits = { maxFrameBytes: 2 ** 26, maxMessageBytes: 2 ** 26 };
  const said = { http: "2", protocol: "", extensions: "", fields: [] } as const;
  return new Socket({ role: "client", stream, ...said, ...limits });
}

function test(
  name: string,
  options: NodeHttp2ServerOptions,
  body: (talk: Talk) => Promise<void>,
): void {
  Deno.test(`h2 client at node:http2: ${name}`, () => withClient(options, body));
}

for (const plain of [false, true]) {
  test(
    `RFC 8441: WebSockets ${plain ? "by prior knowledge" : "over TLS"}`,
    { plain },
    async (t) => {
      assert.equal(await t.client.extendedConnect(), true);
      const [one, two] = await Promise.all([t.open(), t.open()]);
      await one.send("hello");
      await two.send(new Uint8Array([1, 2, 3]));
      assert.equal(await one.receive(), "hello");
      assert.deepEqual(await two.receive(), new Uint8Array([1, 2, 3]));
      const big = crypto.getRandomValues(new Uint8Array(65_536));
      const large = new Uint8Array(4_000_000).map((_, i) => big[i % big.length]);
      const [, echo] = await Promise.all([one.send(large), one.receive()]);
      assert.deepEqual(echo, large);
      const end = await one.close(4001, "bye");
      assert.deepEqual([end.code, end.reason, end.wasClean], [4001, "bye", true]);
      await two.send("still open");
      assert.equal(await two.receive(), "still open");
      await two.close();
      assert.equal(t.server.sessions.length, 1);
      const { headers } = t.server.requests[0];
      assert.equal(headers[":protocol"], "websocket");
      assert.equal(headers["sec-websocket-key"], undefined);
    },
  );
}

test("RFC 8441 §3: no extended CONNECT before SETTINGS allow it", {
  enableConnectProtocol: false,
}, async ({ client, head, server }) => {
  assert.equal(await client.extendedConnect(), false);
  await assert.rejects(client.connect(head("/echo")), (error) => {
    assert.ok(error instanceof NoExtendedConnect);
    assert.match(error.message, /announces no extended CONNECT over HTTP.2 \(SETTINGS_ENABLE_/);
    return true;
  });
  const answer = await client.fetch({ ...head("/body"), method: "GET", protocol: null });
  assert.equal(new TextDecoder().decode(answer.body), "you asked for /body\n");
  assert.deepEqual(server.requests.map(({ headers }) => headers[":method"]), ["GET"]);
});

test("a refusal has its status and its body", {}, async ({ client, head }) => {
  const answer = await client.connect(head("/403"));
  assert.equal(answer.tunnel, null);
  assert.equal(answer.head.status, 403);
  assert.equal(new TextDecoder().decode(answer.body), "you asked for /403\n");
});

test("RFC 9113 §5.1.2: a stream above the server's limit waits, or is told", {
  maxConcurrentStreams: 1,
}, async ({ client, head, open }) => {
  const first = await open();
  await assert.rejects(client.connect(head("/echo"), { wait: false }), NoRoom);
  const second = open();
  await first.send("first");
  assert.equal(await first.receive(), "first");
  await first.close();
  const socket = await second;
  await socket.send("second");
  assert.equal(await socket.receive(), "second");
  await socket.close();
});

test("RFC 9113 §6.8: behind GOAWAY nothing is asked, and what is open goes on", {}, async (t) => {
  const socket = await t.open();
  t.server.goaway();
  await until("GOAWAY", () => t.client.goingAway);
  await assert.rejects(t.client.connect(t.head("/echo")), Unprocessed);
  await socket.send("still open");
  assert.equal(await socket.receive(), "still open");
  await socket.close();
  assert.equal((await within("the end behind the last stream", t.client.closed)).code, 0);
});

const RESETS = [
  { code: 7, name: "REFUSED_STREAM", wantsHttp11: false },
  { code: 13, name: "HTTP_1_1_REQUIRED", wantsHttp11: true },
  { code: 2, name: "INTERNAL_ERROR", wantsHttp11: null },
];

for (const { code, name, wantsHttp11 } of RESETS) {
  test(
    `RFC 9113 §8.7: a request that is reset with ${name}`,
    {},
    async ({ client, head, open }) => {
      await assert.rejects(client.connect(head(`/reset/${code}`)), (error) => {
        assert.ok(error instanceof NetError);
        assert.equal(error.message, `the server reset the stream: ${name}`);
        const unprocessed = error instanceof Unprocessed ? error.wantsHttp11 : null;
        assert.equal(unprocessed, wantsHttp11);
        return true;
      });
      await (await open()).close();
    },
  );
}

test("a request that is given up leaves the connection to the others", {}, async (t) => {
  const socket = await t.open();
  const cancel = new AbortController();
  const asking = t.client.connect(t.head("/wait"), { signal: cancel.signal });
  await until("the request", () => t.server.requests.length === 2);
  const { stream } = t.server.requests[1];
  cancel.abort();
  await assert.rejects(asking, { name: "NetError", kind: "aborted" });
  await until("RST_STREAM at the server", () => stream.closed);
  assert.equal(stream.rstCode, 8);
  await socket.send("still open");
  assert.equal(await socket.receive(), "still open");
  await socket.close();
});

test("a connection that is lost ends every request and every socket", {}, async (t) => {
  const socket = await t.open();
  const asking = t.client.connect(t.head("/wait"));
  await until("the request", () => t.server.requests.length === 2);
  t.server.sessions[0].destroy();
  await assert.rejects(asking, NetError);
  assert.equal(await socket.receive(), null);
  assert.equal((await socket.closed).code, 1006);
  await within("the end of the connection", t.client.closed);
  await assert.rejects(t.client.connect(t.head("/echo")), NetError);
});
