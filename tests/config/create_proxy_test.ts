// `createProxy`: its life, its numbers and its hooks, beside others in the same process.
import assert from "node:assert/strict";
import { connectWebSocket } from "../../src/client/connect.ts";
import { type CreateProxyOptions } from "../../src/config/create_options.ts";
import { createProxy, type ManagedProxy } from "../../src/config/create_proxy.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { type Fields, silentLog } from "../../src/observe/log.ts";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import { CMUX_DEFAULTS } from "../../src/proxy/cmux.ts";
import type { SessionEnd, SessionStart } from "../../src/proxy/observer.ts";
import { DoorPeers } from "../support/door_peers.ts";
import { NamedBackend } from "../support/named_backend.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const { caPem, certPem, keyPem } = await testCertificates();
const PAIR = { certPem, keyPem };
const HERE = { ...PAIR, listen: "127.0.0.1:0", plainListen: "127.0.0.1:0" };

function connect(proxy: ManagedProxy, httpVersion: "1.1" | "2" | "3" = "3"): Promise<Socket> {
  const url = `wss://localhost:${proxy.port}/ws`;
  return connectWebSocket(url, { caCerts: [caPem], httpVersion });
}

async function sayOver(socket: Socket, text: string) {
  await socket.send(text);
  return await within("an echo", socket.receive());
}

function peersOf({ port, plainPort }: ManagedProxy): DoorPeers {
  return new DoorPeers({ port: port!, plainPort, caPem });
}

/** A proxy before a backend that is called "main"; both are gone behind `body`. */
async function withCreated(
  options: CreateProxyOptions,
  body: (proxy: ManagedProxy, main: NamedBackend) => Promise<void>,
): Promise<void> {
  await using main = await NamedBackend.listen("main");
  const proxy = createProxy({ ...HERE, backend: main.url, ...options });
  try {
    await body(proxy, main);
  } finally {
    await proxy.stop();
  }
}

const NONE = {
  ...{ totalRequests: 0, activeConnections: 0, websocketConnections: 0 },
  ...{ http2Connections: 0, http3Connections: 0, bytesTransferred: 0 },
};

Deno.test("createProxy: does not listen before its start, nor behind its stop, and starts again", async () => {
  await withCreated({}, async (proxy) => {
    const state = () => [proxy.isRunning(), proxy.running === null, proxy.address, proxy.plainPort];
    assert.deepEqual(state(), [false, true, null, null]);
    assert.equal(proxy.port, null);
    assert.deepEqual(proxy.getStats(), NONE);
    await proxy.stop();
    for (let i = 1; i <= 3; i++) {
      await proxy.start();
      const { plainPort } = proxy;
      assert.deepEqual(state(), [true, false, "127.0.0.1", plainPort]);
      assert.equal(await sayOver(await connect(proxy), "hi"), "main hi");
      await proxy.stop();
      assert.deepEqual(state(), [false, true, null, null]);
      // Its numbers go on.
      await until("the connections' ends", () => proxy.getStats().activeConnections === 0);
      const { bytesTransferred, ...rest } = proxy.getStats();
      assert.deepEqual({ ...rest, bytesTransferred: 0 }, { ...NONE, totalRequests: i });
      // A frame of 6 + 2 bytes, and back one of 2 + 7.
      assert.ok(bytesTransferred >= i * 17, `${bytesTransferred} bytes`);
      Deno.listen({ hostname: "127.0.0.1", port: plainPort! }).close();
    }
  });
});

Deno.test("createProxy: starts again at the same port, by UDP too", async () => {
  const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = probe.addr;
  probe.close();
  await withCreated({ listen: `127.0.0.1:${port}` }, async (proxy) => {
    for (let i = 0; i < 3; i++) {
      await proxy.start();
      assert.equal(proxy.port, port);
      assert.equal(await sayOver(await connect(proxy), "hi"), "main hi");
      await proxy.stop();
    }
  });
});

