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

/**
 * Does it `count` times. At the end RSS must be that of the half, within 10 %. Since free memory
 * within it could hide a leak for long, what V8's heap holds alive may not grow at all.
 */
async function steadily(
  proxy: ProxyProcess,
  count: number,
  once: (text: string) => Promise<void>,
): Promise<void> {
  const measure = async (part: string) => {
    for (let i = 0; i < count / 2; i++) await once(`${part} ${i}`);
    return { rss: proxy.rssBytes(), live: await proxy.liveHeapBytes() };
  };
  const half = await measure("first half");
  const end = await measure("second half");
  console.log(half, end);
  assert.ok(end.rss < half.rss * 1.1, `RSS was ${half.rss} at the half and ${end.rss} at the end`);
  const grown = (end.live - half.live) / (count / 2);
  assert.ok(grown < 64, `${grown} bytes of V8's heap are left of each`);
}

Deno.test("soak: 20,000 sessions one after the other on one connection", async () => {
  await withProxyProcess(async ({ proxy, connect, session }) => {
    const before = await proxy.metric("h3ws_proxy_accepted_total");
    const client = await connect();
    await steadily(proxy, SESSIONS, (text) => session(client, text));
    assert.equal(await proxy.metric("h3ws_proxy_accepted_total"), before + SESSIONS);
    client.close();
    await client.closed;
  });
});

Deno.test("soak: 3,000 connections one after the other", async () => {
  await withProxyProcess(async ({ proxy, connect, session }) => {
    const before = await proxy.metric('h3ws_proxy_connections_total{http="3"}');
    await steadily(proxy, CONNECTIONS, async (text) => {
      const client = await connect();
      await session(client, text);
      client.close();
      await client.closed;
    });
    const connections = await proxy.metric('h3ws_proxy_connections_total{http="3"}');
    assert.equal(connections, before + CONNECTIONS);
  });
});
