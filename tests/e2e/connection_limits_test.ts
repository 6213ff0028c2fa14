// The limits of QUIC connections and their streams, and what ends those that do nothing.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { connectQuic } from "../../src/net/quic_connect.ts";
import { encodeFrame, FrameType } from "../../src/protocol/http3/frame.ts";
import { fromClient } from "../support/frames.ts";
import { type Opened, testCertificates, type TestProxy, withProxy } from "../support/proxy.ts";
import { RawClient } from "../support/raw_h3.ts";
import { startUdpRelay } from "../support/udp_relay.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const ofConnect = async (port: number) => ({
  hostname: "127.0.0.1",
  serverName: "localhost",
  port,
  caCerts: [(await testCertificates()).caPem],
  alpnProtocols: ["h3"],
  maxStreams: 0,
  idleTimeoutMs: 60_000,
  keepaliveMs: 0,
});

async function refused(connecting: Promise<RawClient>): Promise<void> {
  await assert.rejects(connecting, (error) => {
    assert.ok(error instanceof NetError);
    assert.equal(error.kind, "refused");
    return true;
  });
}

Deno.test("limits: one connection above --max-connections is refused, until one has ended", async () => {
  await withProxy({ maxConnections: 2 }, async (t) => {
    const [first] = [await t.connect(), await t.connect()];
    await until("two connections", () => t.proxy.connections === 2);
    await refused(t.connect());
    assert.deepEqual(t.seen.rejections.map(({ reason }) => reason), ["max_connections"]);
    first.close();
    await until("one connection", () => t.proxy.connections === 1);
    await (await t.connect()).roundTrip();
  });
});

/** Clients whose handshakes go no further than their first packet. */
async function withHalfOpen(
  t: TestProxy,
  count: number,
  body: () => Promise<void>,
): Promise<void> {
  await using relay = startUdpRelay(t.proxy.port, { firstOnly: true });
  const giveUp = new AbortController();
  const options = { ...await ofConnect(relay.port), signal: giveUp.signal };
  const clients = Array.from({ length: count }, () => connectQuic(options).catch(() => null));
  try {
    await body();
  } finally {
    giveUp.abort(new NetError("aborted", "over"));
    assert.deepEqual(await Promise.all(clients), Array(count).fill(null));
  }
}

Deno.test("limits: RFC 9000 §21.2: handshakes that go no further take no connection's place, and end in time", async () => {
  await withProxy({ maxConnections: 3, handshakeTimeoutMs: 5_000 }, async (t) => {
    // Sixteen handshakes at once are let in, or a quarter of --max-connections.
    await withHalfOpen(t, 20, async () => {
      await until("a flood above the limit", () => t.seen.rejections.length === 4);
      assert.equal(t.proxy.connections, 0);
      const clients = [await t.connect(), await t.connect(), await t.connect()];
      assert.ok(t.seen.prerequest.length < 16, "they were let in before the flood was over");
      await Promise.all(clients.map((client) => client.roundTrip()));
      assert.equal(t.proxy.connections, 3);
      await refused(t.connect());
      await until("the flood's end", () => t.seen.prerequest.length === 16);
      await clients[0].roundTrip();
      assert.deepEqual(t.seen.prerequest, Array(16).fill("no_h3_stream_activity"));
      assert.deepEqual(t.seen.connectionEnds, [], "a handshake is no connection");
    });
  });
});

Deno.test("limits: handshakes that end together open no more than --max-connections", async () => {
  await withProxy({ maxConnections: 3 }, async (t) => {
    const clients = await Promise.all(
      Array.from({ length: 12 }, () =>
        t.connect().catch((error) => {
          assert.ok(error instanceof NetError);
        })),
    );
    await until("an answer to each", () => t.seen.rejections.length === 9);
    assert.equal(t.proxy.connections, 3);
    let living = 0;
    for (const client of clients) {
      if (await client?.roundTrip().then(() => true, () => false)) living++;
    }
    assert.equal(living, 3);
    assert.deepEqual(t.seen.connectionEnds, []);
    assert.deepEqual(t.seen.prerequest, [], "who was refused is told of once");
  });
});

Deno.test("limits: a connection without a request ends after --idle-timeout, keepalive or not", async () => {
  await withProxy({ idleTimeoutMs: 1000, keepaliveMs: 100 }, async (t) => {
    // It answers each of our PINGs, so that to QUIC it is not idle at all.
    const quic = await connectQuic(await ofConnect(t.proxy.port));
    const { code, byPeer } = await within("its end", quic.closed);
    assert.deepEqual({ code, byPeer }, { code: 0x100, byPeer: true });
    await until("no connection", () => t.proxy.connections === 0);
    assert.deepEqual(t.seen.prerequest, ["no_h3_stream_activity"]);
  });
});

