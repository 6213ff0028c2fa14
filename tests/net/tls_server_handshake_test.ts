// Connections of TlsServer that are not served yet, are let go, or come by a proxy.
import assert from "node:assert/strict";
import type * as net from "node:net";
import * as tls from "node:tls";
import { Sweeper } from "../../src/net/sweeper.ts";
import { TlsServer } from "../../src/net/tls_server.ts";
import { encodeProxyHeader } from "../../src/protocol/proxy_protocol/encode.ts";
import { socketsHeldTo } from "../support/held_sockets.ts";
import { collected } from "../support/collected.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import {
  bytesOf,
  certificates,
  connectRaw,
  connectTls,
  ended,
  optionsFor,
  readText,
  withTlsServer,
} from "./accept_support.ts";

const MIB = 2 ** 20;

/** The start of a client's hello: a record of 512 bytes, of which 6 are there. */
const HALF_HELLO = Uint8Array.of(22, 3, 1, 2, 0, 1);

Deno.test("TlsServer: half a hello is cut off in time, and its socket freed", async () => {
  await withTlsServer({ handshakeTimeoutMs: 300 }, async (server, seen) => {
    const startedMs = performance.now();
    const client = await connectRaw(server.port, HALF_HELLO);
    await ended(client);
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs > 250 && tookMs < 5_000, `${tookMs} ms`);
    assert.equal((await seen.refusal()).kind, "timeout");
    assert.equal(server.handshakes, 0);
  });
});

