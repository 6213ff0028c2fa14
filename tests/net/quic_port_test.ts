import assert from "node:assert/strict";
import { connectQuic } from "../../src/net/quic_connect.ts";
import { portFreed } from "../../src/net/quic_port.ts";
import { QuicServer } from "../../src/net/quic_server.ts";
import { testCertificates } from "../support/proxy.ts";

const QUIC = { maxStreams: 10, idleTimeoutMs: 10_000, keepaliveMs: 0, alpnProtocols: ["h3"] };

function listen(at: { hostname: string; port: number }): void {
  Deno.listenDatagram({ transport: "udp", ...at }).close();
}

/** A server that took connections and is closed; nobody has anything of it any more. */
async function closedServer(): Promise<{ hostname: string; port: number }> {
  const { caPem, certPem, keyPem } = await testCertificates();
  const server = new QuicServer({ ...QUIC, hostname: "127.0.0.1", port: 0, certPem, keyPem });
  const { hostname, port } = server;
  for (let i = 0; i < 3; i++) {
    const attempt = server.incoming();
    const at = { hostname: "127.0.0.1", serverName: "localhost", port, caCerts: [caPem] };
    const connecting = connectQuic({ ...QUIC, ...at });
    const far = (await attempt)!.accept();
    const near = await connecting;
    const stream = await near.openStream();
    await stream.write(Uint8Array.of(1));
    const there = await far.acceptStream();
    assert.deepEqual([...await there!.read() ?? []], [1]);
  }
  server.close(0x100);
  return { hostname, port };
}

Deno.test("quic port: it is free behind portFreed, which does not wait for the collector", async () => {
  const at = await closedServer();
  // If this does not throw, Deno frees it by itself, and portFreed is not needed any more.
  assert.throws(() => listen(at), Deno.errors.AddrInUse);
  await portFreed(at);
  listen(at);
});

Deno.test("quic port: one that stays taken is waited for, but not for ever", async () => {
  const other = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const startedMs = performance.now();
  await portFreed(other.addr as Deno.NetAddr);
  assert.ok(performance.now() - startedMs < 10_000);
  other.close();
});
