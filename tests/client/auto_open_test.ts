// Which connection auto takes, where there are several that it might.
import assert from "node:assert/strict";
import { type ConnectOptions, connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import type { WebSocketHandler } from "../../src/server/exchange.ts";
import { withServer } from "../server/support.ts";
import { until } from "../support/until.ts";

const echo: WebSocketHandler = async (request) => {
  const socket = await request.accept();
  for await (const message of socket) await socket.send(message);
};

Deno.test("client: auto: an open HTTP/3 connection, else an open HTTP/2 one, else HTTP/3 by Alt-Svc", async () => {
  await withServer({}, echo, async ({ port, caPem }) => {
    using connections = new Connections({ idleTimeoutMs: 1, idleQuicTimeoutMs: 1 });
    const options = { connections, caCerts: [caPem] };
    const open = (httpVersion: ConnectOptions["httpVersion"] = "auto") =>
      connectWebSocket(`wss://localhost:${port}/`, { ...options, httpVersion });
    const [over2, over3] = [await open("2"), await open("3")];
    const both = await open();
    assert.deepEqual([both.http, connections.size], ["3", 2]);
    const nobody = connectWebSocket("wss://127.0.0.1:9/", options);
    await assert.rejects(nobody, { name: "NetError", kind: "refused" });
    const still = await open();
    assert.equal(still.http, "3", "a failure elsewhere changes nothing");
    await Promise.all([over3, both, still].map((socket) => socket.close()));
    await until("the end of the HTTP/3 connection", () => connections.size === 1);
    const left = await open();
    assert.deepEqual([left.http, connections.size], ["2", 1]);
    await Promise.all([over2, left].map((socket) => socket.close()));
    await until("the end of the HTTP/2 connection", () => connections.size === 0);
    const anew = await open();
    assert.equal(anew.http, "3");
    await anew.close();
  });
});
