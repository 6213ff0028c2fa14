// What the rooms above rely on from net/quic.ts, and the traps of Deno's QUIC that it knows of.
import assert from "node:assert/strict";
import { type Certificates, makeCertificates } from "../../src/cli/certificates.ts";
import { NetError, type NetErrorKind } from "../../src/net/error.ts";
import { type QuicConnection } from "../../src/net/quic.ts";
import { connectQuic } from "../../src/net/quic_connect.ts";
import { QuicServer } from "../../src/net/quic_server.ts";
import { type QuicStream } from "../../src/net/quic_stream.ts";
import { collected } from "../support/collected.ts";
import { within } from "../support/within.ts";

const MIB = 2 ** 20;

const first = await makeCertificates({ hosts: ["localhost"], days: 1 });
const second = await makeCertificates({ hosts: ["localhost"], days: 1 });

const TRANSPORT = { maxStreams: 16, idleTimeoutMs: 60_000, keepaliveMs: 0 };

interface Peers {
  server: QuicServer;
  /** Both ends of a new connection, which ends with the test. */
  connect(trusted?: Certificates): Promise<{ near: QuicConnection; far: QuicConnection }>;
}

async function withServer(body: (peers: Peers) => Promise<void>): Promise<void> {
  const server = new QuicServer({
    ...TRANSPORT,
    ...{ hostname: "127.0.0.1", port: 0, alpnProtocols: ["test"] },
    ...{ certPem: first.certPem, keyPem: first.keyPem },
  });
  const all: QuicConnection[] = [];
  try {
    await body({
      server,
      async connect(trusted = first) {
        const accepting = server.incoming();
        const connecting = connectQuic(ofConnect(server.port, trusted));
        const far = (await accepting)!.accept();
        all.push(far);
        const [near] = await within(
          "a handshake",
          Promise.all([connecting, far.handshake().catch(() => {})]),
        );
        all.push(near);
        return { near, far };
      },
    });
  } finally {
    server.close();
    await within("the end of all", Promise.all(all.map(({ closed }) => closed)));
  }
}

function ofConnect(port: number, trusted: Certificates) {
  return {
    ...{ hostname: "127.0.0.1", serverName: "localhost", port },
    ...{ alpnProtocols: ["test"], caCerts: [trusted.caPem], ...TRANSPORT },
  };
}

async function rejectsAs(kind: NetErrorKind, work: Promise<unknown>): Promise<void> {
  await assert.rejects(within("its end", work), (error) => {
    assert.ok(error instanceof NetError, String(error));
    assert.equal(error.kind, kind, error.message);
    return true;
  });
}

/** Both ends of a new stream. */
async function streamOf(
  { near, far }: { near: QuicConnection; far: QuicConnection },
): Promise<{ here: QuicStream; there: QuicStream }> {
  const here = await near.openStream();
  await here.write(new Uint8Array([1]));
  const there = (await within("a stream", far.acceptStream()))!;
  assert.deepEqual(await there.read(), new Uint8Array([1]));
  return { here, there };
}

Deno.test("quic: reload: new connections get the new certificate, old ones live on", async () => {
  await withServer(async ({ server, connect }) => {
    const old = await connect(first);
    server.reload(second.certPem, second.keyPem);
    await rejectsAs("tls", connect(first));
    await streamOf(await connect(second));
    await streamOf(old);
  });
});

Deno.test("quic: reload: an unusable pair is told as tls, and the old one stays", async () => {
  await withServer(async ({ server, connect }) => {
    const rows = [
      [first.certPem, second.keyPem],
      ["not a certificate", first.keyPem],
      [first.certPem, "not a key"],
    ];
    for (const [certPem, keyPem] of rows) {
      assert.throws(() => server.reload(certPem, keyPem), { name: "NetError", kind: "tls" });
    }
    await streamOf(await connect(first));
  });
});

Deno.test("quic: the collection of an old listener would end the endpoint: all are held", async () => {
  await withServer(async ({ server, connect }) => {
    const old = await connect(first);
    for (let i = 0; i < 3; i++) server.reload(second.certPem, second.keyPem);
    await collected();
    await streamOf(await connect(second));
    await streamOf(old);
  });
});

