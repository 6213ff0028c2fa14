// The library's front door. tests/scripts/readme_test.ts runs the README's program through it.
import assert from "node:assert/strict";
import { runDeno } from "../scripts/project.ts";
import { makeCertificates } from "../src/cli/certificates.ts";
import { startEcho } from "../src/cli/echo_server.ts";
import * as h3ws from "../src/mod.ts";
import { until } from "./support/until.ts";

const MOD = new URL("../src/mod.ts", import.meta.url).href;

Deno.test("library: all that it gives is documented, and nothing refers to what it does not give", async () => {
  await runDeno(["doc", "--lint", "--quiet", MOD]);
});

Deno.test("library: the examples in its documentation fit its types", async () => {
  await runDeno(["check", "--doc-only", MOD]);
});

Deno.test("library: what it gives at run time", () => {
  assert.deepEqual(Object.keys(h3ws).sort(), [
    "CMUX_DEFAULTS",
    "Connections",
    "H2Client",
    "H3Client",
    "ListenError",
    "NetError",
    "PeerError",
    "ReconnectingSocket",
    "SizeHistogram",
    "Socket",
    "Sweeper",
    "Traffic",
    "UpgradeRefused",
    "UsageError",
    "WebSocket3",
    "connectWebSocket",
    "createApplicationLog",
    "createLineLog",
    "createMetricsObserver",
    "proxyOptions",
    "reconnecting",
    "silentLog",
    "startProxy",
  ]);
});

Deno.test("library: what is not given is as in h3ws proxy, what is given is taken", () => {
  const pair = { certPem: "", keyPem: "" };
  const plain = h3ws.proxyOptions({ ...pair, backend: "ws://127.0.0.1:8080" });
  assert.equal(plain.listen.port, 443);
  assert.deepEqual(plain.path, { exact: "/ws" });
  assert.equal(plain.maxFrameBytes, 1024 * 1024);
  assert.equal(plain.maxSessions, 2000);
  assert.equal(plain.readTimeoutMs, 120_000);
  assert.deepEqual(plain.backend.dial, { hostname: "127.0.0.1", port: 8080 });
  const other = h3ws.proxyOptions({
    ...pair,
    listen: "[::1]:8443",
    backend: "wss://chat.example/ws",
    backendCaCerts: ["PEM"],
    backendInsecure: true,
    path: "^/rooms/",
    maxFrameBytes: 7,
    maxHeaderBytes: 9,
  });
  assert.deepEqual(other.listen, { hostname: "::1", port: 8443 });
  assert.ok("regexp" in other.path && other.path.regexp.test("/rooms/1"));
  assert.equal(other.maxFrameBytes, 7);
  assert.equal(other.backend.maxHeaderBytes, 9);
  assert.equal(other.backend.path, "/ws");
  assert.deepEqual(other.backend.dial.tls, {
    serverName: "chat.example",
    caCerts: ["PEM"],
    alpnProtocols: ["http/1.1"],
    insecure: true,
  });
  assert.throws(
    () => h3ws.proxyOptions({ ...pair, backend: "ftp://a.example" }),
    { name: "UsageError", message: /^--backend: "ftp:\/\/a\.example" is not a backend; / },
  );
});

Deno.test("library: a refusal has status, fields and body; one connection carries several sockets", async () => {
  const { caPem, certPem, keyPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  const proxy = await h3ws.startProxy(h3ws.proxyOptions({
    listen: "127.0.0.1:0",
    certPem,
    keyPem,
    backend: `ws://127.0.0.1:${echo.port}`,
  }));
  const { port } = proxy;
  const connection = await h3ws.H3Client.connect({ hostname: "localhost", port, caCerts: [caPem] });
  try {
    const url = `wss://localhost:${port}`;
    const refusal = h3ws.connectWebSocket(`${url}/nope`, { connection });
    await assert.rejects(refusal, (error) => {
      assert.ok(error instanceof h3ws.UpgradeRefused);
      assert.equal(error.status, 404);
      assert.ok(error.fields.some(([name]) => name === "content-type"));
      assert.equal(new TextDecoder().decode(error.body), "path not allowed\n");
      return true;
    });
    const sockets = await Promise.all(
      [1, 2, 3].map(() => h3ws.connectWebSocket(`${url}/ws`, { connection })),
    );
    assert.deepEqual([proxy.sessions, proxy.connections], [3, 1]);
    for (const [i, socket] of sockets.entries()) {
      await socket.send(new Uint8Array([i]));
      for await (const data of socket) {
        assert.deepEqual(data, new Uint8Array([i]));
        break;
      }
      assert.deepEqual(await socket.close(4000 + i, "done"), {
        code: 4000 + i,
        reason: "done",
        wasClean: true,
        by: "us",
      });
    }
    await until("the end of the sessions", () => proxy.sessions === 0);
  } finally {
    connection.close();
    await connection.closed;
    await proxy.stop();
    await echo.close();
  }
});
