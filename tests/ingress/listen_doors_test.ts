import assert from "node:assert/strict";
import { listenDoors } from "../../src/ingress/doors.ts";
import type { DoorsObserver, DoorsOptions } from "../../src/ingress/doors_options.ts";
import { ListenError } from "../../src/ingress/listen.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { testCertificates } from "../support/proxy.ts";

Deno.test("doors: a port in clear text that is taken is tried once, whatever port the others may have", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { certPem, keyPem } = await testCertificates();
  const options: DoorsOptions = {
    ...{ certPem, keyPem, certificates: [], clientCaPem: null, proxyProtocol: false },
    ...{ listen: { hostname: "127.0.0.1", port: 0 }, plainListen: taken.addr, tcp: true },
    ...{ tunnels: { h2: true, h3: true }, altSvcPort: null, maxConnections: 10, maxStreams: 10 },
    ...{ maxHeaderBytes: 1 << 14, h2WindowBytes: { stream: 1 << 16, connection: 1 << 20 } },
    ...{ handshakeTimeoutMs: 1_000, readTimeoutMs: 1_000, writeTimeoutMs: 1_000 },
    ...{ idleTimeoutMs: 1_000, keepaliveMs: 0, sweeper: new Sweeper(100) },
    observer: {} as DoorsObserver,
    onOffer: () => Promise.resolve(),
  };
  let tries = 0;
  await assert.rejects(listenDoors(options, () => tries++), (error) => {
    assert.ok(error instanceof ListenError);
    assert.equal(error.address, options.plainListen);
    return true;
  });
  assert.equal(tries, 1);
  options.sweeper.stop();
});