Deno.test("createProxy: a second start is an error, and the first one lives", async () => {
  await withCreated({}, async (proxy) => {
    const starting = proxy.start();
    await assert.rejects(proxy.start(), { message: "The proxy is already running" });
    await starting;
    await assert.rejects(proxy.start(), { message: "The proxy is already running" });
    assert.equal(await sayOver(await connect(proxy), "hi"), "main hi");
  });
});

Deno.test("createProxy: a stop while it starts ends it", async () => {
  await withCreated({}, async (proxy) => {
    const starting = proxy.start();
    const stopping = proxy.stop();
    await assert.rejects(starting, { message: "The proxy was stopped before it had started" });
    await stopping;
    assert.equal(proxy.isRunning(), false);
    await proxy.start();
    assert.equal(proxy.isRunning(), true);
  });
});

Deno.test("createProxy: a port that is taken rejects the start, which can be tried again", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const plainListen = `127.0.0.1:${taken.addr.port}`;
  await withCreated({ plainListen }, async (proxy) => {
    await assert.rejects(proxy.start(), { name: "ListenError", kind: "in_use" });
    assert.equal(proxy.isRunning(), false);
    taken.close();
    await proxy.start();
    assert.equal(proxy.plainPort, taken.addr.port);
  });
});

Deno.test("createProxy: drain closes sockets with 1001, and a stop meanwhile ends it at once", async () => {
  await withCreated({}, async (proxy) => {
    await proxy.start();
    const socket = await connect(proxy);
    await proxy.drain(100);
    const { code, by } = await within("its end", socket.closed);
    assert.deepEqual([code, by, proxy.isRunning()], [1001, "peer", false]);
    await proxy.start();
    await connect(proxy);
    const draining = proxy.drain(3_600_000);
    assert.equal(proxy.isRunning(), true);
    await assert.rejects(proxy.start(), { message: "The proxy is already running" });
    await proxy.stop();
    await within("the drain", draining);
    assert.equal(proxy.isRunning(), false);
  });
});

Deno.test("createProxy: drain(Infinity) waits for the sockets, and a stop ends it", async () => {
  await withCreated({}, async (proxy) => {
    await proxy.start();
    const socket = await connect(proxy, "1.1");
    let isOver = false;
    const draining = proxy.drain(Infinity).then(() => isOver = true);
    // A timer that takes no more than 32 bits would fire now.
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(isOver, false);
    await proxy.stop();
    await within("the drain", draining);
    assert.equal((await within("its end", socket.closed)).by, "peer");
  });
});

Deno.test("createProxy: to dispose of it is to drain it", async () => {
  await withCreated({}, async (proxy) => {
    await proxy.start();
    const sockets = await Promise.all(Array.from({ length: 8 }, () => connect(proxy)));
    const disposed = proxy[Symbol.asyncDispose]();
    // They get their Close in the course of it.
    const first = await within("a Close", Promise.race(sockets.map(({ closed }) => closed)));
    assert.equal(first.code, CloseCode.GOING_AWAY);
    await proxy.stop();
    await disposed;
  });
});

Deno.test("createProxy: its signal stops it, and it starts no more", async () => {
  const controller = new AbortController();
  await withCreated({ signal: controller.signal }, async (proxy) => {
    await proxy.start();
    const socket = await connect(proxy);
    controller.abort(new Error("enough"));
    await within("the socket's end", socket.closed);
    await until("its stop", () => !proxy.isRunning());
    await assert.rejects(proxy.start(), { message: "enough" });
    assert.equal(proxy.isRunning(), false);
  });
});