Deno.test("quic: a UDP port that is taken: in_use", async () => {
  await withServer(async ({ server, connect }) => {
    const options = { ...TRANSPORT, hostname: "127.0.0.1", alpnProtocols: ["test"] };
    const again = { ...options, ...first, port: server.port };
    assert.throws(() => new QuicServer(again), { name: "NetError", kind: "in_use" });
    await streamOf(await connect());
  });
});

Deno.test("quic: a server's attempts end with null when it is closed", async () => {
  await withServer(async ({ server }) => {
    const next = server.incoming();
    server.close();
    assert.equal(await next, null);
    assert.equal(await server.incoming(), null);
  });
});

Deno.test("quic: how a connection ended is told to both sides, with its code", async () => {
  await withServer(async ({ connect }) => {
    const { near, far } = await connect();
    const { here, there } = await streamOf({ near, far });
    const pending = [far.acceptStream(), far.acceptUniStream()];
    const read = rejectsAs("lost", there.read());
    near.close(0x107, "too much");
    assert.deepEqual(await near.closed, { code: 0x107, reason: "too much", byPeer: false });
    assert.deepEqual(await far.closed, { code: 0x107, reason: "too much", byPeer: true });
    assert.deepEqual(await Promise.all(pending), [null, null]);
    await read;
    await assert.rejects(here.write(new Uint8Array(1)), NetError);
    await assert.rejects(near.openStream(), NetError);
    near.close(0, "again");
  });
});

Deno.test("quic: writes go out in the order of the calls, FIN behind them; null at FIN", async () => {
  await withServer(async ({ connect }) => {
    const { here, there } = await streamOf(await connect());
    const writes = Array.from({ length: 50 }, (_, i) => new Uint8Array(1 + i * 997).fill(i));
    const done = Promise.all([...writes.map((bytes) => here.write(bytes)), here.closeWrite()]);
    const got: number[] = [];
    for (let chunk = await there.read(); chunk !== null; chunk = await there.read()) {
      got.push(...chunk);
    }
    await done;
    assert.deepEqual(got, writes.flatMap((bytes) => [...bytes]));
    assert.equal(await there.read(), null);
  });
});

Deno.test("quic: RFC 9000 §3.5: a stream that the peer does not want is stopped", async () => {
  await withServer(async ({ connect }) => {
    const { here, there } = await streamOf(await connect());
    there.stopReading();
    await rejectsAs(
      "stopped",
      (async () => {
        for (let i = 0; i < 1000; i++) await here.write(new Uint8Array(16 * 1024));
      })(),
    );
  });
});

Deno.test("quic: a read that our own abort ends is no FIN of the peer's", async () => {
  await withServer(async ({ connect }) => {
    const { there } = await streamOf(await connect());
    const pending = rejectsAs("aborted", there.read());
    await there.abort();
    await pending;
    await rejectsAs("aborted", there.read());
  });
});

Deno.test("quic: abort with a write under way is over when the peer reads on, or is gone", async () => {
  await withServer(async ({ connect }) => {
    for (const end of ["reads", "closes"] as const) {
      const pair = await connect();
      const { here, there } = await streamOf(pair);
      let stuck = true;
      const write = here.write(new Uint8Array(16 * MIB)).catch(() => {}).finally(() =>
        stuck = false
      );
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(stuck, true, "the peer's window takes it all");
      let freed = false;
      const abort = here.abort().then(() => freed = true);
      // It can't be taken back: if this ever fails, Deno has learnt RESET_STREAM.
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(freed, false);
      if (end === "closes") pair.far.close(0);
      else while (await there.read() !== null);
      await within("the abort", abort);
      await write;
    }
  });
});

const ignore = Deno.build.os !== "linux";

Deno.test(
  "quic: a client's UDP sockets are used again, not left to the collector",
  { ignore },
  async () => {
    const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;
    await withServer(async ({ connect }) => {
      const once = async () => {
        const { near, far } = await connect();
        near.close(0);
        await far.closed;
      };
      await once();
      const before = descriptors();
      for (let i = 0; i < 30; i++) await once();
      assert.ok(descriptors() < before + 5, `${before} descriptors became ${descriptors()}`);
    });
  },
);