Deno.test("TlsServer: what is no TLS is refused at once, and one that leaves is forgotten", async () => {
  await withTlsServer({}, async (server, seen) => {
    await ended(await connectRaw(server.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert.equal((await seen.refusal()).kind, "tls");
    for (const leave of ["end", "destroy", "resetAndDestroy"] as const) {
      const client = await connectRaw(server.port, HALF_HELLO);
      await until("the handshake", () => server.handshakes === 1);
      client[leave]();
      assert.equal((await seen.refusal()).kind, "lost", leave);
      assert.equal(server.handshakes, 0);
    }
    assert.equal(seen.accepted.length, 0);
  });
});

Deno.test("TlsServer: 200 half-open connections hurt nobody, and are all freed in time", async () => {
  await withTlsServer({ handshakeTimeoutMs: 1_500 }, async (server, seen) => {
    const half: net.Socket[] = [];
    for (let i = 0; i < 200; i++) {
      half.push(await connectRaw(server.port, i % 2 ? HALF_HELLO : ""));
    }
    await until("all of them", () => server.handshakes === 200);
    const client = await connectTls(server.port);
    const { stream } = await seen.next();
    await stream.write(bytesOf("a"));
    await within("a", new Promise((resolve) => client.once("data", resolve)));
    await Promise.all(half.map(ended));
    assert.equal(server.handshakes, 0);
    assert.equal(seen.refusals.filter(({ kind }) => kind === "timeout").length, 200);
    client.destroy();
  });
});

Deno.test("TlsServer: handshakes that fail leave nothing behind, no timer of node:tls either", async () => {
  // Their sockets are known by the event that hands them over.
  const { emit } = tls.Server.prototype;
  let [begun, gone] = [0, 0];
  const registry = new FinalizationRegistry(() => gone++);
  tls.Server.prototype.emit = function (event: string, ...args: unknown[]) {
    if (event === "connection") {
      begun++;
      registry.register(args[0] as net.Socket, null);
    }
    return Reflect.apply(emit, this, [event, ...args]);
  };
  try {
    await withTlsServer({}, async (server) => {
      for (let i = 0; i < 100; i++) {
        using client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
        await client.write(HALF_HELLO);
      }
      await until("their end", () => begun === 100 && server.handshakes === 0);
      // Some go with the first collection, some with one behind it.
      await until("nearly all of them to be gone", async () => {
        await collected();
        return gone >= 90;
      });
    });
  } finally {
    tls.Server.prototype.emit = emit;
  }
});

Deno.test("TlsServer: above maxHandshakes the next is refused, until the oldest had its time", async () => {
  await withTlsServer({ maxHandshakes: 2 }, async (server, seen) => {
    const slow = [await connectRaw(server.port, HALF_HELLO), await connectRaw(server.port)];
    await until("two", () => server.handshakes === 2);
    await assert.rejects(connectTls(server.port));
    assert.equal((await seen.refusal()).kind, "full");
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const client = await connectTls(server.port);
    await ended(slow[0]);
    assert.equal((await seen.refusal()).kind, "timeout");
    slow[1].destroy();
    client.destroy();
  });
});

Deno.test("TlsServer: abort frees the socket at once: in the middle of a write, and closeAll in a handshake", async () => {
  await withTlsServer({}, async (server, seen) => {
    const client = await connectTls(server.port);
    (client as unknown as { _parent?: unknown; _handle: { readStop(): void } })._handle.readStop();
    const { localPort } = client;
    const { stream } = await seen.next();
    const write = assert.rejects(stream.write(new Uint8Array(64 * MIB)), { kind: "aborted" });
    const read = assert.rejects(stream.read(), { kind: "aborted" });
    const fin = assert.rejects(stream.closeWrite(), { kind: "aborted" });
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(socketsHeldTo(localPort!), 1);
    stream.abort();
    await within("their end", Promise.all([write, read, fin]));
    await until("no socket", () => socketsHeldTo(localPort!) === 0);
    client.destroy();
    const half = await connectRaw(server.port, HALF_HELLO);
    await until("the handshake", () => server.handshakes === 1);
    await server.closeAll();
    await ended(half);
    assert.deepEqual([server.handshakes, server.connections, seen.refusals.length], [0, 0, 0]);
  });
});

Deno.test("TlsServer: close frees the port, and what was accepted lives on", async () => {
  await withTlsServer({}, async (server, seen) => {
    const client = await connectTls(server.port);
    const { stream } = await seen.next();
    await server.close();
    const again = await TlsServer.listen({
      ...optionsFor(seen, new Sweeper(20)),
      ...{ port: server.port, certificates: [certificates], clientCaPem: null },
    });
    await again.close();
    await stream.write(bytesOf("a"));
    await within("a", new Promise((resolve) => client.once("data", resolve)));
    client.destroy();
  });
});

for (const version of [1, 2] as const) {
  for (const how of ["apart", "with the hello"]) {
    Deno.test(`TlsServer: PROXY version ${version}, ${how}: whose connection it is`, async () => {
      await withTlsServer({ proxyProtocol: true }, async (server, seen) => {
        const source = { address: "192.0.2.1", port: 56324 };
        const destination = { address: "198.51.100.1", port: 443 };
        const header = encodeProxyHeader({ version, proxied: { source, destination } });
        const raw = await connectRaw(server.port);
        if (how === "apart") {
          raw.setNoDelay(true);
          for (const byte of header) {
            raw.write(Uint8Array.of(byte));
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        } else {
          raw.write(header);
        }
        const client = await connectTls(server.port, { socket: raw });
        const { stream, remote, local } = await seen.next();
        assert.deepEqual([remote, local], ["192.0.2.1:56324", "198.51.100.1:443"]);
        client.end("hello");
        assert.equal(await readText(stream), "hello");
        stream.abort();
      });
    });
  }
}

Deno.test("TlsServer: PROXY: without it, and for one that is cut, the connection is closed", async () => {
  await withTlsServer({ proxyProtocol: true, handshakeTimeoutMs: 500 }, async (server, seen) => {
    await assert.rejects(connectTls(server.port));
    assert.equal((await seen.refusal()).kind, "proxy_protocol");
    const cut = await connectRaw(server.port, "PROXY TCP4 ");
    cut.end();
    await ended(cut);
    assert.equal((await seen.refusal()).kind, "proxy_protocol");
    const gone = await connectRaw(server.port, "PROXY TCP4 ");
    await until("the handshake", () => server.handshakes === 1);
    gone.resetAndDestroy();
    assert.equal((await seen.refusal()).kind, "lost");
    await ended(await connectRaw(server.port, "PROXY UNKNOWN\r\n"));
    assert.equal((await seen.refusal()).kind, "timeout");
    assert.equal(server.handshakes, 0);
  });
});
