import assert from "node:assert/strict";
import { encodeProxyHeader } from "../../src/protocol/proxy_protocol/encode.ts";
import type { ProxyHeader } from "../../src/protocol/proxy_protocol/header.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { addressText } from "../../src/net/accepted.ts";
import { TcpServer } from "../../src/net/tcp_server.ts";
import { socketsHeldTo } from "../support/held_sockets.ts";
import { tcpPair } from "../support/pair.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import {
  bytesOf,
  connectRaw,
  ended,
  optionsFor,
  readText,
  Seen,
  withTcpServer,
} from "./accept_support.ts";

const proxied = {
  source: { address: "192.0.2.1", port: 56324 },
  destination: { address: "198.51.100.2", port: 443 },
};

Deno.test("TcpServer: a connection is handed over with its remote address, without Nagle", async () => {
  const { stream, peer } = await tcpPair();
  const prototype: Deno.TcpConn = Object.getPrototypeOf(peer);
  const { setNoDelay } = prototype;
  stream.abort();
  peer.close();
  const asked: (boolean | undefined)[] = [];
  prototype.setNoDelay = function (on) {
    asked.push(on);
    return setNoDelay.call(this, on);
  };
  try {
    await withTcpServer({}, async (server, seen) => {
      const client = await connectRaw(server.port, "hello");
      const { stream, ...rest } = await seen.next();
      assert.deepEqual(rest, {
        remote: `127.0.0.1:${client.localPort}`,
        local: `127.0.0.1:${server.port}`,
        secure: false,
        alpn: null,
        serverName: null,
        clientCertificate: null,
      });
      assert.deepEqual(asked, [true]);
      assert.deepEqual(await stream.read(), bytesOf("hello"));
      client.end();
      assert.equal(await stream.read(), null);
      await stream.write(bytesOf("still here"));
      stream.abort();
      await ended(client);
      assert.equal(server.connections, 0);
    });
  } finally {
    prototype.setNoDelay = setNoDelay;
  }
});

Deno.test("TcpServer: a port in use is told as in_use, an address of others as unreachable", async () => {
  await withTcpServer({}, (server) => {
    const options = optionsFor(new Seen(), new Sweeper(20));
    assert.throws(() => new TcpServer({ ...options, port: server.port }), {
      name: "NetError",
      kind: "in_use",
    });
    assert.throws(() => new TcpServer({ ...options, hostname: "192.0.2.1" }), {
      name: "NetError",
      kind: "unreachable",
    });
    return Promise.resolve();
  });
});

const HEADERS: { name: string; header: ProxyHeader; want: string | null }[] = [
  { name: "version 1", header: { version: 1, proxied }, want: "192.0.2.1:56324" },
  { name: "version 2", header: { version: 2, proxied }, want: "192.0.2.1:56324" },
  { name: "version 1, UNKNOWN", header: { version: 1, proxied: null }, want: null },
  { name: "version 2, LOCAL", header: { version: 2, proxied: null }, want: null },
  {
    name: "version 2, IPv6",
    header: {
      version: 2,
      proxied: {
        source: { address: "2001:db8::1", port: 1 },
        destination: { address: "2001:db8::2", port: 443 },
      },
    },
    want: "[2001:db8::1]:1",
  },
];

