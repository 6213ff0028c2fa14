// Issue 4, Build 5: the PROXY protocol on the way to backends, before requests, tunnels and TLS.
import assert from "node:assert/strict";
import * as net from "node:net";
import * as tls from "node:tls";
import { encodeProxyHeader } from "../../src/protocol/proxy_protocol/encode.ts";
import { ProxyHeaderParser } from "../../src/protocol/proxy_protocol/parser.ts";
import type { ProxyHeader } from "../../src/protocol/proxy_protocol/header.ts";
import { DOOR_IDS, DoorPeers, isOpen, say } from "../support/door_peers.ts";
import { answerAt } from "../support/doors.ts";
import { latin1 } from "../support/inbox.ts";
import { NamedBackend } from "../support/named_backend.ts";
import { withNamedDoors } from "../support/named_doors.ts";
import { routesFrom } from "../support/named_routes.ts";
import { startProxyProcess } from "../support/process.ts";
import { testCertificates, type TestProxyOptions } from "../support/proxy.ts";
import { until } from "../support/until.ts";

/** Takes a PROXY header off each connection, and passes the rest on to a port. */
class Front implements AsyncDisposable {
  readonly headers: ProxyHeader[] = [];
  /** What came instead of a header. */
  readonly faults: string[] = [];
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(port: number) {
    this.#server = net.createServer((socket) => this.#take(socket, port));
  }

  static async listen(port: number): Promise<Front> {
    const front = new Front(port);
    await new Promise<void>((resolve) => front.#server.listen(0, "127.0.0.1", resolve));
    return front;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  #take(socket: net.Socket, port: number): void {
    const parser = new ProxyHeaderParser();
    this.#hold(socket);
    const onData = (chunk: Uint8Array) => {
      try {
        parser.push(chunk);
        const header = parser.next();
        if (header === null) return;
        socket.off("data", onData).pause();
        this.headers.push(header);
        const inner = net.connect({ host: "127.0.0.1", port });
        this.#hold(inner);
        inner.write(parser.rest());
        socket.pipe(inner).pipe(socket);
      } catch (error) {
        this.faults.push(String(error));
        socket.destroy();
      }
    };
    socket.on("data", onData);
  }

  #hold(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
  }

  /** What the last header says: "192.0.2.1 5000 > 198.51.100.1 443", "nobody" of LOCAL and UNKNOWN. */
  take(): string[] {
    return this.headers.splice(0).map(({ version, proxied }) => {
      if (proxied === null) return `v${version} nobody`;
      const { source, destination } = proxied;
      return `v${version} ${source.address} ${source.port} > ${destination.address} ${destination.port}`;
    });
  }

  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.drop();
    await closed;
  }
}

