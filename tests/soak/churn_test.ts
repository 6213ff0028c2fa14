// Sessions and connections one after the other leave nothing behind.
import assert from "node:assert/strict";
import { type EchoServer, startEcho } from "../../src/cli/echo_server.ts";
import { connectWebSocket } from "../../src/client/connect.ts";
import { H3Client } from "../../src/client/h3_client.ts";
import { type ProxyProcess, startProxyProcess } from "../support/process.ts";
import { until } from "../support/until.ts";

const SESSIONS = 20_000;
const CONNECTIONS = 3_000;

interface Churn {
  proxy: ProxyProcess;
  connect(): Promise<H3Client>;
  /** Opens a session, has one message echoed and closes it. */
  session(client: H3Client, text: string): Promise<void>;
}

async function withProxyProcess(body: (churn: Churn) => Promise<void>): Promise<void> {
  const echo: EchoServer = await startEcho({ hostname: "127.0.0.1", port: 0 });
  try {
    await using proxy = await startProxyProcess({ backendPort: echo.port, inspect: true });
    const { port, caCerts } = proxy;
    const churn: Churn = {
      proxy,
      connect: () => H3Client.connect({ hostname: "127.0.0.1", port, caCerts }),
      async session(connection, text) {
        const socket = await connectWebSocket(`wss://127.0.0.1:${port}/ws`, { connection });
        await socket.send(text);
        assert.equal(await socket.receive(), text);
        assert.equal((await socket.close(1000)).code, 1000);
      },
    };
    await warmUp(churn);
    await body(churn);
    await until("no session", async () => await proxy.metric("h3ws_proxy_active_sessions") === 0);
    await until("no backend socket", () => proxy.socketsTo(echo.port) === 0);
    await until("no connection", async () => {
      return await proxy.metric('h3ws_proxy_active_connections{http="3"}') === 0;
    });
    proxy.kill("SIGTERM");
    assert.equal((await proxy.status).code, 0);
  } finally {
    await echo.close();
  }
}

/**
 * Many sessions at once bring the process to its working size, or V8 would still be growing its
 * young generation when it is measured.
 */
async function warmUp({ connect, session }: Churn): Promise<void> {
  for (let round = 0; round < 6; round++) {
    await Promise.all(Array.from({ length: 32 }, async () => {
      const client = await connect();
      for (let i = 0; i < 4; i++) {
        await Promise.all(Array.from({ length: 8 }, () => session(client, "x".repeat(4096))));
      }
      client.close();
      await client.closed;
    }));
  }
}

interface Measured {
  /** The most that was resident at any time. */
  peak: number;
  /** Resident, and in use of V8's heap, once all garbage was collected. */
  resident: number;
  live: number;
}

async function measure(proxy: ProxyProcess, count: number, once: () => Promise<void>) {
  let peak = 0;
  for (let i = 0; i < count; i++) {
    await once();
    if (i % 20 === 0) peak = Math.max(peak, proxy.rssBytes());
  }
  const live = await proxy.collectGarbage();
  const measured: Measured = { peak, resident: proxy.rssBytes(), live };
  return measured;
}

/** Does it `count` times; what the process holds at the end must be what it held at the half. */
async function steadily(
  proxy: ProxyProcess,
  count: number,
  once: () => Promise<void>,
): Promise<void> {
  const half = await measure(proxy, count / 2, once);
  const end = await measure(proxy, count / 2, once);
  const both = `at the half ${JSON.stringify(half)}, at the end ${JSON.stringify(end)}`;
  assert.ok(end.peak < half.peak * 1.1, `RSS grows: ${both}`);
  assert.ok(end.resident < half.resident * 1.05, `RSS grows: ${both}`);
  // What V8 keeps of its own (code, feedback) differs by some 100 KB from one measurement to the next.
  const left = end.live - half.live - 128 * 1024;
  assert.ok(left < 64 * count / 2, `objects are left of each: ${both}`);
}

Deno.test("soak: 20,000 sessions one after the other on one connection", async () => {
  await withProxyProcess(async ({ proxy, connect, session }) => {
    const before = await proxy.metric("h3ws_proxy_accepted_total");
    const client = await connect();
    await steadily(proxy, SESSIONS, () => session(client, "hello"));
    assert.equal(await proxy.metric("h3ws_proxy_accepted_total"), before + SESSIONS);
    client.close();
    await client.closed;
  });
});

Deno.test("soak: 3,000 connections one after the other", async () => {
  await withProxyProcess(async ({ proxy, connect, session }) => {
    const before = await proxy.metric('h3ws_proxy_connections_total{http="3"}');
    await steadily(proxy, CONNECTIONS, async () => {
      const client = await connect();
      await session(client, "hello");
      client.close();
      await client.closed;
    });
    const connections = await proxy.metric('h3ws_proxy_connections_total{http="3"}');
    assert.equal(connections, before + CONNECTIONS);
  });
});
