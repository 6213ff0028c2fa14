// quiche as the server. No option of @currentspace/http3 makes it announce extended CONNECT
// (SETTINGS_ENABLE_CONNECT_PROTOCOL), so it can serve no WebSocket: what is left to see is that none
// is asked for.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { type ConnectOptions, connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { NetError } from "../../src/net/error.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { NodeHttp2Server } from "./node_http2_server.ts";
import { peerTests } from "./peers.ts";

interface Package {
  createSecureServer(options: { cert: string; key: string; disableRetry: boolean }): Server;
}

interface Server {
  listen(port: number, hostname: string): void;
  address(): { port: number };
  once(event: "listening", listener: () => void): void;
  on(event: "session", listener: (session: Session) => void): void;
  on(event: "stream", listener: () => void): void;
  close(): Promise<void>;
}

interface Session {
  once(event: "close", listener: () => void): void;
}

async function listen(folder: string) {
  const { createSecureServer }: Package = createRequire(`${folder}/package.json`)(folder);
  const { certPem, keyPem } = await testCertificates();
  const server = createSecureServer({ cert: certPem, key: keyPem, disableRetry: true });
  let [sessions, ended, requests] = [0, 0, 0];
  server.on("session", (session) => {
    sessions++;
    session.once("close", () => ended++);
  });
  server.on("stream", () => requests++);
  const listening = new Promise<void>((resolve) => server.once("listening", resolve));
  server.listen(0, "127.0.0.1");
  await within("quiche to listen", listening);
  return {
    port: server.address().port,
    seen: () => ({ sessions, requests }),
    async [Symbol.asyncDispose]() {
      // It keeps a timer for each session that it has at its end.
      await until("the end of quiche's sessions", () => ended === sessions);
      await server.close();
    },
  };
}

const test = peerTests("H3WS_QUICHE");

test("connectWebSocket at quiche: RFC 9220 §3: no extended CONNECT that SETTINGS do not allow", async (folder) => {
  const { caPem } = await testCertificates();
  await using server = await listen(folder);
  using connections = new Connections();
  const options: ConnectOptions = { httpVersion: "3", connections, caCerts: [caPem] };
  await assert.rejects(
    connectWebSocket(`wss://localhost:${server.port}/`, options),
    (error) => {
      assert.ok(error instanceof NetError);
      assert.match(error.message, /announces no extended CONNECT over HTTP\/3 \(SETTINGS_ENABLE_/);
      return true;
    },
  );
  assert.deepEqual(server.seen(), { sessions: 1, requests: 0 });
});

test('connectWebSocket at quiche: "auto" goes by HTTP/2 where HTTP/3 takes no WebSockets', async (folder) => {
  const { caPem } = await testCertificates();
  await using quiche = await listen(folder);
  const fields = { "alt-svc": `h3="127.0.0.1:${quiche.port}"` };
  await using server = await NodeHttp2Server.listen({ fields });
  using connections = new Connections({ idleTimeoutMs: 1 });
  for (const sessions of [0, 1]) {
    const url = `wss://localhost:${server.port}/echo`;
    const socket = await connectWebSocket(url, { connections, caCerts: [caPem] });
    assert.equal(socket.http, "2");
    await socket.send("by HTTP/2");
    assert.equal(await within("an echo", socket.receive()), "by HTTP/2");
    await socket.close();
    await until("the end of its connection", () => connections.size === 0);
    assert.deepEqual(quiche.seen(), { sessions, requests: 0 });
  }
});
