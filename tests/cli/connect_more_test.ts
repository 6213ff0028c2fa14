// h3ws connect: flags that change what is told, and when it ends, as a user sees them.
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { startEcho } from "../../src/cli/echo_server.ts";
import { serve } from "../../src/server/server.ts";
import { makeClientCertificate } from "../net/client_certificates.ts";
import { runCli, startCli } from "../support/cli.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { withFolder } from "./support.ts";

const RTT = /^pong after [\d.]+ ms$/gm;

async function withEcho(body: (url: string) => Promise<void>): Promise<void> {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  try {
    await body(`ws://127.0.0.1:${echo.port}/`);
  } finally {
    await echo.close();
  }
}

Deno.test("connect --max-messages: it ends when so many came, exit code 0", () =>
  withEcho(async (url) => {
    const texts = ["-x", "a", "-x", "b", "-x", "c"];
    const args = ["connect", url, ...texts, "-w", "20", "--max-messages", "2"];
    const { code, stdout } = await runCli(args);
    assert.deepEqual([code, stdout], [0, "a\nb\n"]);
  }));

Deno.test("connect --timestamps: each message has its time before it", () =>
  withEcho(async (url) => {
    const startedMs = Date.now();
    const { stdout } = await runCli(["connect", url, "-x", "a", "--one-message", "--timestamps"]);
    const [, time] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) a\n$/.exec(stdout) ?? [];
    const timeMs = Date.parse(time);
    assert.ok(timeMs >= startedMs && timeMs <= Date.now(), stdout);
  }));

Deno.test("connect --print-ping-rtts: each Pong is told with its time, without --ping-interval too", () =>
  withEcho(async (url) => {
    for (const interval of [["--ping-interval", "20ms"], []]) {
      await using cli = startCli(["connect", url, "--print-ping-rtts", ...interval]);
      await until("two round trips", () => [...cli.stderr.matchAll(RTT)].length >= 2);
      cli.child.kill("SIGINT");
      await cli.code();
    }
  }));

Deno.test("connect --passphrase: opens the key of a client's certificate; a wrong one is told", async () => {
  const { caPem, certPem, keyPem } = await testCertificates();
  const client = await makeClientCertificate([{ CN: ["me"] }]);
  const locked = createPrivateKey(client.keyPem).export({
    ...{ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "open sesame" },
  });
  const server = await serve(
    { listen: "127.0.0.1:0", certPem, keyPem, clientCaPem: client.caPem },
    async (request) => {
      const socket = await request.accept();
      for await (const message of socket) await socket.send(message);
    },
  );
  try {
    await withFolder(async (folder) => {
      const files = { ca: caPem, cert: client.certPem, key: String(locked) };
      for (const [name, pem] of Object.entries(files)) {
        await Deno.writeTextFile(`${folder}/${name}.pem`, pem);
      }
      const flags = Object.keys(files).flatMap((name) => [`--${name}`, `${folder}/${name}.pem`]);
      const args = ["connect", `wss://localhost:${server.port}/`, ...flags, "-x", "a"];
      const right = await runCli([...args, "--one-message", "--passphrase", "open sesame"]);
      assert.deepEqual([right.code, right.stdout], [0, "a\n"], right.stderr);
      const wrong = await runCli([...args, "--one-message", "--passphrase", "sesame"]);
      assert.notEqual(wrong.code, 0);
      assert.equal(wrong.stdout, "");
      assert.match(wrong.stderr, /key|passphrase/);
      assert.equal(wrong.stderr.trim().split("\n").length, 1, wrong.stderr);
    });
  } finally {
    await server.stop();
  }
});