Deno.test("createProxy: two live side by side, each counts its own, one stops and the other lives", async () => {
  await using left = await NamedBackend.listen("left");
  await using right = await NamedBackend.listen("right");
  await using one = createProxy({ ...HERE, backend: left.url });
  await using two = createProxy({ ...HERE, backend: right.url });
  await Promise.all([one.start(), two.start()]);
  const socket = await connect(one, "3");
  assert.equal(await sayOver(socket, "hi"), "left hi");
  const others = [await connect(two, "2"), await connect(two, "1.1")];
  for (const other of others) assert.equal(await sayOver(other, "hi"), "right hi");
  const open = { ...NONE, http3Connections: 1, activeConnections: 1, websocketConnections: 1 };
  // A frame of 6 + 2 bytes, and back one of 2 + 7.
  assert.deepEqual(one.getStats(), { ...open, totalRequests: 1, bytesTransferred: 17 });
  assert.deepEqual(two.getStats(), {
    ...{ totalRequests: 2, activeConnections: 2, websocketConnections: 2, http2Connections: 1 },
    ...{ http3Connections: 0, bytesTransferred: 2 * 18 },
  });
  assert.match(await one.metrics(), /^h3ws_proxy_accepted_total 1$/m);
  assert.match(await two.metrics(), /^h3ws_proxy_accepted_total 2$/m);
  await one.stop();
  await within("its end", socket.closed);
  for (const other of others) assert.equal(await sayOver(other, "still"), "right still");
  assert.equal(one.getStats().websocketConnections, 0);
  assert.equal(two.getStats().websocketConnections, 2);
  await two.stop();
});

Deno.test("createProxy: onOpen and onClose are told once each, of the same session", async () => {
  const opened: SessionStart[] = [];
  const closed: [SessionStart, SessionEnd][] = [];
  const hooks: CreateProxyOptions = {
    onOpen: (session) => void opened.push(session),
    onClose: (session, end) => void closed.push([session, end]),
  };
  await withCreated(hooks, async (proxy) => {
    await proxy.start();
    for (const version of ["1.1", "2", "3"] as const) {
      const socket = await connect(proxy, version);
      assert.equal(opened.at(-1)?.http, version);
      await socket.close(4001, version);
      await until("its end", () => closed.length === opened.length);
      const [session, { code, reason, by }] = closed.at(-1)!;
      assert.equal(session, opened.at(-1));
      assert.deepEqual([code, reason, by], [4001, version, "client"]);
    }
    await connect(proxy);
    await proxy.stop();
    assert.deepEqual([opened.length, closed.length], [4, 4]);
  });
});

Deno.test("createProxy: hooks and observers that throw or reject are logged, and harm nobody", async () => {
  const lines: Fields[] = [];
  const log = { ...silentLog, error: (_: string, fields: Fields = {}) => void lines.push(fields) };
  const fail = (what: string) => () => {
    throw new Error(what);
  };
  const options: CreateProxyOptions = {
    log,
    onOpen: fail("opening"),
    onClose: () => Promise.reject(new Error("closing")),
    observer: { connectionOpened: fail("observing") },
  };
  await withCreated(options, async (proxy) => {
    await proxy.start();
    const socket = await connect(proxy);
    assert.equal(await sayOver(socket, "hi"), "main hi");
    await socket.close();
    await until("three lines", () => lines.length === 3);
    assert.deepEqual(lines.map(({ where, message }) => `${where}: ${message}`), [
      "observer.connectionOpened: observing",
      "onOpen: opening",
      "onClose: closing",
    ]);
    assert.equal(proxy.getStats().totalRequests, 1);
  });
});

Deno.test("createProxy: an observer is told as much as it wants to know", async () => {
  const ends: string[] = [];
  class Watcher {
    readonly name = "w";
    requestEnded({ status, path }: { status: number; path: string }): void {
      ends.push(`${this.name} ${status} ${path}`);
    }
  }
  await withCreated({ observer: new Watcher(), plain: true }, async (proxy) => {
    await proxy.start();
    await using peers = peersOf(proxy);
    assert.equal((await peers.ask("h2", { path: "/ws" })).status, 200);
    await until("its record", () => ends.length === 1);
    assert.deepEqual(ends, ["w 200 /ws"]);
    assert.equal(proxy.getStats().totalRequests, 1);
  });
});

