// What a server announces and keeps to below its handlers: streams, windows, idle connections, slow
// clients, Alt-Svc, and certificates by name.
import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { Connections } from "../../src/client/connections.ts";
import { connectWebSocket } from "../../src/client/connect.ts";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import type { FetchHandler } from "../../src/server/fetch.ts";
import type { WebSocketRequest } from "../../src/server/request.ts";
import { DOOR_IDS, DoorPeers, isOpen, say } from "../support/door_peers.ts";
import { h2Ws, RawH2, SettingId } from "../support/raw_h2.ts";
import { dataFrame, RawClient } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { echo, type TestServer, withServer } from "./support.ts";

const UPGRADE = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const fetch: FetchHandler = () => new Response("fine");

function h2Of(t: TestServer, door: "h2c" | "h2", opensWindows = true): Promise<RawH2> {
  const { port, plainPort, caPem } = t;
  const at = door === "h2c" ? { port: plainPort } : { port, caCerts: [caPem] };
  return RawH2.connect({ ...at, opensWindows });
}

for (const door of ["h2c", "h2"] as const) {
  Deno.test(`transport: ${door}: SETTINGS say maxStreams, maxHeaderBytes, the window and extended CONNECT`, async () => {
    const h2WindowBytes = { stream: 100_000, connection: 1_000_000 };
    const options = { maxStreams: 7, maxHeaderBytes: 5_000, h2WindowBytes };
    await withServer(options, echo, async (t) => {
      const client = await h2Of(t, door);
      assert.equal(client.settings.get(SettingId.MAX_CONCURRENT_STREAMS), 7);
      assert.equal(client.settings.get(SettingId.MAX_HEADER_LIST_SIZE), 5_000);
      assert.equal(client.settings.get(SettingId.INITIAL_WINDOW_SIZE), 100_000);
      assert.equal(client.settings.get(SettingId.ENABLE_CONNECT_PROTOCOL), 1);
      // RFC 9113 §6.9: the least of both.
      assert.equal(client.room(1), 100_000);
      for (let i = 0; i < 20; i++) client.sent(2 * i + 1, 50_000);
      assert.equal(client.room(101), 0, "the connection's is used up");
      await client.close();
    });
  });

  Deno.test(`transport: ${door}: RFC 9113 §5.1.2: a stream above maxStreams is refused, and nothing else`, async () => {
    let calls = 0;
    await withServer({ maxStreams: 2 }, async (request) => {
      calls++;
      await echo(request);
    }, async (t) => {
      const client = await h2Of(t, door);
      const ids = [1, 2, 3].map(() => client.request(h2Ws(), () => []));
      const refused = await client.over(ids[2]);
      assert.equal(refused.reset, 7, "REFUSED_STREAM");
      for (const id of ids.slice(0, 2)) assert.equal((await client.head(id)).status, 200);
      assert.deepEqual([calls, t.server.sockets.size], [2, 2]);
      await client.close();
    });
  });
}

Deno.test("transport: h3: RFC 9000 §4.6: no stream above maxStreams can be opened, until one has ended", async () => {
  await withServer({ maxStreams: 2 }, echo, async ({ port, caPem }) => {
    const client = await RawClient.connect({ port, caCerts: [caPem] });
    const [first] = [await client.connectWs(), await client.connectWs()];
    assert.equal((await first.response()).status, 200);
    assert.equal(await client.quic.tryOpenStream(), null);
    const third = client.openStream();
    first.abort();
    (await third).abort();
    client.close();
    await client.quic.closed;
  });
});

Deno.test("transport: h3: SETTINGS say maxHeaderBytes and extended CONNECT", async () => {
  await withServer({ maxHeaderBytes: 5_000 }, echo, async ({ port, caPem }) => {
    const client = await RawClient.connect({ port, caCerts: [caPem] });
    await until("SETTINGS", () => client.settings !== null);
    assert.equal(client.settings!.enableConnectProtocol, true);
    assert.equal(client.settings!.maxFieldSectionSize, 5_000);
    client.close();
    await client.quic.closed;
  });
});

