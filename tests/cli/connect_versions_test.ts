// h3ws connect by each version of HTTP, as a process of its own.
import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { serve } from "../../src/cli/serve.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import { serve as serveHandler } from "../../src/server/server.ts";
import { runCli } from "../support/cli.ts";
import { startConnectProxy } from "../support/connect_proxy.ts";
import { withEcho, withFolder } from "./support.ts";

Deno.test("connect: over HTTP/3, over TLS, with a client's certificate, and through a proxy", () =>
  withEcho(({ url: backend }) =>
    withFolder(async (folder) => {
      const pair = await makeCertificates({ hosts: ["localhost"], days: 1, client: "alice" });
      await Deno.writeTextFile(`${folder}/ca.pem`, pair.caPem);
      await Deno.writeTextFile(`${folder}/client.pem`, pair.client!.certPem);
      await Deno.writeTextFile(`${folder}/client-key.pem`, pair.client!.keyPem);
      const config = readProxyConfig({
        ...{ backend, listen: "127.0.0.1:0", metrics: "off", "log-level": "off" },
        "client-ca": `${folder}/ca.pem`,
      });
      const serving = await serve(config, { pair });
      await using proxy = await startConnectProxy();
      try {
        const url = `wss://localhost:${serving.proxy.port}/ws`;
        const ca = ["--ca", `${folder}/ca.pem`, "-x", "hi", "--one-message"];
        const cert = ["--cert", `${folder}/client.pem`, "--key", `${folder}/client-key.pem`];
        const http2 = /^connected by HTTP\/2 \(TLS 1\.3, TLS_\w+\), [\d.]+ ms\n/;
        const rows: [args: string[], how: RegExp][] = [
          [["-3", ...ca], /^connected by HTTP\/3 \(QUIC v1, TLS 1\.3\), [\d.]+ ms\n/],
          [["-1", ...ca, ...cert], /^connected by HTTP\/1\.1 \(TLS 1\.3, TLS_\w+\), [\d.]+ ms\n/],
          [["-2", ...ca, ...cert], http2],
          [[...ca, ...cert], http2],
          [["-n", "-x", "hi", "--one-message", ...cert], http2],
          [
            [...ca, ...cert, "--proxy", `http://127.0.0.1:${proxy.port}`],
            /^connected by HTTP\/2 \(TLS 1\.3, TLS_\w+, by the proxy 127\.0\.0\.1:\d+\), /,
          ],
        ];
        for (const [args, how] of rows) {
          const { code, stdout, stderr } = await runCli(["connect", url, ...args]);
          assert.deepEqual([code, stdout], [0, "hi\n"], stderr);
          assert.match(stderr, how);
        }
        assert.equal(proxy.asked.length, 1);
        for (const args of [["-1"], ["-2"], []]) {
          const without = await runCli(["connect", url, ...args, ...ca]);
          assert.equal(without.code, 1);
          assert.match(
            without.stderr,
            /the server wants a client's certificate .*; --cert and --key show one\n$/,
          );
        }
      } finally {
        await serving.drain(0);
      }
    })
  ));

Deno.test("connect: in the clear HTTP/2 is spoken by -2 alone, HTTP/1.1 by itself", async () => {
  const server = await serveHandler({ plainListen: "127.0.0.1:0" }, async (request) => {
    const socket = await request.accept();
    for await (const message of socket) await socket.send(message);
  });
  try {
    const url = `ws://127.0.0.1:${server.plainPort}/`;
    for (const [args, http] of [[["-2"], "2"], [["-1"], "1.1"], [[], "1.1"]] as const) {
      const said = ["-x", "hi", "--one-message"];
      const { code, stdout, stderr } = await runCli(["connect", url, ...args, ...said]);
      assert.deepEqual([code, stdout], [0, "hi\n"], stderr);
      assert.ok(stderr.startsWith(`connected by HTTP/${http} (no TLS), `), stderr);
    }
  } finally {
    await server.stop();
  }
});

Deno.test("connect: where nobody listens by TCP, HTTP/3 may serve alone; not with what it can't have", () =>
  withFolder(async (folder) => {
    const pair = await makeCertificates({ hosts: ["localhost"], days: 1 });
    await Deno.writeTextFile(`${folder}/ca.pem`, pair.caPem);
    const { certPem, keyPem } = pair;
    const versions = { h1: false, h2: false };
    const server = await serveHandler(
      { listen: "127.0.0.1:0", certPem, keyPem, versions },
      async (request) => {
        const socket = await request.accept();
        for await (const message of socket) await socket.send(message);
      },
    );
    try {
      const url = `wss://localhost:${server.port}/`;
      const said = ["-x", "hi", "--one-message"];
      const { code, stdout, stderr } = await runCli([
        ...["connect", url, "--ca", `${folder}/ca.pem`],
        ...said,
      ]);
      assert.deepEqual([code, stdout], [0, "hi\n"], stderr);
      assert.match(stderr, /^connected by HTTP\/3 \(QUIC v1, TLS 1\.3\), /);
      const unchecked = await runCli(["connect", url, "-n", ...said]);
      assert.equal(unchecked.code, 1);
      assert.match(unchecked.stderr, / nobody listens at localhost:/);
    } finally {
      await server.stop();
    }
  }));

Deno.test("connect --reconnect: what a server said of HTTP/3 is gone by the next time", () =>
  withFolder(async (folder) => {
    const pair = await makeCertificates({ hosts: ["localhost"], days: 1 });
    await Deno.writeTextFile(`${folder}/ca.pem`, pair.caPem);
    const { certPem, keyPem } = pair;
    const server = await serveHandler(
      { listen: "127.0.0.1:0", certPem, keyPem },
      async (request) => {
        const socket = await request.accept();
        // RFC 7838: Alt-Svc came with the first answer.
        await socket.send(request.httpVersion);
        await socket.close(request.httpVersion === "3" ? 1000 : 1012);
      },
    );
    try {
      const args = ["connect", `wss://localhost:${server.port}/`, "--ca", `${folder}/ca.pem`];
      const { code, stdout, stderr } = await runCli([...args, "--reconnect"]);
      assert.deepEqual([code, stdout], [0, "2\n3\n"], stderr);
      // One that can't have HTTP/3 stays where it is.
      const checked = await runCli([...args, "-n", "--reconnect", "--max-messages", "1"]);
      assert.equal(checked.stdout, "2\n");
      assert.match(checked.stderr, /^connected by HTTP\/2 /);
    } finally {
      await server.stop();
    }
  }));
