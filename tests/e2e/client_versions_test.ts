// The library's client by every version of HTTP, and as it chooses by itself, against the proxy.
import assert from "node:assert/strict";
import { startEcho } from "../../src/cli/echo_server.ts";
import { connectWebSocket } from "../../src/client/connect.ts";
import { Connections, type ConnectionsOptions } from "../../src/client/connections.ts";
import { proxyOptions, type ProxySetup } from "../../src/config/proxy_options.ts";
import { startProxy } from "../../src/proxy/proxy.ts";
import type { Proxy } from "../../src/proxy/options.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";

type Version = "auto" | "1.1" | "2" | "3";

interface Talk {
  proxy: Proxy;
  connections: Connections;
  /** An open socket whose echo works. */
  open(httpVersion?: Version, secure?: boolean): Promise<Socket>;
  /** Closes it, and waits until no connection is left. */
  rest(socket: Socket): Promise<void>;
}

interface TalkOptions extends ConnectionsOptions {
  setup?: Partial<ProxySetup>;
  connect?: Partial<Parameters<typeof connectWebSocket>[1]>;
}

async function withTalk(options: TalkOptions, body: (talk: Talk) => Promise<void>): Promise<void> {
  const { caPem, certPem, keyPem } = await testCertificates();
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  const proxy = await startProxy(proxyOptions({
    ...{ certPem, keyPem, listen: "127.0.0.1:0", plainListen: "127.0.0.1:0" },
    backend: `ws://127.0.0.1:${echo.port}`,
    ...options.setup,
  }));
  using connections = new Connections(options);
  const open = async (httpVersion: Version = "auto", secure = true) => {
    const url = secure
      ? `wss://localhost:${proxy.port}/ws`
      : `ws://127.0.0.1:${proxy.plainPort}/ws`;
    const caCerts = [caPem];
    const socket = await connectWebSocket(url, {
      ...{ httpVersion, connections, caCerts },
      ...options.connect,
    });
    await socket.send(`by ${httpVersion}`);
    assert.equal(await socket.receive(), `by ${httpVersion}`);
    return socket;
  };
  const rest = async (socket: Socket) => {
    assert.equal((await socket.close(1000)).code, 1000);
    await until("the end of idle connections", () => connections.size === 0);
  };
  try {
    await body({ proxy, connections, open, rest });
  } finally {
    connections.close();
    await proxy.stop();
    await echo.close();
  }
}

const SOON = { idleTimeoutMs: 1, idleQuicTimeoutMs: 1 };

function test(name: string, options: TalkOptions, body: (talk: Talk) => Promise<void>): void {
  Deno.test(`client: ${name}`, () => withTalk(options, body));
}

test("each version of HTTP, with TLS and without", {}, async ({ open }) => {
  for (const httpVersion of ["1.1", "2", "3"] as const) {
    const socket = await open(httpVersion);
    assert.equal(socket.http, httpVersion);
    assert.equal((await socket.close(4000, "bye")).code, 4000);
  }
  for (const httpVersion of ["1.1", "2"] as const) {
    const socket = await open(httpVersion, false);
    assert.equal(socket.http, httpVersion);
    assert.equal((await socket.close(4000, "bye")).code, 4000);
  }
  assert.equal((await open("auto", false)).http, "2", "the connection is open");
});

for (const http of ["2", "3"] as const) {
  test(`HTTP/${http}: sockets to one origin share a connection`, {}, async (talk) => {
    const { open, proxy, connections } = talk;
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open(http)));
    assert.deepEqual([proxy.sessions, proxy.connections, connections.size], [20, 1, 1]);
    assert.equal((await open()).http, http, "auto takes what is open");
    assert.deepEqual([proxy.sessions, proxy.connections], [21, 1]);
    for (const socket of sockets) await socket.close();
  });
}

test("RFC 7838: auto: HTTP/3 once the origin's connection is over", SOON, async (t) => {
  const first = await t.open();
  assert.equal(first.http, "2");
  await t.rest(first);
  const second = await t.open();
  assert.equal(second.http, "3");
  await t.rest(second);
  assert.equal((await t.open()).http, "3");
});

test("auto: many at once dial once", {}, async ({ open, proxy }) => {
  const sockets = await Promise.all(Array.from({ length: 10 }, () => open()));
  assert.deepEqual([...new Set(sockets.map(({ http }) => http))], ["2"]);
  assert.equal(proxy.connections, 1);
});

test("auto: a server of HTTP/3 alone is found", { setup: { tcp: false } }, async (talk) => {
  assert.equal((await talk.open()).http, "3");
});

test("auto: HTTP/2 that takes no WebSockets gives way to HTTP/1.1", {
  setup: { tunnels: { h1: true, h2: false, h3: false } },
  ...SOON,
}, async ({ open, rest, proxy }) => {
  const sockets = await Promise.all([open(), open(), open()]);
  assert.deepEqual(sockets.map(({ http }) => http), ["1.1", "1.1", "1.1"]);
  await until("the end of HTTP/2", () => proxy.connections === 3);
  for (const socket of sockets) await rest(socket);
  // Alt-Svc was seen: HTTP/3, which takes none either, is tried once, and gives way.
  for (let i = 0; i < 2; i++) assert.equal((await open()).http, "1.1");
});

test("auto: insecure leaves HTTP/3 out", {
  ...SOON,
  connect: { insecure: true, caCerts: undefined },
}, async (talk) => {
  for (let i = 0; i < 2; i++) {
    const socket = await talk.open();
    assert.equal(socket.http, "2");
    await talk.rest(socket);
  }
});

test("a connection without a socket ends after its time, and takes none along before", {
  idleTimeoutMs: 50,
}, async ({ open, connections, proxy }) => {
  const one = await open("2");
  const two = await open("2");
  await one.close();
  await two.send("still here");
  assert.equal(await two.receive(), "still here");
  assert.equal(connections.size, 1);
  await two.close();
  await until("the end of the connection", () => connections.size === 0);
  await until("the same at the proxy", () => proxy.connections === 0);
});

test("Connections.close ends what is open, and nothing is known behind it", SOON, async (t) => {
  const socket = await t.open("3");
  t.connections.close();
  assert.equal(await socket.receive(), null);
  assert.equal((await socket.closed).code, 1006);
  assert.equal((await t.open()).http, "2");
});

test("RFC 9000 §4.6: HTTP/3: what one connection has no room for gets another", {
  setup: { maxStreams: 2 },
}, async ({ open, connections, proxy }) => {
  const sockets = await Promise.all(Array.from({ length: 5 }, () => open("3")));
  assert.deepEqual([connections.size, proxy.connections], [3, 3]);
  await sockets[0].close();
  await until("the end of a session", () => proxy.sessions === 4);
  await open("3");
  assert.equal(connections.size, 3, "where there is room, it is taken");
});

test(
  "auto: what is trusted by its hash is HTTP/3's",
  { connect: { caCerts: [] } },
  async (talk) => {
    const { certPem } = await testCertificates();
    const [leaf] = certPem.split("-----END CERTIFICATE-----");
    const base64 = leaf.replace(/-----BEGIN CERTIFICATE-----|\s/g, "");
    const der = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", der));
    const { proxy, connections } = talk;
    const socket = await connectWebSocket(`wss://localhost:${proxy.port}/ws`, {
      certificateHashes: [hash],
      connections,
    });
    assert.equal(socket.http, "3");
    await socket.close();
  },
);
