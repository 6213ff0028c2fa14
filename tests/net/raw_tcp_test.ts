// What is given up ends by RST, what is over does not; by Deno's own connections and by node:net.
import assert from "node:assert/strict";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { NetError } from "../../src/net/error.ts";
import { dialRaw, listenRaw } from "../../src/net/raw_tcp.ts";
import { canReset } from "../../src/net/reset.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const NEVER = new AbortController().signal;

async function drain(stream: ByteStream): Promise<void> {
  while (await stream.read() !== null);
}

async function withPair(
  byNode: boolean,
  run: (client: ByteStream, server: ByteStream) => Promise<void>,
): Promise<void> {
  const sweeper = new Sweeper(50);
  const accepted = Promise.withResolvers<ByteStream>();
  const server = await listenRaw({
    ...{ hostname: "127.0.0.1", port: 0, maxHandshakes: 10, handshakeTimeoutMs: 5_000, sweeper },
    onAccept: ({ stream }) => accepted.resolve(stream),
    onRefused: () => {},
    onBug: (_, error) => accepted.reject(error),
  }, { byNode });
  const client = await dialRaw({ hostname: "127.0.0.1", port: server.port }, NEVER, { byNode });
  const stream = await within("the connection", accepted.promise);
  try {
    await run(client, stream);
  } finally {
    client.abort();
    stream.abort();
    server.close();
    sweeper.stop();
  }
}

Deno.test("raw TCP: Deno's connections can be reset here", {
  ignore: Deno.build.os !== "linux",
}, () => assert.equal(canReset, true));

/** The descriptors of this process. */
function openFiles(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test(
  "raw TCP by Deno: one that is quiet takes one descriptor, and can be reset while it is read",
  {
    ignore: !canReset,
  },
  async () => {
    const before = openFiles();
    let listening = 0;
    await withPair(false, async (client, server) => {
      listening = openFiles() - before;
      await client.write(Uint8Array.of(1));
      assert.deepEqual([...(await server.read())!], [1]);
      // The listener, and both ends.
      assert.equal(listening, 3);
      const reading = [client.read().catch(() => {}), server.read()];
      client.abort();
      await assert.rejects(within("RST", reading[1]), { kind: "reset" });
      await within("the end of the read", reading[0]);
    });
  },
);

for (const byNode of [false, true]) {
  const name = `raw TCP by ${byNode ? "node:net" : "Deno"}`;

  Deno.test(`${name}: what is aborted is reset for the peer, either way`, async () => {
    for (const isClient of [true, false]) {
      await withPair(byNode, async (client, server) => {
        const [one, other] = isClient ? [client, server] : [server, client];
        await one.write(Uint8Array.of(1));
        assert.deepEqual([...(await other.read())!], [1]);
        const reading = other.read();
        one.abort();
        await assert.rejects(within("RST", reading), (error) => {
          assert.ok(error instanceof NetError);
          assert.equal(error.kind, "reset");
          return true;
        });
      });
    }
  });

  Deno.test(`${name}: what is aborted under a write that its peer does not take is reset`, async () => {
    for (const isClient of [true, false]) {
      await withPair(byNode, async (client, server) => {
        const [one, other] = isClient ? [client, server] : [server, client];
        const bytes = new Uint8Array(1 << 20);
        let stuck = false;
        const pour = async () => {
          for (;;) {
            const turn = new Promise<true>((resolve) => setTimeout(() => resolve(true), 100));
            const written = one.write(bytes).then(() => false, () => false);
            if (await Promise.race([written, turn])) {
              stuck = true;
              return await written;
            }
          }
        };
        const pouring = pour();
        await until("a write that waits", () => stuck);
        one.abort();
        await pouring;
        await assert.rejects(within("RST", drain(other)), { kind: "reset" });
      });
    }
  });

  Deno.test(`${name}: what was sent before both FINs comes whole, and the end is none by RST`, async () => {
    await withPair(byNode, async (client, server) => {
      const bytes = new Uint8Array(1 << 20).fill(3);
      await client.closeWrite();
      assert.equal(await server.read(), null);
      const sent = server.write(bytes).then(() => server.closeWrite()).then(() => server.abort());
      let got = 0;
      for (let chunk = await client.read(); chunk !== null; chunk = await client.read()) {
        got += chunk.length;
      }
      await sent;
      assert.equal(got, bytes.length);
    });
  });

  Deno.test(`${name}: what its peer resets is known to be lost, though nobody reads it`, async () => {
    for (const isClient of [true, false]) {
      for (const isHalfClosed of [false, true]) {
        await withPair(byNode, async (client, server) => {
          const [one, other] = isClient ? [client, server] : [server, client];
          await one.write(Uint8Array.of(1));
          if (isHalfClosed) {
            await one.closeWrite();
            assert.deepEqual([...(await other.read())!], [1]);
            assert.equal(await other.read(), null);
          }
          assert.equal(other.isLost!(), false);
          one.abort();
          await until("the end", () => other.isLost!());
        });
      }
    }
  });

  Deno.test(`${name}: what ends in order is not lost, nor is what was given up here`, async () => {
    await withPair(byNode, async (client, server) => {
      await client.write(Uint8Array.of(1));
      await client.closeWrite();
      await server.closeWrite();
      assert.equal(await client.read(), null);
      // The one byte is still there to be read.
      assert.equal(server.isLost!(), false);
      assert.deepEqual([...(await server.read())!], [1]);
      assert.equal(await server.read(), null);
      assert.equal(server.isLost!(), false);
      server.abort();
      assert.equal(server.isLost!(), false);
    });
  });

  Deno.test(`${name}: an attempt that is given up, and one that nobody takes`, async () => {
    const gone = AbortSignal.abort(new NetError("timeout", "too late"));
    const nobody = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = nobody.addr;
    nobody.close();
    const at = { hostname: "127.0.0.1", port };
    await assert.rejects(dialRaw(at, gone, { byNode }), { kind: "timeout" });
    await assert.rejects(dialRaw(at, NEVER, { byNode }), { kind: "refused" });
  });
}
