// Which versions are served where, and options that don't fit together.
import assert from "node:assert/strict";
import type { ServeOptions } from "../../src/server/options.ts";
import { serve } from "../../src/server/server.ts";
import { DOOR_IDS, type DoorId, isOpen, say } from "../support/door_peers.ts";
import { testCertificates } from "../support/proxy.ts";
import { statusOverTls } from "../support/status_over_tls.ts";
import { within } from "../support/within.ts";
import { makeClientCertificate } from "../net/client_certificates.ts";
import { echo, withServer } from "./support.ts";

Deno.test("options: without HTTP/3 nothing listens by UDP, and no Alt-Svc names it", async () => {
  await withServer({ versions: { h3: false } }, echo, async ({ peers, server, port }) => {
    new Deno.QuicEndpoint({ hostname: "127.0.0.1", port }).close();
    for (const door of ["h1", "h1s", "h2c", "h2"] as const) {
      const tunnel = await peers.open(door);
      assert.equal(tunnel.get("alt-svc"), null);
      assert.equal(await say(tunnel, door), door);
    }
    assert.deepEqual(server.addresses.map(({ transport }) => transport), ["tcp", "tcp"]);
  });
});

Deno.test("options: HTTP/3 alone: nothing listens by TCP", async () => {
  const options = { versions: { h1: false, h2: false }, plainListen: null };
  await withServer(options, echo, async ({ peers, server, port }) => {
    assert.equal(await say(await peers.open("h3"), "hi"), "hi");
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    assert.equal(server.plainPort, null);
    assert.deepEqual(server.addresses.map(({ versions }) => versions), [["3"]]);
  });
});

const OFF: Record<string, { options: ServeOptions; on: DoorId[]; off: DoorId }> = {
  "HTTP/1.1": { options: { versions: { h1: false } }, on: ["h2c", "h2", "h3"], off: "h1" },
  "HTTP/2": { options: { versions: { h2: false } }, on: ["h1", "h1s", "h3"], off: "h2c" },
};

for (const [name, { options, on, off }] of Object.entries(OFF)) {
  Deno.test(`options: without ${name} it gets 505 in clear text, and TLS does not choose it`, async () => {
    await withServer(options, echo, async ({ peers, server }) => {
      for (const door of on) assert.equal(await say(await peers.open(door), door), door);
      const answer = await peers.open(off);
      assert.ok(!isOpen(answer));
      assert.equal(answer.status, 505);
      for (const { versions } of server.addresses) {
        assert.ok(!versions.some((version) => name === `HTTP/${version}`));
      }
    });
  });
}

Deno.test("options: clear text alone needs no certificate", async () => {
  const options = { listen: undefined, certPem: undefined, keyPem: undefined };
  await withServer(options, echo, async ({ peers, server }) => {
    assert.equal(server.port, null);
    assert.equal(await say(await peers.open("h1"), "hi"), "hi");
    assert.equal(await say(await peers.open("h2c"), "hi"), "hi");
    assert.deepEqual(server.addresses.map(({ secure }) => secure), [false]);
  });
});

Deno.test("options: the PROXY protocol says who the client is", async () => {
  const seen: unknown[] = [];
  await withServer({ proxyProtocol: true }, async (request) => {
    seen.push(request.client, request.server);
    await request.reject(404);
  }, async ({ peers }) => {
    const client = await peers.h1("h1");
    client.send("PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\r\n");
    client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await client.has("404");
  });
  assert.deepEqual(seen, [
    { address: "192.0.2.1", port: 5000 },
    { address: "192.0.2.2", port: 443 },
  ]);
});

const FAULTS: Record<string, [ServeOptions, RegExp]> = {
  "nothing at all": [{}, /neither listen, which needs a certificate, nor plainListen/],
  "listen without a certificate": [{ listen: ":0" }, /without certPem and keyPem/],
  "no version": [
    { plainListen: ":0", versions: { h1: false, h2: false } },
    /neither listen|HTTP\/3 in clear text/,
  ],
  "an address that is none": [{ plainListen: "8443" }, /plainListen: "8443" is not an address/],
  "a limit that is none": [
    { plainListen: "127.0.0.1:0", maxFrameBytes: NaN },
    /maxFrameBytes: NaN/,
  ],
  "no limit where clients are told of it": [
    { plainListen: "127.0.0.1:0", maxStreams: Infinity },
    /maxStreams: Infinity/,
  ],
  "a time that is none": [{ plainListen: "127.0.0.1:0", readTimeoutMs: -1 }, /readTimeoutMs: -1/],
};

Deno.test("options: window bits of permessage-deflate that are none are a RangeError", async () => {
  const permessageDeflate = { serverMaxWindowBits: 16 };
  const plainListen = "127.0.0.1:0";
  await assert.rejects(serve({ plainListen, permessageDeflate }, echo), { name: "RangeError" });
});

for (const never of [0, Infinity]) {
  Deno.test(`options: a time of ${never} is none, over all versions`, async () => {
    const times = { handshakeTimeoutMs: never, readTimeoutMs: never, writeTimeoutMs: never };
    const pings = { pingIntervalMs: 20, pongTimeoutMs: never };
    const options = { ...times, ...pings, idleTimeoutMs: never, maxSockets: Infinity };
    await withServer({ ...options, keepaliveMs: never }, echo, async ({ peers, ends }) => {
      const tunnels = await Promise.all(DOOR_IDS.map((door) => peers.open(door)));
      // Some sweeps of what would be over at once.
      await new Promise((resolve) => setTimeout(resolve, 150));
      assert.deepEqual(ends, []);
      for (const tunnel of tunnels) assert.ok(isOpen(tunnel));
    });
  });
}

Deno.test("options: shutdown(Infinity) waits for what goes on, however long", async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  const fetch = () => {
    asked.resolve();
    return answer.promise;
  };
  await withServer({ fetch }, null, async ({ peers, server }) => {
    const asking = peers.ask("h1");
    await asked.promise;
    let isDown = false;
    const down = server.shutdown(Infinity).then(() => isDown = true);
    // A timer that takes no more than 32 bits would fire now.
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(isDown, false);
    answer.resolve(new Response("at last"));
    assert.equal((await asking).body, "at last");
    await within("the end", down);
  });
});

for (const [name, [options, message]] of Object.entries(FAULTS)) {
  Deno.test(`options: ${name} is a TypeError`, async () => {
    await assert.rejects(serve(options, echo), { name: "TypeError", message });
  });
}

Deno.test("options: several certificates, one for each name; a client CA for TCP", async () => {
  const { certPem, keyPem } = await testCertificates();
  const certificates = [{ certPem, keyPem }];
  await withServer({ certificates }, echo, async ({ peers }) => {
    assert.equal(await say(await peers.open("h2"), "hi"), "hi");
  });
  const { caPem: clientCaPem, ...own } = await makeClientCertificate([{ CN: ["me"] }]);
  const fetch = () => new Response("plain");
  await withServer({ clientCaPem, fetch }, echo, async ({ port, caPem, server }) => {
    const ask = { port, caCerts: [caPem] };
    assert.equal(await statusOverTls({ ...ask, ...own }), 200);
    assert.equal(await statusOverTls(ask), 0);
    const other = await makeClientCertificate([{ CN: ["me"] }]);
    server.reloadClientCa(other.caPem);
    assert.equal(await statusOverTls({ ...ask, ...own }), 0);
    assert.equal(await statusOverTls({ ...ask, ...other }), 200);
  });
});
