// Servers that are going away before they are asked for anything: a client must not dial them again
// and again.
import assert from "node:assert/strict";
import { type ConnectOptions, connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { FrameType } from "../../src/protocol/http2/frame.ts";
import { SettingId } from "../../src/protocol/http2/settings.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import type { WebSocketHandler } from "../../src/server/exchange.ts";
import { withServer } from "../server/support.ts";
import { until } from "../support/until.ts";
import { h2Frame, h2Settings } from "../support/h2_frames.ts";
import { testCertificates } from "../support/proxy.ts";
import { connectSettings, goaway, RawH3Server } from "../support/raw_h3_server.ts";

const SETTINGS = h2Settings([[SettingId.ENABLE_CONNECT_PROTOCOL, 1]]);
const GOAWAY = h2Frame([FrameType.GOAWAY], 0, new Uint8Array(8));

/** A server of HTTP/2 that sends the same on every connection, and ends it if it is to. */
async function withH2(
  { secure, says, ends = false }: { secure: boolean; says: Uint8Array; ends?: boolean },
  body: (url: string, options: ConnectOptions, dialled: () => number) => Promise<void>,
): Promise<void> {
  const { caPem, certPem: cert, keyPem: key } = await testCertificates();
  const at = { hostname: "127.0.0.1", port: 0 };
  const listener = secure
    ? Deno.listenTls({ ...at, cert, key, alpnProtocols: ["h2"] })
    : Deno.listen(at);
  let dialled = 0;
  const serve = async (conn: Deno.Conn) => {
    try {
      await conn.write(says);
      if (!ends) { while (await conn.read(new Uint8Array(4096)) !== null); }
    } catch {
      // The client is gone.
    }
    conn.close();
  };
  const serving: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const conn of listener) {
      dialled++;
      serving.push(serve(conn));
    }
  })();
  using connections = new Connections();
  const { port } = listener.addr as Deno.NetAddr;
  const url = `${secure ? "wss" : "ws"}://localhost:${port}/`;
  await body(url, { connections, caCerts: [caPem] }, () => dialled);
  connections.close();
  listener.close();
  await accepting;
  await Promise.all(serving);
}

for (const [httpVersion, secure] of [["2", false], ["2", true], ["auto", true]] as const) {
  const name = `client: ${httpVersion} over ${secure ? "TLS" : "TCP"}`;
  Deno.test(`${name}: RFC 9113 §6.8: a server that sends GOAWAY before it is asked is dialled twice at most`, async () => {
    await withH2({ secure, says: concat([SETTINGS, GOAWAY]) }, async (url, options, dialled) => {
      await assert.rejects(connectWebSocket(url, { ...options, httpVersion }), {
        name: "NetError",
        message: /^Cannot open .*: the server is going away \(GOAWAY\)$/,
      });
      assert.equal(dialled(), 2);
    });
  });

  Deno.test(`${name}: a server that ends each connection behind its SETTINGS is dialled twice at most`, async () => {
    await withH2({ secure, says: SETTINGS, ends: true }, async (url, options, dialled) => {
      await assert.rejects(connectWebSocket(url, { ...options, httpVersion }), {
        name: "NetError",
        message: /^Cannot open /,
      });
      assert.ok(dialled() <= 2, `${dialled()} connections`);
    });
  });
}

/** Says on every connection that it is going away; how many there were is told. */
async function leaveAll(server: RawH3Server, count: { dialled: number }): Promise<void> {
  for (;;) {
    const peer = await server.accept();
    count.dialled++;
    await peer.control(connectSettings(1), goaway(0)).catch(() => {});
  }
}

Deno.test("client: 3: RFC 9114 §5.2: a server that sends GOAWAY before it is asked is dialled twice at most", async () => {
  const { caPem } = await testCertificates();
  await using server = await RawH3Server.listen();
  using connections = new Connections();
  const count = { dialled: 0 };
  const leaving = leaveAll(server, count).catch(() => {});
  const url = `wss://localhost:${server.port}/`;
  const options: ConnectOptions = { httpVersion: "3", connections, caCerts: [caPem] };
  await assert.rejects(connectWebSocket(url, options), {
    name: "NetError",
    message: /^Cannot open .*: the server is going away \(GOAWAY\)/,
  });
  assert.equal(count.dialled, 2);
  connections.close();
  await server[Symbol.asyncDispose]();
  await leaving;
});

Deno.test("client: auto: where HTTP/3 is going away before it is asked, TCP serves, and HTTP/3 is left alone", async () => {
  const { caPem } = await testCertificates();
  await using elsewhere = await RawH3Server.listen();
  const count = { dialled: 0 };
  const leaving = leaveAll(elsewhere, count).catch(() => {});
  const handler: WebSocketHandler = async (request) => {
    await request.accept({ headers: { "alt-svc": `h3=":${elsewhere.port}"` } });
  };
  await withServer({}, handler, async ({ port }) => {
    using connections = new Connections({ idleTimeoutMs: 1 });
    const open = () =>
      connectWebSocket(`wss://localhost:${port}/`, { connections, caCerts: [caPem] });
    for (let i = 0; i < 3; i++) {
      const socket = await open();
      assert.equal(socket.http, "2");
      await socket.close();
      await until("the end of the connection", () => connections.size === 0);
    }
    assert.ok(count.dialled >= 1 && count.dialled <= 2, `${count.dialled} connections`);
    connections.close();
  });
  await elsewhere[Symbol.asyncDispose]();
  await leaving;
});