Deno.test("createProxy: in clear text alone, and ports of workspaces are found", async () => {
  await using backend = await NamedBackend.listen("found");
  const seen: (string | null)[] = [];
  await using proxy = createProxy({
    plainListen: "127.0.0.1:0",
    headerRoutingEnabled: true,
    resolvePort: (workspace, port) =>
      workspace === "workspace-7" && port === 3000 ? backend.port : null,
    authorize: ({ headers }) => {
      seen.push(headers.get("x-cmux-workspace-internal"));
      return true;
    },
  });
  await proxy.start();
  assert.equal(proxy.port, proxy.plainPort);
  await using peers = peersOf(proxy);
  const fields = [
    ["x-cmux-workspace-internal", "workspace-7"],
    ["x-cmux-port-internal", "3000"],
  ] as const;
  for (const door of ["h1", "h2c"] as const) {
    const found = await peers.ask(door, { fields, authority: "127.0.0.1" });
    assert.equal(JSON.parse(found.body).backend, "found");
    // What chose the port is seen here, and not behind.
    assert.equal(seen.pop(), "workspace-7");
    const missing = await peers.ask(door, { authority: "127.0.0.1" });
    assert.equal(missing.body, "missing required header: X-Cmux-Port-Internal\n");
  }
  assert.ok(backend.requests.every(({ fields }) => !fields.some(([name]) => /cmux/.test(name))));
});

Deno.test("createProxy: enableWebsockets and enableHttp2 switch off what they name", async () => {
  const off = { enableWebsockets: false, enableHttp2: false, plain: true };
  await withCreated(off, async (proxy, main) => {
    await proxy.start();
    await using peers = peersOf(proxy);
    for (const door of ["h1", "h1s", "h3"] as const) {
      assert.equal((await peers.ask(door, { path: "/ws" })).status, 200);
      assert.equal((await peers.open(door, { path: "/ws" })).status, 501);
    }
    assert.equal((await peers.ask("h2c", { path: "/ws" })).status, 505);
    assert.equal(main.requests.length, 3);
  });
});

Deno.test("createProxy: maxConnections holds over its doors", async () => {
  await withCreated({ maxConnections: 1 }, async (proxy) => {
    await proxy.start();
    const socket = await connect(proxy);
    await assert.rejects(connect(proxy, "1.1"));
    assert.equal(await sayOver(socket, "hi"), "main hi");
  });
});

Deno.test("createProxy: what runs takes other routes, and is a proxy as any other", async () => {
  await withCreated({ cmux: { ...CMUX_DEFAULTS, required: false } }, async (proxy) => {
    await proxy.start();
    assert.equal(proxy.running!.port, proxy.port);
    const socket = await connect(proxy);
    assert.equal(proxy.running!.sessions, 1);
    proxy.running!.replaceRoutes([]);
    assert.equal((await within("its end", socket.closed)).code, 1012);
  });
});

Deno.test("createProxy: a stop aborts what authorize waits for, over every version", async () => {
  const signals: AbortSignal[] = [];
  const never: CreateProxyOptions["authorize"] = ({ signal }) => {
    signals.push(signal);
    return new Promise(() => {});
  };
  await withCreated({ authorize: never, plain: true }, async (proxy, main) => {
    await proxy.start();
    const refused = (["1.1", "2", "3"] as const).map((version) =>
      assert.rejects(connect(proxy, version))
    );
    await until("three questions", () => signals.length === 3);
    await proxy.stop();
    await within("their ends", Promise.all(refused));
    await until("three aborts", () => signals.every(({ aborted }) => aborted));
    assert.equal(main.connections, 0);
    assert.equal(proxy.getStats().websocketConnections, 0);
  });
});
