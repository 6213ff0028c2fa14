// auto where the way of HTTP/3 is cut under an open connection: nobody says so, and TCP still works.
import assert from "node:assert/strict";
import { connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import type { WebSocketHandler } from "../../src/server/exchange.ts";
import { withServer } from "../server/support.ts";
import { startUdpRelay, type UdpRelay } from "../support/udp_relay.ts";
import { until } from "../support/until.ts";

interface Talk {
  relay: UdpRelay;
  /** How often the handler was called for `/slow`. */
  readonly slow: { calls: number };
  open(path?: string): Promise<Socket>;
}

/** The server says that HTTP/3 is at the relay, and a socket goes by it. */
async function withRelay(body: (talk: Talk) => Promise<void>): Promise<void> {
  let relay: UdpRelay | null = null;
  const slow = { calls: 0 };
  const handler: WebSocketHandler = async (request) => {
    if (request.path === "/slow") {
      slow.calls++;
      await new Promise((resolve) => setTimeout(resolve, 2_500));
    }
    const socket = await request.accept({ headers: { "alt-svc": `h3=":${relay!.port}"` } });
    for await (const message of socket) await socket.send(message);
  };
  await withServer({ idleTimeoutMs: 60_000 }, handler, async ({ port, caPem, server }) => {
    relay = startUdpRelay(port);
    using connections = new Connections({ idleTimeoutMs: 1, idleQuicTimeoutMs: 1 });
    const open = (path = "/") =>
      connectWebSocket(`wss://localhost:${port}${path}`, { connections, caCerts: [caPem] });
    await (await open()).close();
    await until("the end of the first connection", () => connections.size === 0);
    const socket = await open();
    assert.equal(socket.http, "3");
    await body({ relay, slow, open });
    connections.close();
    await server.stop();
    await relay[Symbol.asyncDispose]();
  });
}

Deno.test("client: auto: an open HTTP/3 connection whose way is cut gives way to TCP, without an error", async () => {
  await withRelay(async ({ relay, open }) => {
    relay.cut();
    const startedMs = performance.now();
    const second = await open();
    assert.equal(second.http, "2");
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs < 6_000, `${tookMs} ms`);
    await second.send("by TCP");
    assert.equal(await second.receive(), "by TCP");
    // It is known now.
    const thirdMs = performance.now();
    assert.equal((await open()).http, "2");
    assert.ok(performance.now() - thirdMs < 900);
  });
});

Deno.test("client: auto: a handler that takes its time is waited for over HTTP/3, and asked once", async () => {
  await withRelay(async ({ slow, open }) => {
    const socket = await open("/slow");
    assert.equal(socket.http, "3");
    await socket.send("at last");
    assert.equal(await socket.receive(), "at last");
    assert.equal(slow.calls, 1);
  });
});