/** Takes TLS off each connection, and passes the rest on to a port. */
async function listenTls(port: number, sockets: Set<net.Socket>): Promise<tls.Server> {
  const { certPem, keyPem } = await testCertificates();
  const server = tls.createServer({ cert: certPem, key: keyPem }, (socket) => {
    const inner = net.connect({ host: "127.0.0.1", port });
    for (const one of [socket, inner]) {
      sockets.add(one);
      one.on("error", () => {});
    }
    socket.pipe(inner).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

async function withFront(
  { version, options = {} }: { version: "v1" | "v2"; options?: TestProxyOptions },
  body: (
    t: { peers: DoorPeers; front: Front; proxy: { port: number; plainPort: number | null } },
  ) => Promise<void>,
): Promise<void> {
  await using inner = await NamedBackend.listen("inner");
  await using front = await Front.listen(inner.port);
  const routes = routesFrom(
    `routes: [{ backend: "ws://127.0.0.1:${front.port}", proxy-protocol: ${version} }]`,
  );
  await withNamedDoors({ ...options, routes }, async ({ peers, t }) => {
    await body({ peers, front, proxy: t.proxy });
    await peers.close();
    front.drop();
    assert.deepEqual(front.faults, []);
  });
}

for (const version of ["v1", "v2"] as const) {
  Deno.test(`PROXY ${version} out: each connection tells of its client, requests and tunnels, by every door`, async () => {
    await withFront({ version }, async ({ peers, front, proxy }) => {
      for (const door of DOOR_IDS) {
        for (let i = 0; i < 2; i++) {
          const answer = await peers.ask(door, { method: "POST", body: "hello" });
          assert.equal(JSON.parse(answer.body).body, "hello", door);
        }
        const tunnel = await peers.open(door);
        assert.equal(await say(tunnel, "hi"), "inner hi", door);
        const port = door === "h1" || door === "h2c" ? proxy.plainPort : proxy.port;
        const to = door === "h3" ? "0\\.0\\.0\\.0 0" : `127\\.0\\.0\\.1 ${port}`;
        const said = front.take();
        // A connection that was told of a client serves no other, and not it again.
        assert.equal(said.length, 3, door);
        for (const text of said) {
          assert.match(text, new RegExp(`^${version} 127\\.0\\.0\\.1 [0-9]+ > ${to}$`), door);
        }
        tunnel.fin();
      }
    });
  });

  Deno.test(`PROXY ${version} out: what a PROXY header said on the way in goes on`, async () => {
    await withFront({ version, options: { proxyProtocol: true } }, async ({ front, proxy }) => {
      const rows = [
        ["192.0.2.7", 5000, "198.51.100.1", 443],
        ["2001:db8::7", 5000, "2001:db8::1", 443],
      ] as const;
      for (const [from, fromPort, to, toPort] of rows) {
        const source = { address: from, port: fromPort };
        const destination = { address: to, port: toPort };
        const socket = net.connect({ host: "127.0.0.1", port: proxy.plainPort! });
        let got = "";
        socket.on("data", (chunk: Uint8Array) => got += latin1(chunk));
        const closed = new Promise((resolve) => socket.once("close", resolve));
        socket.write(encodeProxyHeader({ version: 2, proxied: { source, destination } }));
        socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        await until("an answer", () => answerAt(got) !== null);
        assert.deepEqual(front.take(), [`${version} ${from} ${fromPort} > ${to} ${toPort}`]);
        socket.destroy();
        await closed;
      }
    });
  });

  Deno.test(`PROXY ${version} out: it comes before TLS, and health checks are the proxy's own`, async () => {
    await using inner = await NamedBackend.listen("inner");
    const sockets = new Set<net.Socket>();
    const server = await listenTls(inner.port, sockets);
    await using front = await Front.listen((server.address() as net.AddressInfo).port);
    const routes = routesFrom(
      `routes: [{ backend: "https://127.0.0.1:${front.port}", backend-insecure: true,
        proxy-protocol: ${version}, health: { active: { kind: get, interval: 100ms } } }]`,
    );
    await withNamedDoors({ routes }, async ({ peers, t }) => {
      await until("a check", () => inner.requests.length > 0);
      assert.equal(front.take()[0], `${version} nobody`);
      for (const door of DOOR_IDS) {
        assert.equal((await peers.ask(door)).status, 200, door);
        const tunnel = await peers.open(door);
        assert.equal(await say(tunnel, "hi"), "inner hi", door);
        tunnel.fin();
        const said = front.take().filter((text) => !text.endsWith("nobody"));
        assert.equal(said.length, 2);
        assert.match(said[0], /127\.0\.0\.1 [0-9]+ > /);
      }
      assert.deepEqual(t.seen.backends, []);
      assert.deepEqual(front.faults, []);
      await peers.close();
      front.drop();
    });
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
}

Deno.test("PROXY out: --backend-proxy-protocol v1 of a process", async () => {
  await using inner = await NamedBackend.listen("inner");
  await using front = await Front.listen(inner.port);
  await using proxy = await startProxyProcess({
    backendPort: front.port,
    flags: ["--backend-proxy-protocol", "v1"],
  });
  await using peers = new DoorPeers({ port: proxy.port, plainPort: null, caPem: proxy.caCerts[0] });
  for (const door of ["h1s", "h2", "h3"] as const) {
    const tunnel = await peers.open(door, { path: "/ws" });
    assert.ok(isOpen(tunnel), door);
    const open = await proxy.logged("ws.open");
    const [ip, port] = String(open.client).split(":");
    const to = door === "h3" ? "0.0.0.0 0" : `127.0.0.1 ${proxy.port}`;
    assert.deepEqual(front.take(), [`v1 ${ip} ${port} > ${to}`]);
  }
});
