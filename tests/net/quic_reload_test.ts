// A server's certificate changes while it listens.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { testAlone } from "../support/alone.ts";
import { collected } from "../support/collected.ts";
import { first, rejectsAs, second, streamOf, withServer } from "./quic_support.ts";

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
    for (const { certPem, keyPem } of [second, first, second]) server.reload(certPem, keyPem);
    await collected();
    await streamOf(await connect(second));
    await streamOf(old);
  });
});

testAlone(import.meta.url, {
  name: "quic: hundreds of reloads: old connections live on, and what each keeps is little",
  fn: async () => {
    await withServer(async ({ server, connect }) => {
      const old = await streamOf(await connect(first));
      const before = Deno.memoryUsage().rss;
      for (let i = 0; i < 500; i++) {
        const { certPem, keyPem } = i % 2 === 0 ? second : first;
        server.reload(certPem, keyPem);
      }
      const grown = Deno.memoryUsage().rss - before;
      assert.ok(grown < 500 * 64 * 1024, `${grown} bytes for 500 reloads`);
      await collected();
      await old.here.write(new Uint8Array([2]));
      assert.deepEqual(await old.there.read(), new Uint8Array([2]));
      await rejectsAs("tls", connect(second));
      await streamOf(await connect(first));
    });
  },
});

Deno.test("quic: reload: the same pair again is no reload, and keeps nothing", async () => {
  await withServer(({ server }) => {
    const { prototype } = Deno.QuicEndpoint;
    const { listen } = prototype;
    let listeners = 0;
    prototype.listen = function (options) {
      listeners++;
      return listen.call(this, options);
    };
    try {
      for (let i = 0; i < 10; i++) server.reload(first.certPem, first.keyPem);
      assert.equal(listeners, 0);
      for (let i = 0; i < 10; i++) server.reload(second.certPem, second.keyPem);
      assert.equal(listeners, 1);
      assert.throws(() => server.reload("not a certificate", second.keyPem), NetError);
      server.reload(second.certPem, second.keyPem);
      assert.equal(listeners, 2, "the unusable pair was tried, and is not the one in use");
    } finally {
      prototype.listen = listen;
    }
    return Promise.resolve();
  });
});
