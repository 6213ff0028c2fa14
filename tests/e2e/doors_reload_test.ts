// Issue 4, Build 3: certificates and client CAs that change while all doors are open.
import assert from "node:assert/strict";
import * as tls from "node:tls";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { makeClientCertificate } from "../net/client_certificates.ts";
import { DoorPeers, say } from "../support/door_peers.ts";
import { answerAt, type Doors } from "../support/doors.ts";
import { latin1 } from "../support/inbox.ts";
import { withNamedDoors } from "../support/named_doors.ts";
import { until } from "../support/until.ts";

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

/** The status of a request by HTTP/1.1 over TLS; 0 where the connection ends without an answer. */
async function statusFor(t: Doors, client: { certPem?: string; keyPem?: string }): Promise<number> {
  const socket = tls.connect({
    ...{ host: "127.0.0.1", port: t.proxy.port, servername: "localhost" },
    ...{ ca: [...t.caCerts], cert: client.certPem, key: client.keyPem },
    ALPNProtocols: ["http/1.1"],
  });
  let [got, over] = ["", false];
  socket.on("error", () => {}).on("close", () => over = true);
  socket.on("data", (chunk: Uint8Array) => got += latin1(chunk));
  socket.write("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until("an answer", () => answerAt(got) !== null || over);
  socket.destroy();
  await until("the end of a connection", () => over);
  return answerAt(got)?.status ?? 0;
}

Deno.test("doors: another client CA is taken at once, a bad one changes nothing, the certificates stay", async () => {
  const [first, second] = await Promise.all([
    makeClientCertificate([{ CN: ["alice"] }]),
    makeClientCertificate([{ CN: ["bob"] }]),
  ]);
  const other = await makeCertificates({ hosts: ["localhost", "127.0.0.1"], days: 1 });
  await withNamedDoors({ clientCaPem: first.caPem }, async ({ t, peers }) => {
    const tunnel = await peers.open("h3", { path: "/ws" });
    for (
      const bad of ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"]
    ) {
      assert.throws(() => t.proxy.reloadClientCa(bad), { name: "NetError" });
      assert.equal(await statusFor(t, first), 200);
      assert.equal(await statusFor(t, second), 0);
    }
    t.proxy.reloadClientCa(second.caPem);
    assert.equal(await statusFor(t, second), 200);
    assert.equal(await statusFor(t, first), 0);
    // A change of the certificates leaves the client CA as it is now.
    const caCerts = [other.caPem];
    t.proxy.reload(other.certPem, other.keyPem);
    assert.equal(await statusFor({ ...t, caCerts }, second), 200);
    assert.equal(await statusFor({ ...t, caCerts }, first), 0);
    assert.equal(await statusFor({ ...t, caCerts }, {}), 0);
    assert.equal(await say(tunnel, "still here"), "main still here");
    tunnel.fin();
  });
});