for (const door of DOOR_IDS) {
  Deno.test(`transport: ${door}: a connection without a request ends after idleTimeoutMs, one with a socket does not`, async () => {
    const options = { fetch, idleTimeoutMs: 400, keepaliveMs: 50 };
    await withServer(options, echo, async ({ peers, server, port, plainPort, caPem, errors }) => {
      const tunnel = await peers.open(door);
      await using others = new DoorPeers({ port, plainPort, caPem });
      assert.equal((await others.ask(door)).body, "fine");
      assert.equal(server.connections, 2);
      await until("the end of the idle one", () => server.connections === 1);
      // As long again.
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.equal(await say(tunnel, "still"), "still");
      assert.deepEqual(errors(), []);
    });
  });
}

Deno.test("transport: h3: without keepaliveMs a silent socket goes with its connection after idleTimeoutMs", async () => {
  await withServer({ idleTimeoutMs: 300, keepaliveMs: 0 }, echo, async ({ peers, ends }) => {
    assert.ok(isOpen(await peers.open("h3")));
    await until("the end", () => ends.length === 1);
    assert.deepEqual(ends, [["lost", CloseCode.ABNORMAL_CLOSURE]]);
  });
});

/** A client that opens a socket and takes nothing of it. */
const DEAF: Record<string, (t: TestServer) => Promise<() => Promise<unknown>>> = {
  h2c: (t) => deafH2(t, "h2c"),
  h2: (t) => deafH2(t, "h2"),
  h3: async ({ port, caPem }) => {
    const client = await RawClient.connect({ port, caCerts: [caPem] });
    assert.equal((await (await client.connectWs()).response()).status, 200);
    return () => {
      client.close();
      return client.quic.closed;
    };
  },
};

async function deafH2(t: TestServer, door: "h2c" | "h2"): Promise<() => Promise<void>> {
  const client = await h2Of(t, door, false);
  const id = client.request(h2Ws(), () => []);
  assert.equal((await client.head(id)).status, 200);
  return () => client.close();
}

for (const [door, open] of Object.entries(DEAF)) {
  Deno.test(`transport: ${door}: a client that takes nothing for writeTimeoutMs is cut off, whatever its handler sends`, async () => {
    const failures: string[] = [];
    await withServer({ writeTimeoutMs: 300 }, async (request) => {
      failures.push(await sendOn(request));
    }, async (t) => {
      const close = await open(t);
      await until("the end", () => t.ends.length === 1);
      assert.deepEqual(t.ends, [["lost", CloseCode.ABNORMAL_CLOSURE]]);
      await until("the handler's end", () => failures.length === 1);
      assert.deepEqual(failures, ["NetError"]);
      assert.deepEqual(t.errors(), []);
      await close();
    });
  });
}

/** Sends without end; resolves with the name of what ends it. */
async function sendOn(request: WebSocketRequest): Promise<string> {
  const socket = await request.accept();
  try {
    for (;;) await socket.send(new Uint8Array(65_536));
  } catch (error) {
    return (error as Error).name;
  }
}

for (const httpVersion of ["1.1", "2", "3"] as const) {
  Deno.test(`transport: HTTP/${httpVersion}: a client that takes nothing for writeTimeoutMs is cut off, whatever it says meanwhile`, async () => {
    const failed = Promise.withResolvers<string>();
    await withServer({ writeTimeoutMs: 400 }, async (request) => {
      failed.resolve(await sendOn(request));
    }, async ({ port, caPem, ends }) => {
      const url = `wss://localhost:${port}/`;
      using connections = new Connections();
      // It reads one message ahead, and no more as long as nobody takes that.
      const socket = await connectWebSocket(url, { httpVersion, caCerts: [caPem], connections });
      const talking = setInterval(() => void socket.pong().catch(() => {}), 50);
      try {
        assert.equal(await within("the handler's error", failed.promise), "NetError");
        await until("the end", () => ends.length === 1);
        assert.deepEqual(ends, [["lost", CloseCode.ABNORMAL_CLOSURE]]);
      } finally {
        clearInterval(talking);
        socket.abort();
      }
    });
  });
}

