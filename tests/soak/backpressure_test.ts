// A side that does not read stops the other one, and the proxy holds no more than its windows.
import assert from "node:assert/strict";
import { type Flood, floodBackend, floodClient, stalled } from "../support/flood.ts";
import { fromClient } from "../support/frames.ts";
import { type BackendConn, RawBackend } from "../support/backend.ts";
import { type ProxyProcess, startProxyProcess } from "../support/process.ts";
import { RawClient, type RawStream } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const MIB = 2 ** 20;
const PUSHED = 256 * MIB;
const MAY_GROW = 32 * MIB;

interface Opened {
  proxy: ProxyProcess;
  quic: RawClient;
  client: RawStream;
  backend: BackendConn;
}

async function open(quic: RawClient, backend: RawBackend) {
  const opening = quic.connectWs();
  const conn = await backend.upgrade();
  const client = await opening;
  assert.equal((await client.response()).status, 200);
  return { client, backend: conn };
}

/** A session through a process of its own, which must be as good as new after `body`. */
async function withSession(body: (opened: Opened) => Promise<void>): Promise<void> {
  const backend = await RawBackend.listen();
  await using proxy = await startProxyProcess({
    backendPort: backend.port,
    flags: ["--write-timeout", "3s"],
  });
  const quic = await RawClient.connect({ port: proxy.port, caCerts: proxy.caCerts });
  try {
    // The code's own memory is not what is measured: one session has warmed it up.
    await passes(quic, backend, 16 * MIB);
    await body({ proxy, quic, ...await open(quic, backend) });
    await passes(quic, backend, MIB);
    await until("no session", async () => await proxy.metric("h3ws_proxy_active_sessions") === 0);
    await until("no backend socket", () => proxy.socketsTo(backend.port) === 0);
  } finally {
    quic.close();
    await quic.quic.closed;
    await backend.close();
  }
}

/** A session whose backend reads so many bytes. */
async function passes(quic: RawClient, server: RawBackend, bytes: number): Promise<void> {
  const { client, backend } = await open(quic, server);
  const flood = floodBackend((frame) => client.send(frame), bytes);
  for (let read = 0; read < bytes;) {
    await backend.inbox.has(1);
    read += (await backend.inbox.take(backend.inbox.pending.length)).length;
  }
  await flood.ended;
  await client.fin();
  await backend.inbox.rest();
  backend.fin();
  await client.inbox.rest();
}

/** Watches the process until it has ended the session. */
async function endsSlow(proxy: ProxyProcess, flood: Flood, reason: string): Promise<void> {
  const before = proxy.rssBytes();
  let most = before;
  const timer = setInterval(() => most = Math.max(most, proxy.rssBytes()), 20);
  try {
    await stalled(flood);
    const line = await proxy.logged("ws.close", ({ by }) => by !== "client");
    assert.deepEqual([line.by, line.reason], ["proxy:slow", reason]);
    assert.ok(flood.taken < PUSHED / 8, `${flood.taken} bytes were taken`);
  } finally {
    clearInterval(timer);
  }
  assert.ok(most - before < MAY_GROW, `RSS grew from ${before} to ${most} bytes`);
}

Deno.test("soak: a client that pushes 256 MiB to a backend that never reads is stopped", async () => {
  await withSession(async ({ proxy, client }) => {
    const flood = floodBackend((frame) => client.send(frame), PUSHED);
    await endsSlow(proxy, flood, "backend reads too slowly");
    client.abort();
    await within("the end of the flood", flood.ended);
  });
});

Deno.test("soak: a backend that pushes 256 MiB to a client that never reads is stopped", async () => {
  await withSession(async ({ proxy, backend }) => {
    const flood = floodClient(backend, PUSHED);
    await endsSlow(proxy, flood, "client reads too slowly");
    await within("the end of the flood", flood.ended);
  });
});

Deno.test("soak: the memory of a fast session is that of its windows, whatever passes", async () => {
  await withSession(async ({ proxy, client, backend }) => {
    const before = proxy.rssBytes();
    const frame = fromClient.text("x".repeat(60_000));
    const sink = (async () => {
      while (await backend.inbox.has(1)) await backend.inbox.take(backend.inbox.pending.length);
    })();
    for (let sent = 0; sent < PUSHED; sent += frame.length) await client.send(frame);
    const after = proxy.rssBytes();
    await client.fin();
    await sink;
    backend.fin();
    await client.inbox.rest();
    assert.ok(after - before < MAY_GROW, `RSS grew from ${before} to ${after} bytes`);
  });
});
