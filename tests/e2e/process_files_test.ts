// `h3ws proxy` as a process of its own, and files that can't be read to an end: it lives with them,
// and ends when it is asked to.
import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import { withFolder } from "../cli/support.ts";
import { fromClient, readClose } from "../support/frames.ts";
import { startProxyProcess } from "../support/process.ts";
import { within } from "../support/within.ts";
import { withProcess } from "./process_support.ts";

const ignore = Deno.build.os === "windows";
const { caPem, certPem, keyPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
const MIB = 1024 * 1024;

/** Puts what is made at a path in the place of a file, which is never gone meanwhile. */
async function replace(file: string, make: (path: string) => Promise<unknown>): Promise<void> {
  await make(`${file}.new`);
  await Deno.rename(`${file}.new`, file);
}

const makePipe = (path: string) => new Deno.Command("mkfifo", { args: [path] }).output();

async function withPair(
  body: (pair: { certFile: string; flags: string[]; folder: string }) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const [certFile, keyFile] = [`${folder}/cert.pem`, `${folder}/key.pem`];
    await Deno.writeTextFile(certFile, certPem);
    await Deno.writeTextFile(keyFile, keyPem);
    await body({ certFile, flags: ["--cert", certFile, "--key", keyFile], folder });
  });
}

Deno.test("process: SIGTERM drains, though a certificate in use has become a pipe", {
  ignore,
}, async () => {
  await withPair(async ({ certFile, flags }) => {
    await withProcess(flags, async ({ proxy, backend, connect }) => {
      const quic = await connect(caPem);
      const client = await quic.connectWs();
      const conn = await backend.upgrade();
      await client.response();
      await replace(certFile, makePipe);
      const { message } = await proxy.logged("cert.error");
      assert.equal(
        message,
        `Cannot read ${certFile}: it is not a regular file; the old pair stays`,
      );
      proxy.kill("SIGTERM");
      assert.equal(readClose(await client.inbox.frame()).code, CloseCode.GOING_AWAY);
      await client.send(fromClient.close(CloseCode.GOING_AWAY));
      await client.fin();
      conn.fin();
      assert.equal((await within("its end", proxy.status)).code, 0);
    });
  });
});

Deno.test("process: SIGTERM drains, though the configuration file has become a pipe", {
  ignore,
}, async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/h3ws.yaml`;
    await Deno.writeTextFile(
      file,
      "routes: [{ match: { path: /a }, backend: ws://127.0.0.1:1 }]\n",
    );
    await using proxy = await startProxyProcess({ backendPort: 1, flags: ["--config", file] });
    await replace(file, makePipe);
    const want = `Cannot read ${file}: it is not a regular file; nothing is changed`;
    assert.equal((await proxy.logged("config.error")).message, want);
    proxy.kill("SIGHUP");
    assert.equal((await proxy.logged("config.error")).message, want, "again, for who asks");
    proxy.kill("SIGTERM");
    assert.equal((await within("its end", proxy.status)).code, 0);
  });
});

Deno.test("process: a certificate that has become a file without an end takes no memory", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await withPair(async ({ certFile, flags }) => {
    await using proxy = await startProxyProcess({ backendPort: 1, flags });
    const before = proxy.rssBytes();
    const bad: [make: (path: string) => Promise<void>, problem: string][] = [
      [(path) => Deno.symlink("/dev/zero", path), "it is not a regular file"],
      [(path) => Deno.writeFile(path, new Uint8Array(MIB + 1)), "it is larger than 1 MiB"],
    ];
    for (const [make, problem] of bad) {
      await replace(certFile, make);
      const { message } = await proxy.logged("cert.error");
      assert.equal(message, `Cannot read ${certFile}: ${problem}; the old pair stays`);
    }
    assert.ok(proxy.rssBytes() - before < 64 * MIB);
    proxy.kill("SIGTERM");
    assert.equal((await within("its end", proxy.status)).code, 0);
  });
});
