// As many sessions at once as the defaults allow, and what a drain does to them.
import assert from "node:assert/strict";
import { startEcho } from "../../src/cli/echo_server.ts";
import { connectWebSocket } from "../../src/client/connect.ts";
import { H3Client } from "../../src/client/h3_client.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { startProxyProcess } from "../support/process.ts";
import { RawClient } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const CONNECTIONS = 20;
/** `--max-conns` by default. */
const SESSIONS = 2_000;
const DRAIN_MS = 8_000;

const ACTIVE = "h3ws_proxy_active_sessions";

Deno.test("soak: 2,000 sessions at once echo; SIGTERM drains them all, spread, and exits 0", async () => {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  await using proxy = await startProxyProcess({
    backendPort: echo.port,
    flags: ["--drain", `${DRAIN_MS}ms`],
  });
  const { port, caCerts } = proxy;
  const at = { hostname: "127.0.0.1", port, caCerts };
  const url = `wss://127.0.0.1:${port}/ws`;
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => H3Client.connect(at)),
  );
  const sockets: Socket[] = [];
  await Promise.all(clients.map(async (connection, i) => {
    for (let opened = i === 0 ? 1 : 0; opened < SESSIONS / CONNECTIONS; opened++) {
      sockets.push(await connectWebSocket(url, { connection, timeoutMs: 60_000 }));
    }
  }));
  // The last of them is one whose bytes the test writes itself.
  const raw = await RawClient.connect({ port, caCerts });
  const held = await raw.connectWs();
  assert.equal((await held.response()).status, 200);
  await until("all sessions", async () => await proxy.metric(ACTIVE) === SESSIONS);
  const above = await (await raw.connectWs()).answer();
  assert.deepEqual([above.status, above.get("retry-after")], [503, "5"]);

  const echoes = async (round: number) => {
    await Promise.all(sockets.map(async (socket, i) => {
      const text = `round ${round}, socket ${i}`;
      await socket.send(text);
      assert.equal(await socket.receive(), text);
    }));
  };
  for (let round = 0; round < 5; round++) await echoes(round);

  const stoppedMs = performance.now();
  proxy.kill("SIGTERM");
  const endsMs: number[] = [];
  const ends = sockets.map(async (socket) => {
    assert.equal(await socket.receive(), null);
    endsMs.push(performance.now() - stoppedMs);
    return (await socket.closed).code;
  });
  await until("GOAWAY", () => raw.seen.includes("goaway"));
  const readyz = await fetch(`${proxy.admin}/readyz`);
  assert.deepEqual([readyz.status, await readyz.text()], [503, "draining\n"]);
  const late = await (await raw.connectWs()).answer();
  assert.deepEqual([late.status, late.get("retry-after")], [503, "5"]);
  await assert.rejects(H3Client.connect(at), { kind: "refused" });

  const codes = await within("all Closes", Promise.all(ends), 60_000);
  assert.deepEqual(new Set(codes), new Set([1001]));
  const first = Math.min(...endsMs);
  const quarterMs = (Math.max(...endsMs) - first) / 4;
  assert.ok(quarterMs > DRAIN_MS / 10, "the Closes are spread over the drain's time");
  for (let quarter = 0; quarter < 4; quarter++) {
    const count = endsMs.filter((ms) => Math.floor((ms - first) / quarterMs) === quarter).length;
    assert.ok(count > SESSIONS / 20, `${count} Closes in quarter ${quarter}`);
  }
  const status = await within("the end of the process", proxy.status, 60_000);
  assert.deepEqual([status.code, status.signal], [0, null]);
  await Promise.all(clients.map((client) => client.closed));
  await raw.quic.closed;
  await echo.close();
});
