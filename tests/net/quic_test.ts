// What the rooms above rely on from net/quic.ts, and the traps of Deno's QUIC that it knows of.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { connectQuic } from "../../src/net/quic_connect.ts";
import { QuicServer } from "../../src/net/quic_server.ts";
import { testAlone } from "../support/alone.ts";
import { collected } from "../support/collected.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import {
  first,
  ofConnect,
  rejectsAs,
  second,
  streamOf,
  TRANSPORT,
  withServer,
} from "./quic_support.ts";

const MIB = 2 ** 20;

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

Deno.test("quic: a server that is closed lets go of its port, though somebody holds it", async () => {
  const options = { ...TRANSPORT, ...first, hostname: "127.0.0.1", alpnProtocols: ["test"] };
  const server = new QuicServer({ ...options, port: 0 });
  const { port } = server;
  server.close();
  await collected();
  await until("the port", () => {
    try {
      new QuicServer({ ...options, port }).close();
      return true;
    } catch {
      return false;
    }
  }, 5_000);
  assert.equal(server.port, port);
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
      const write = here.write(new Uint8Array(16 * MIB)).finally(() => stuck = false);
      write.catch(() => {});
      const next = rejectsAs("aborted", here.write(new Uint8Array(1)));
      const fin = rejectsAs("aborted", here.closeWrite());
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(stuck, true, "the peer's window takes it all");
      let freed = false;
      const abort = here.abort().then(() => freed = true);
      // Who waits is told at once all the same.
      await Promise.all([rejectsAs("aborted", write), next, fin]);
      // It can't be taken back: if this ever fails, Deno has learnt RESET_STREAM.
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(freed, false);
      if (end === "closes") pair.far.close(0);
      else while (await there.read() !== null);
      await within("the abort", abort);
    }
  });
});

const ignore = Deno.build.os !== "linux";

testAlone(import.meta.url, {
  name: "quic: a client's UDP sockets are used again, not left to the collector",
  ignore,
  fn: async () => {
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
});

Deno.test("quic: a client that is lost in the handshake: the server's rejects, too", async () => {
  await withServer(async ({ server }) => {
    const accepting = server.incoming();
    const connecting = connectQuic(ofConnect(server.port, second));
    const far = (await within("an attempt", accepting))!.accept();
    await Promise.all([rejectsAs("tls", connecting), rejectsAs("lost", far.handshake())]);
    await within("its end", far.closed);
  });
});

testAlone(import.meta.url, {
  name: "quic: of a client's UDP sockets only some are kept to be used again",
  ignore,
  fn: async () => {
    const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;
    await withServer(async ({ server }) => {
      const accept = async () => (await server.incoming())!.accept();
      const open = async () => {
        const both = Promise.all([connectQuic(ofConnect(server.port, first)), accept()]);
        const [near, far] = await within("a handshake", both);
        return { near, far };
      };
      const openAndClose = async (count: number) => {
        const pairs = [];
        for (let i = 0; i < count; i++) pairs.push(await open());
        for (const { near } of pairs) near.close(0);
        await Promise.all(pairs.map(({ far }) => far.closed));
      };
      const before = descriptors();
      await openAndClose(40);
      // Sixteen wait for the next connection; the others go with the collector.
      await until("the end of the other sockets", async () => {
        await collected();
        return descriptors() <= before + 16;
      });
    });
  },
});