for (const { name, header, want } of HEADERS) {
  for (const how of ["in one packet", "byte by byte"]) {
    Deno.test(`TcpServer: PROXY ${name}, ${how}: whose connection it is; nothing behind it is lost`, async () => {
      await withTcpServer({ proxyProtocol: true }, async (server, seen) => {
        const bytes = [...encodeProxyHeader(header), ...bytesOf("GET")];
        const client = await connectRaw(server.port);
        if (how === "in one packet") client.write(Uint8Array.from(bytes));
        else {
          client.setNoDelay(true);
          for (const byte of bytes) {
            client.write(Uint8Array.of(byte));
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        }
        client.end();
        const { stream, remote, local } = await seen.next();
        assert.equal(remote, want ?? `127.0.0.1:${client.localPort}`);
        const to = header.proxied?.destination ?? { address: "127.0.0.1", port: server.port };
        assert.equal(local, addressText(to.address, to.port));
        assert.equal(await readText(stream), "GET");
        assert.deepEqual([server.handshakes, server.connections], [0, 1]);
        stream.abort();
        await ended(client);
      });
    });
  }
}

Deno.test("TcpServer: what stands behind a PROXY header has its headroom", async () => {
  await withTcpServer({ proxyProtocol: true }, async (server, seen) => {
    const client = await connectRaw(server.port, "PROXY UNKNOWN\r\nGET");
    const { stream } = await seen.next();
    const chunk = (await stream.read())!;
    assert.ok(chunk.byteOffset >= stream.headroom);
    client.destroy();
  });
});

const REFUSED = [
  { name: "another first byte", bytes: "GET / HTTP/1.1\r\n\r\n", fin: false },
  { name: "a wrong address", bytes: "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", fin: false },
  { name: "FIN in the header", bytes: "PROXY TCP4 1.2", fin: true },
];

for (const { name, bytes, fin } of REFUSED) {
  Deno.test(`TcpServer: PROXY: closed at once for ${name}`, async () => {
    await withTcpServer({ proxyProtocol: true }, async (server, seen) => {
      const client = await connectRaw(server.port, bytes);
      const { localPort } = client;
      if (fin) client.end();
      await ended(client);
      const refusal = await seen.refusal();
      assert.equal(refusal.kind, "proxy_protocol");
      assert.equal(refusal.remote, `127.0.0.1:${localPort}`);
      assert.deepEqual([server.handshakes, server.connections, seen.accepted.length], [0, 0, 0]);
    });
  });
}

Deno.test("TcpServer: PROXY: a header that takes too long is cut off in time", async () => {
  await withTcpServer({ proxyProtocol: true, handshakeTimeoutMs: 200 }, async (server, seen) => {
    const startedMs = performance.now();
    const client = await connectRaw(server.port, "PROXY TCP4 ");
    await ended(client);
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs > 150 && tookMs < 5_000, `${tookMs} ms`);
    assert.equal((await seen.refusal()).kind, "timeout");
    assert.equal(server.handshakes, 0);
  });
});

Deno.test("TcpServer: PROXY: above maxHandshakes the next is refused, until the oldest had its time", async () => {
  await withTcpServer({ proxyProtocol: true, maxHandshakes: 2 }, async (server, seen) => {
    const slow = [await connectRaw(server.port), await connectRaw(server.port)];
    await until("two", () => server.handshakes === 2);
    await ended(await connectRaw(server.port));
    assert.equal((await seen.refusal()).kind, "full");
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const client = await connectRaw(server.port, "PROXY UNKNOWN\r\n");
    await seen.next();
    await ended(slow[0]);
    assert.equal((await seen.refusal()).kind, "timeout");
    assert.equal(server.handshakes, 1);
    slow[1].destroy();
    client.destroy();
  });
});

Deno.test("TcpServer: abort frees the socket at once, in the middle of a write", async () => {
  await withTcpServer({}, async (server, seen) => {
    const client = await connectRaw(server.port);
    client.pause();
    const { stream } = await seen.next();
    const write = assert.rejects(stream.write(new Uint8Array(64 * 2 ** 20)), { name: "NetError" });
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(socketsHeldTo(client.localPort!), 1);
    stream.abort();
    await within("the write's end", write);
    await until("no socket", () => socketsHeldTo(client.localPort!) === 0);
    assert.equal(server.connections, 0);
    client.destroy();
  });
});

Deno.test("TcpServer: close frees the port, and what was accepted lives on; closeAll ends it", async () => {
  await withTcpServer({}, async (server, seen) => {
    const client = await connectRaw(server.port);
    const { stream } = await seen.next();
    const { port } = server;
    await within("the close", server.close());
    new TcpServer({ ...optionsFor(seen, new Sweeper(20)), port }).close();
    await stream.write(bytesOf("a"));
    await within("a", new Promise((resolve) => client.once("data", resolve)));
    await within("the close of all", server.closeAll());
    await ended(client);
    await assert.rejects(stream.read(), { name: "NetError" });
  });
});

Deno.test("TcpServer: the accept loop goes on after a failed accept, and after a bug of ours", async () => {
  const other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const prototype: Deno.TcpListener = Object.getPrototypeOf(other);
  const { accept } = prototype;
  other.close();
  let failures = 3;
  prototype.accept = function () {
    if (failures-- > 0) return Promise.reject(new Error("Too many open files (os error 24)"));
    return accept.call(this);
  };
  const seen = new Seen();
  const sweeper = new Sweeper(20);
  let bugs = 1;
  const server = new TcpServer({
    ...optionsFor(seen, sweeper),
    onAccept(accepted) {
      if (bugs-- > 0) throw new Error("a bug");
      seen.accepted.push(accepted);
    },
  });
  try {
    const first = await connectRaw(server.port);
    await ended(first);
    assert.equal(seen.refusals.length, 3);
    assert.deepEqual(seen.refusals[0], {
      kind: "accept",
      message: "Too many open files (os error 24)",
      remote: null,
    });
    assert.equal(seen.bugs.length, 1);
    await connectRaw(server.port);
    await seen.next();
  } finally {
    prototype.accept = accept;
    await server.closeAll();
    sweeper.stop();
  }
});