Deno.test(
  "transport: h1: a client that reads slowly but steadily is not cut off, though no write is done for writeTimeoutMs",
  {
    ignore: Deno.build.os !== "linux",
  },
  async () => {
    const writeTimeoutMs = 1_000;
    let longestMs = 0;
    const over = Promise.withResolvers<void>();
    await withServer({ writeTimeoutMs }, async (request) => {
      const socket = await request.accept();
      try {
        for (;;) {
          const beginMs = performance.now();
          await socket.send(new Uint8Array(1 << 20));
          longestMs = Math.max(longestMs, performance.now() - beginMs);
        }
      } catch {
        over.resolve();
      }
    }, async ({ plainPort, ends }) => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: plainPort });
      await conn.write(new TextEncoder().encode(UPGRADE));
      const buffer = new Uint8Array(32 * 1024);
      for (let ms = 0; ms < 30_000 && longestMs <= writeTimeoutMs; ms += 50) {
        assert.ok(await conn.read(buffer) !== null);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.ok(longestMs > writeTimeoutMs, `${longestMs} ms`);
      assert.deepEqual(ends, []);
      conn.close();
      await over.promise;
    });
  },
);

for (const door of ["h2c", "h2", "h3"] as const) {
  Deno.test(`transport: ${door}: content that stops for readTimeoutMs ends its request alone, and is no fault of the handler's`, async () => {
    const seen = Promise.withResolvers<unknown>();
    const read: FetchHandler = async (request) => {
      if (request.method === "GET") return new Response("fine");
      await request.text().catch(seen.resolve);
      return new Response("too late");
    };
    const ask = [
      ...[[":method", "POST"], [":scheme", "https"]] as const,
      ...[[":authority", "a"], [":path", "/"]] as const,
    ];
    await withServer({ fetch: read, readTimeoutMs: 200 }, null, async (t) => {
      if (door === "h3") {
        const client = await RawClient.connect({ port: t.port, caCerts: [t.caPem] });
        await client.request(ask, dataFrame(new Uint8Array(3)));
        assert.ok(await within("the handler's error", seen.promise) instanceof Error);
        await client.roundTrip();
        client.close();
        await client.quic.closed;
      } else {
        const client = await h2Of(t, door);
        client.request(ask, () => []);
        assert.ok(await within("the handler's error", seen.promise) instanceof Error);
        assert.equal((await client.get("/")).status, 200);
        await client.close();
      }
      assert.deepEqual(t.errors(), []);
    });
  });
}

for (const [altSvcPort, want] of [[8443, 'h3=":8443"; ma=86400'], [null, null]] as const) {
  Deno.test(`transport: Alt-Svc names altSvcPort: ${altSvcPort}`, async () => {
    await withServer({ fetch, altSvcPort }, echo, async ({ peers }) => {
      for (const door of DOOR_IDS) {
        const named = door === "h3" ? null : want;
        assert.equal((await peers.open(door)).get("alt-svc"), named, door);
        assert.equal((await peers.ask(door)).get("alt-svc"), named, door);
      }
    });
  });
}

Deno.test("transport: certificates: each name gets its own over TCP, any other the first", async () => {
  const other = await makeCertificates({ hosts: ["other.example"], days: 1 });
  const certificates = [{ certPem: other.certPem, keyPem: other.keyPem }];
  await withServer({ certificates, fetch }, echo, async ({ port, caPem }) => {
    const named = async (hostname: string, caCerts: string[]) => {
      const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
      using tls = await Deno.startTls(tcp, { hostname, caCerts });
      await tls.handshake();
    };
    await named("localhost", [caPem]);
    await named("other.example", [other.caPem]);
    await assert.rejects(named("other.example", [caPem]));
    await assert.rejects(named("localhost", [other.caPem]));
  });
});
