// Sockets one after the other on one shared connection: what they cost the server's patience (resets
// are limited there, CVE-2023-44487) and this process's memory.
import assert from "node:assert/strict";
import { startEcho } from "../../src/cli/echo_server.ts";
import { connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { proxyOptions } from "../../src/config/proxy_options.ts";
import { startProxy } from "../../src/proxy/proxy.ts";
import { NodeHttp2Server } from "../interop/node_http2_server.ts";
import { testCertificates } from "../support/proxy.ts";

const SOCKETS = 4_000;
const AT_ONCE = 8;

async function churn(
  url: string,
  httpVersion: "2" | "3",
  opened: () => { count: number; faults?: string[] },
): Promise<void> {
  const { caPem } = await testCertificates();
  using connections = new Connections();
  let left = SOCKETS;
  const some = async () => {
    while (left-- > 0) {
      const socket = await connectWebSocket(url, { httpVersion, connections, caCerts: [caPem] });
      await socket.send("hello");
      assert.equal(await socket.receive(), "hello");
      assert.equal((await socket.close()).code, 1000);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
  assert.equal(connections.size, 1);
  const { count, faults } = opened();
  assert.equal(count, 1, `all on one connection; ${faults}`);
}

Deno.test("soak: 4,000 sockets on one connection of HTTP/2 to node:http2", async () => {
  await using server = await NodeHttp2Server.listen();
  await churn(
    `wss://localhost:${server.port}/echo`,
    "2",
    () => ({ count: server.sessions.length, faults: server.faults }),
  );
  assert.equal(server.requests.length, SOCKETS);
});

for (const httpVersion of ["2", "3"] as const) {
  Deno.test(`soak: 4,000 sockets on one connection of HTTP/${httpVersion} to the proxy`, async () => {
    const { certPem, keyPem } = await testCertificates();
    const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
    const proxy = await startProxy(proxyOptions({
      ...{ certPem, keyPem, listen: "127.0.0.1:0" },
      backend: `ws://127.0.0.1:${echo.port}`,
    }));
    try {
      await churn(
        `wss://localhost:${proxy.port}/ws`,
        httpVersion,
        () => ({ count: proxy.connections }),
      );
    } finally {
      await proxy.stop();
      await echo.close();
    }
  });
}
