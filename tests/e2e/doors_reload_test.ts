// Issue 4, Build 3: certificates and client CAs that change while all doors are open.
import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { makeClientCertificate } from "../net/client_certificates.ts";
import { DoorPeers, say } from "../support/door_peers.ts";
import { withNamedDoors } from "../support/named_doors.ts";
import { statusOverTls } from "../support/status_over_tls.ts";

const TLS_DOORS = ["h1s", "h2", "h3"] as const;

Deno.test("doors: a reload with one bad pair among others changes none of them, by QUIC and by TCP", async () => {
  const [next, other, unfit] = await Promise.all([
    makeCertificates({ hosts: ["localhost", "127.0.0.1"], days: 1 }),
    makeCertificates({ hosts: ["other.example"], days: 1 }),
    makeCertificates({ hosts: ["other.example"], days: 1 }),
  ]);
  await withNamedDoors({ certificates: [other] }, async ({ t }) => {
    const { port, plainPort } = t.proxy;
    const bad = [{ ...other, keyPem: unfit.keyPem }, { certPem: "no", keyPem: "pem" }];
    for (const pair of bad) {
      assert.throws(() => t.proxy.reload(next.certPem, next.keyPem, [pair]), { name: "NetError" });
      await using old = new DoorPeers({ port, plainPort, caPem: t.caCerts[0] });
      for (const door of TLS_DOORS) assert.equal((await old.ask(door)).status, 200, door);
    }
    t.proxy.reload(next.certPem, next.keyPem, [other]);
    await using fresh = new DoorPeers({ port, plainPort, caPem: next.caPem });
    for (const door of TLS_DOORS) assert.equal((await fresh.ask(door)).status, 200, door);
  });
});

Deno.test("doors: another client CA is taken at once, a bad one changes nothing, the certificates stay", async () => {
  const [first, second] = await Promise.all([
    makeClientCertificate([{ CN: ["alice"] }]),
    makeClientCertificate([{ CN: ["bob"] }]),
  ]);
  const other = await makeCertificates({ hosts: ["localhost", "127.0.0.1"], days: 1 });
  await withNamedDoors({ clientCaPem: first.caPem }, async ({ t, peers }) => {
    const { port } = t.proxy;
    let { caCerts } = t;
    const statusFor = (client: { certPem?: string; keyPem?: string }) => {
      const { certPem, keyPem } = client;
      return statusOverTls({ port, caCerts, certPem, keyPem });
    };
    const tunnel = await peers.open("h3", { path: "/ws" });
    for (
      const bad of ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"]
    ) {
      assert.throws(() => t.proxy.reloadClientCa(bad), { name: "NetError" });
      assert.equal(await statusFor(first), 200);
      assert.equal(await statusFor(second), 0);
    }
    t.proxy.reloadClientCa(second.caPem);
    assert.equal(await statusFor(second), 200);
    assert.equal(await statusFor(first), 0);
    // A change of the certificates leaves the client CA as it is now.
    caCerts = [other.caPem];
    t.proxy.reload(other.certPem, other.keyPem);
    assert.equal(await statusFor(second), 200);
    assert.equal(await statusFor(first), 0);
    assert.equal(await statusFor({}), 0);
    assert.equal(await say(tunnel, "still here"), "main still here");
    tunnel.fin();
  });
});
