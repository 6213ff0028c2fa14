// Files that `h3ws proxy` reads again while it runs: on SIGHUP at once, and when they change.
import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { makeClientCertificate } from "../net/client_certificates.ts";
import { RawBackend } from "../support/backend.ts";
import { type ProxyProcess, startProxyProcess } from "../support/process.ts";
import { RawClient } from "../support/raw_h3.ts";
import { statusOverTls } from "../support/status_over_tls.ts";
import { withFolder } from "../cli/support.ts";

const ignore = Deno.build.os === "windows";
const make = () => makeCertificates({ hosts: ["localhost", "127.0.0.1"], days: 1 });
/** What was logged since then. The watch may tell the same once more, where it looks just then. */
function eventsOf({ log }: ProxyProcess, since: number): string[] {
  const events = log.slice(since).map(({ event }) => event);
  return events.filter((event, i) => event !== events[i - 1]);
}

const HEALTH = { path: "/healthz" };

/** As tools do: the file is put in its place whole. */
async function write(file: string, text: string): Promise<void> {
  await Deno.writeTextFile(`${file}.new`, text);
  await Deno.rename(`${file}.new`, file);
}

Deno.test("process: SIGHUP without --config: the certificate is read at once, one line each time", {
  ignore,
}, async () => {
  await withFolder(async (folder) => {
    const [first, second] = [await make(), await make()];
    const [certFile, keyFile] = [`${folder}/cert.pem`, `${folder}/key.pem`];
    await write(certFile, first.certPem);
    await write(keyFile, first.keyPem);
    const flags = ["--cert", certFile, "--key", keyFile];
    await using proxy = await startProxyProcess({ backendPort: 1, flags });
    const { port } = proxy;
    const before = proxy.log.length;
    proxy.kill("SIGHUP");
    const { level, files } = await proxy.logged("files.unchanged");
    assert.deepEqual([level, files], ["info", `${certFile}, ${keyFile}`]);

    await write(keyFile, second.keyPem);
    proxy.kill("SIGHUP");
    const told = await proxy.logged("cert.error");
    assert.match(String(told.message), /^Cannot use .*cert\.pem with .*; the old pair stays$/);
    proxy.kill("SIGHUP");
    assert.equal((await proxy.logged("cert.error")).message, told.message, "again, for who asks");
    assert.equal(await statusOverTls({ port, caCerts: [first.caPem], ...HEALTH }), 200);

    await write(certFile, second.certPem);
    proxy.kill("SIGHUP");
    await proxy.logged("cert.reloaded");
    assert.equal(await statusOverTls({ port, caCerts: [second.caPem], ...HEALTH }), 200);
    assert.equal(await statusOverTls({ port, caCerts: [first.caPem], ...HEALTH }), 0);
    const firstEvents = eventsOf(proxy, before).slice(0, 3);
    assert.deepEqual(firstEvents, ["files.unchanged", "cert.error", "cert.reloaded"]);
    proxy.kill("SIGTERM");
    assert.equal((await proxy.status).code, 0);
  });
});

Deno.test(
  "process: --client-ca is read again when it changes and on SIGHUP; a bad one changes nothing",
  {
    ignore,
  },
  async () => {
    await withFolder(async (folder) => {
      const [alice, bob] = await Promise.all([
        makeClientCertificate([{ CN: ["alice"] }]),
        makeClientCertificate([{ CN: ["bob"] }]),
      ]);
      const file = `${folder}/clients.pem`;
      await write(file, alice.caPem);
      await using proxy = await startProxyProcess({ backendPort: 1, flags: ["--client-ca", file] });
      const { port, caCerts } = proxy;
      const statusFor = ({ certPem, keyPem }: { certPem: string; keyPem: string }) =>
        statusOverTls({ port, caCerts, certPem, keyPem, ...HEALTH });
      assert.deepEqual([await statusFor(alice), await statusFor(bob)], [200, 0]);

      const bad = [
        ["no PEM", "no certificate in PEM is in it"],
        [
          `${bob.caPem}\n-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n`,
          "of the 2 certificates in it number 2 can't be read",
        ],
      ];
      for (const [text, problem] of bad) {
        await write(file, text);
        proxy.kill("SIGHUP");
        const { level, message } = await proxy.logged("ca.error");
        const want = `Cannot use ${file} for --client-ca: ${problem}; the old one stays`;
        assert.deepEqual([level, message], ["warning", want]);
        assert.deepEqual([await statusFor(alice), await statusFor(bob)], [200, 0]);
      }
      await write(file, bob.caPem);
      proxy.kill("SIGHUP");
      const { flag, file: told } = await proxy.logged("ca.reloaded");
      assert.deepEqual([flag, told], ["client-ca", file]);
      assert.deepEqual([await statusFor(alice), await statusFor(bob)], [0, 200]);
      // By the watch.
      await write(file, `${alice.caPem}\n${bob.caPem}`);
      await proxy.logged("ca.reloaded");
      assert.deepEqual([await statusFor(alice), await statusFor(bob)], [200, 200]);
    });
  },
);

Deno.test("process: --backend-ca is read again: whoever is dialled next is verified by it", {
  ignore,
}, async () => {
  await withFolder(async (folder) => {
    const [own, other] = [await make(), await make()];
    const file = `${folder}/ca.pem`;
    await write(file, own.caPem);
    const tls = { cert: own.certPem, key: own.keyPem };
    const backend = await RawBackend.listen({ tls });
    let quic: RawClient | null = null;
    try {
      const flags = ["--backend", `wss://127.0.0.1:${backend.port}`, "--backend-ca", file];
      await using proxy = await startProxyProcess({ backendPort: 1, flags });
      const { port, caCerts } = proxy;
      quic = await RawClient.connect({ port, caCerts });
      const first = await quic.connectWs();
      await backend.upgrade();
      assert.equal((await first.response()).status, 200);

      await write(file, "no PEM");
      proxy.kill("SIGHUP");
      assert.match(String((await proxy.logged("ca.error")).message), /for --backend-ca: no cert/);
      const second = await quic.connectWs();
      await backend.upgrade();
      assert.equal((await second.response()).status, 200, "a bad one changes nothing");

      await write(file, other.caPem);
      proxy.kill("SIGHUP");
      assert.equal((await proxy.logged("ca.reloaded")).flag, "backend-ca");
      assert.equal((await (await quic.connectWs()).response()).status, 502);
      assert.match(String((await proxy.logged("ws.error")).message), /certificate/i);
    } finally {
      quic?.close();
      await backend.close();
    }
  });
});
