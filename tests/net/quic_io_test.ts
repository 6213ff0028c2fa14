// A QUIC stream by Deno's ops and by its Web streams: both must do the same.
import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { NetError } from "../../src/net/error.ts";
import { hasOps } from "../../src/net/quic_io.ts";
import { QuicStream } from "../../src/net/quic_stream.ts";
import { within } from "../support/within.ts";

const certificates = await makeCertificates({ hosts: ["localhost"], days: 1 });

interface Ends {
  here: QuicStream;
  there: QuicStream;
  /** What `here` was made of. */
  web: Deno.QuicBidirectionalStream;
  /** Ends the connection below. */
  close(): void;
}

/** Both ends of a stream over real UDP; the far side's bytes go by `ops` or not. */
async function withStream(ops: boolean, body: (ends: Ends) => Promise<void>): Promise<void> {
  const { certPem, keyPem, caPem } = certificates;
  const endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1", port: 0 });
  const alpnProtocols = ["test"];
  const listener = endpoint.listen({ cert: certPem, key: keyPem, alpnProtocols });
  const [far, near] = await within(
    "a handshake",
    Promise.all([
      listener.incoming().then((incoming) => incoming.accept()),
      Deno.connectQuic({
        ...{ hostname: "127.0.0.1", port: endpoint.addr.port, serverName: "localhost" },
        ...{ alpnProtocols, caCerts: [caPem] },
      }),
    ]),
  );
  const closed = Promise.allSettled([far.closed, near.closed]);
  const close = () => near.close({ closeCode: 0, reason: "" });
  try {
    const opened = await near.createBidirectionalStream();
    const here = new QuicStream(opened.readable, opened.writable, { ops });
    await here.write(new Uint8Array([7]));
    const { value } = await far.incomingBidirectionalStreams.getReader().read();
    const there = new QuicStream(value!.readable, value!.writable, { ops });
    assert.deepEqual(await there.read(), new Uint8Array([7]));
    await body({ here, there, web: opened, close });
  } finally {
    close();
    await within("the end", closed);
    listener.stop();
    endpoint.close();
  }
}

async function rejectsAs(kinds: string[], work: Promise<unknown>): Promise<void> {
  await assert.rejects(within("its end", work), (error) => {
    assert.ok(error instanceof NetError, String(error));
    assert.ok(kinds.includes(error.kind), `${error.kind}: ${error.message}`);
    return true;
  });
}

/** The bytes of `there` up to its FIN. */
async function readAll(stream: QuicStream): Promise<Uint8Array> {
  const parts: number[] = [];
  for (let part = await stream.read(); part !== null; part = await stream.read()) {
    for (const byte of part) parts.push(byte);
  }
  return Uint8Array.from(parts);
}

Deno.test("quic io: this Deno has the ops that streams go by", () => {
  assert.equal(hasOps, true, "streams go by Web streams, at a third more CPU: see net/quic_io.ts");
});

Deno.test("quic io: by ops: Web streams hold nothing for readers and writers", async () => {
  await withStream(true, ({ web }) => {
    for (const stream of [web.readable, web.writable]) {
      const held = stream as unknown as Record<symbol, unknown>;
      const left = Object.getOwnPropertySymbols(stream).filter((part) => held[part] !== undefined);
      assert.deepEqual(left.map(({ description }) => description), ["[[resourceBacking]]"]);
    }
    return Promise.resolve();
  });
});

for (const ops of [true, false]) {
  const by = ops ? "ops" : "Web streams";

  Deno.test(`quic io: by ${by}: writes of any size go out whole and in order, FIN behind them`, async () => {
    await withStream(ops, async ({ here, there }) => {
      const parts = [1, 100_000, 3, 70_000, 2048].map((size, i) =>
        new Uint8Array(size).fill(i + 1)
      );
      const writes = Promise.all([...parts.map((part) => here.write(part)), here.closeWrite()]);
      const got = await within("all bytes", readAll(there));
      await writes;
      assert.equal(got.length, parts.reduce((sum, part) => sum + part.length, 0));
      let at = 0;
      for (const part of parts) {
        assert.ok(got.subarray(at, at + part.length).every((byte) => byte === part[0]));
        at += part.length;
      }
      assert.equal(await there.read(), null, "FIN stays");
    });
  });

  Deno.test(`quic io: by ${by}: a read that waits is ended by our own abort`, async () => {
    await withStream(ops, async ({ there }) => {
      const read = there.read();
      await there.abort();
      await rejectsAs(["aborted"], read);
      await rejectsAs(["aborted"], there.read());
    });
  });

  Deno.test(`quic io: by ${by}: an abort is a FIN to the far side, and no write goes out after it`, async () => {
    await withStream(ops, async ({ here, there }) => {
      await here.abort();
      await rejectsAs(["aborted"], here.write(new Uint8Array(1)));
      assert.equal(await within("FIN", there.read()), null);
    });
  });

  Deno.test(`quic io: by ${by}: writes that wait behind another are dropped by an abort`, async () => {
    await withStream(ops, async ({ here, there }) => {
      // More than the far side gives credit for.
      const first = here.write(new Uint8Array(8 * 2 ** 20)).then(() => "through", () => "dropped");
      const second = here.write(new Uint8Array([1, 2, 3])).then(() => "through", () => "dropped");
      const freed = here.abort();
      const got = await within("what was under way", readAll(there));
      assert.equal(await within("the second", second), "dropped");
      await within("freed", freed);
      await within("the first", first);
      assert.ok(got.length <= 8 * 2 ** 20, `${got.length} bytes`);
    });
  });

  Deno.test(`quic io: by ${by}: a connection that ends is told to who reads and who writes`, async () => {
    await withStream(ops, async ({ here, there, close }) => {
      const read = there.read();
      const write = here.write(new Uint8Array(8 * 2 ** 20));
      const both = Promise.all([
        rejectsAs(["lost", "aborted"], read.then(() => there.read()).then(() => readAll(there))),
        rejectsAs(["lost", "aborted"], write),
      ]);
      close();
      await within("both", both);
      await rejectsAs(["lost", "aborted"], there.read());
      await rejectsAs(["lost", "aborted"], there.write(new Uint8Array(1)));
    });
  });
}
