// The library's front door. tests/scripts/readme_test.ts runs the README's program through it.
import assert from "node:assert/strict";
import { runDeno } from "../scripts/project.ts";
import { makeCertificates } from "../src/cli/certificates.ts";
import { startEcho } from "../src/cli/echo_server.ts";
import * as h3ws from "../src/mod.ts";
import { NamedBackend } from "./support/named_backend.ts";
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
    "createAgent",
    "createApplicationLog",
    "createGateway",
    "createLineLog",
    "createMetricsObserver",
    "createProxy",
    "dial",
    "fromFetch",
    "proxyOptions",
    "reconnecting",
    "serve",
    "silentLog",
    "startProxy",
  ]);
});

Deno.test("library: what is not given is as in h3ws proxy, what is given is taken", () => {
  const pair = { certPem: "", keyPem: "" };
  const plain = h3ws.proxyOptions({ ...pair, backend: "ws://127.0.0.1:8080" });
  assert.equal(plain.listen?.port, 443);
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

/** Clear text, where a request names its workspace; answers status and body. */
async function askPort(plainPort: number, workspace: string): Promise<[number, string]> {
  const answer = await fetch(`http://127.0.0.1:${plainPort}/x`, {
    headers: {
      "x-cmux-workspace-internal": workspace,
      "x-cmux-port-internal": "3000",
      connection: "close",
    },
  });
  return [answer.status, await answer.text()];
}

Deno.test("library: resolvePort finds the ports of workspaces, once for as long as its answer is kept", async () => {
  await using backend = await NamedBackend.listen("found");
  const { certPem, keyPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
  const asks: string[] = [];
  const lines: h3ws.Fields[] = [];
  const log = {
    ...h3ws.silentLog,
    warning: (_: string, fields: h3ws.Fields = {}) => lines.push(fields),
  };
  const cmux = {
    ...h3ws.CMUX_DEFAULTS,
    resolvePort: (workspace: string, port: number, { kind }: h3ws.PortResolution) => {
      asks.push(`${kind} ${workspace} ${port}`);
      if (workspace === "workspace-2") return Promise.reject(new Error("docker is down"));
      return Promise.resolve(workspace === "workspace-1" ? `127.0.0.1:${backend.port}` : null);
    },
    resolveTtlMs: 60_000,
    ports: [],
  };
  const proxy = await h3ws.startProxy(h3ws.proxyOptions({
    ...{ certPem, keyPem, cmux, listen: "127.0.0.1:0", plainListen: "127.0.0.1:0" },
    backend: "ws://127.0.0.1:1",
    observer: h3ws.createMetricsObserver(log),
  }));
  try {
    const plainPort = proxy.plainPort!;
    for (let i = 0; i < 2; i++) {
      const [status, body] = await askPort(plainPort, "workspace-1");
      assert.deepEqual([status, JSON.parse(body).backend], [200, "found"]);
    }
    assert.deepEqual(asks, ["workspace workspace-1 3000"]);
    assert.deepEqual(await askPort(plainPort, "workspace-2"), [502, "port lookup failed\n"]);
    assert.match(String(lines[0].message), /^Cannot find port workspace-2\.3000: docker is down$/);
    // Of no resolver, a port is what it seems, and so must be allowed.
    assert.deepEqual(await askPort(plainPort, "workspace-3"), [403, "port not allowed: 3000\n"]);
    assert.equal(lines.length, 1);
  } finally {
    await proxy.stop();
  }
});

Deno.test("library: the statistics, from the observer", async () => {
  const { caPem, certPem, keyPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  const observer = h3ws.createMetricsObserver();
  const proxy = await h3ws.startProxy(h3ws.proxyOptions({
    ...{ listen: "127.0.0.1:0", certPem, keyPem, observer },
    backend: `ws://127.0.0.1:${echo.port}`,
  }));
  const none = {
    ...{ totalRequests: 0, activeConnections: 0, websocketConnections: 0 },
    ...{ http2Connections: 0, http3Connections: 0, bytesTransferred: 0 },
  };
  try {
    assert.deepEqual(observer.stats(), none);
    const socket = await h3ws.connectWebSocket(`wss://localhost:${proxy.port}/ws`, {
      caCerts: [caPem],
      httpVersion: "3",
    });
    await socket.send("hello");
    assert.equal(await socket.receive(), "hello");
    // A frame of 6 + 5 bytes, and back one of 2 + 5.
    const open = { totalRequests: 1, activeConnections: 1, websocketConnections: 1 };
    assert.deepEqual(observer.stats(), {
      ...none,
      ...open,
      ...{ http3Connections: 1, bytesTransferred: 18 },
    });
    await socket.close(1000);
    await until("its end", () => observer.stats().websocketConnections === 0);
    assert.match(await observer.metrics(), /^h3ws_proxy_accepted_total 1$/m);
  } finally {
    await proxy.stop();
    await echo.close();
  }
});