Deno.test("limits: RFC 9114 §5.1: a connection is not idle while a stream is open", async () => {
  await withProxy({ idleTimeoutMs: 1000, keepaliveMs: 100 }, async (t) => {
    const { quic, client, backend } = await t.open();
    // Longer than the timeout without a byte on any stream.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const frame = fromClient.text("still here");
    await client.send(frame);
    assert.deepEqual(await backend.inbox.take(frame.length), frame);
    await client.fin();
    backend.fin();
    await client.inbox.rest();
    const { code, byPeer } = await within("the end of the idle connection", quic.quic.closed);
    assert.deepEqual({ code, byPeer }, { code: 0x100, byPeer: true });
  });
});

Deno.test("limits: a client that vanishes is lost after --idle-timeout, and its session with it", async () => {
  await withProxy({ idleTimeoutMs: 1000, keepaliveMs: 100 }, async (t) => {
    await using relay = startUdpRelay(t.proxy.port);
    const { caPem } = await testCertificates();
    const lost = await RawClient.connect({ port: relay.port, caCerts: [caPem] });
    const opening = lost.connectWs();
    const backend = await t.backend.upgrade();
    assert.equal((await (await opening).response()).status, 200);
    relay.cut();
    assert.deepEqual(await backend.inbox.rest(), new Uint8Array(0));
    const { by, code } = await t.seen.end();
    assert.deepEqual({ by, code }, { by: "client", code: 1006 });
    await until("no connection", () => t.proxy.connections === 0);
    assert.deepEqual(t.seen.connectionEnds.map(({ code }) => code), [-1]);
    lost.close();
    await lost.quic.closed;
  });
});

Deno.test("limits: a stream whose HEADERS never end is over in time, and its credit comes back", async () => {
  await withProxy({ maxStreams: 2, handshakeTimeoutMs: 500 }, async (t) => {
    const quic = await t.connect();
    const beginnings = [
      encodeFrame(FrameType.HEADERS, new Uint8Array(100)).subarray(0, 50),
      // RFC 9114 §7.2.8: frames of reserved types are skipped, and may be all that comes.
      encodeFrame(0x21, new Uint8Array(10)),
      encodeFrame(FrameType.HEADERS, new Uint8Array(100)).subarray(0, 1),
    ];
    for (const bytes of beginnings) {
      const stream = await quic.openStream();
      await stream.write(bytes);
      await assert.rejects(stream.response(), /ended before HEADERS/);
      // RFC 9000 §3.5: who gets STOP_SENDING resets the stream.
      stream.abort();
    }
    await quic.roundTrip();
    await t.idle();
    assert.equal(t.proxy.connections, 1);
    assert.deepEqual(t.seen.rejections, []);
  });
});

async function echoOnce(t: TestProxy, quic: RawClient, text: string): Promise<void> {
  const opening = quic.connectWs();
  const backend = await t.backend.upgrade();
  const client = await opening;
  assert.equal((await client.response()).status, 200);
  const close = fromClient.close(1000, text);
  await client.send(close);
  assert.deepEqual(await backend.inbox.take(close.length), close);
  backend.fin();
  await client.fin();
  await client.inbox.rest();
}

Deno.test("limits: --max-streams at once on a connection, the next when one has ended", async () => {
  await withProxy({ maxStreams: 3 }, async (t) => {
    const quic = await t.connect();
    const opened = [await t.open(), await t.open(), await t.open()];
    let fourth = false;
    const waiting = quic.connectWs().then((stream) => {
      fourth = true;
      return stream;
    });
    // Another connection has credit of its own; what it is told came after the fourth was asked for.
    await (await t.connect()).roundTrip();
    assert.equal(fourth, false);
    assert.equal(t.proxy.sessions, 3);
    const end = async ({ client, backend }: Omit<Opened, "quic">) => {
      await client.fin();
      backend.fin();
      await client.inbox.rest();
    };
    await end(opened[0]);
    const client = await within("the fourth stream", waiting);
    const backend = await t.backend.upgrade();
    assert.equal((await client.response()).status, 200);
    for (const one of [...opened.slice(1), { client, backend }]) await end(one);
  });
});

Deno.test("limits: stream credit comes back with each end: 200 sessions on 4 streams", async () => {
  await withProxy({ maxStreams: 4 }, async (t) => {
    const quic = await t.connect();
    for (let i = 0; i < 200; i++) await echoOnce(t, quic, `${i}`);
    assert.equal(t.seen.closed.length, 200);
  });
});
