// Sockets one after the other on one shared connection: what they cost the server's patience (resets
// are limited there, CVE-2023-44487) and this process's memory.
import assert from "node:assert/strict";
import { startEcho } from "../../src/cli/echo_server.ts";
import { type ConnectOptions, connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { proxyOptions } from "../../src/config/proxy_options.ts";
import { type Dial, dial } from "../../src/net/dial.ts";
import { FrameParser } from "../../src/protocol/http2/frame_parser.ts";
import { startProxy } from "../../src/proxy/proxy.ts";
import { NodeHttp2Server } from "../interop/node_http2_server.ts";
import { testCertificates } from "../support/proxy.ts";

const SOCKETS = 4_000;
const AT_ONCE = 8;

async function churn(url: string, options: ConnectOptions): Promise<void> {
  const { caPem } = await testCertificates();
  using connections = new Connections();
  let left = SOCKETS;
  const some = async () => {
    while (left-- > 0) {
      const socket = await connectWebSocket(url, { ...options, connections, caCerts: [caPem] });
      await socket.send("hello");
      assert.equal(await socket.receive(), "hello");
      assert.equal((await socket.close()).code, 1000);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
  assert.equal(connections.size, 1);
}

/** Connects as always, and counts the frames of HTTP/2 that go out. */
function counting(): { dial: Dial; sent: Record<string, number> } {
  const sent: Record<string, number> = {};
  return {
    sent,
    async dial(target, signal) {
      const stream = await dial(target, signal);
      const parser = new FrameParser({
        ...{ role: "server", maxFrameBytes: 16_384, maxBlockBytes: 65_536, maxContinuations: 8 },
      });
      const write = stream.write.bind(stream);
      stream.write = (bytes, headroom) => {
        parser.push(bytes.slice());
        for (let frame = parser.next(); frame !== null; frame = parser.next()) {
          sent[frame.type] = (sent[frame.type] ?? 0) + 1;
        }
        return write(bytes, headroom);
      };
      return stream;
    },
  };
}

/**
 * node:http2 resets a stream as it ends it. What crosses that reset on its way, as the end of our
 * side does where the machine is busy, it counts as a glitch, and bears 1,000 of them and 33 more a
 * second; then it sends GOAWAY (ENHANCE_YOUR_CALM), lets what is open end, and we connect once more, also for requests that crossed it.
 */
const SOCKETS_PER_CONNECTION = 1_000;

Deno.test("soak: 4,000 sockets over HTTP/2 to node:http2: none is reset, none is lost, few connections", async () => {
  await using server = await NodeHttp2Server.listen();
  const { dial, sent } = counting();
  await churn(`wss://localhost:${server.port}/echo`, { httpVersion: "2", dial });
  assert.equal(server.requests.length, SOCKETS);
  assert.ok(sent.fields >= SOCKETS);
  assert.equal(sent.rstStream ?? 0, 0);
  const { length } = server.sessions;
  assert.ok(length <= SOCKETS / SOCKETS_PER_CONNECTION, `${length} connections; ${server.faults}`);
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
      await churn(`wss://localhost:${proxy.port}/ws`, { httpVersion });
      assert.equal(proxy.connections, 1, "all on one connection");
    } finally {
      await proxy.stop();
      await echo.close();
    }
  });
}
