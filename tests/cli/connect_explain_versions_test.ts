// What is wrong with TLS and the versions of HTTP, in one line with what to try.
import assert from "node:assert/strict";
import * as http2 from "node:http2";
import * as tls from "node:tls";
import { startEcho } from "../../src/cli/echo_server.ts";
import { serve } from "../../src/cli/serve.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import { answering, other, pair, secure, type Try, whyNot, withServer } from "./why_not.ts";

for (const http of ["auto", "1.1", "2"] as const) {
  Deno.test(`connect: what is wrong with TLS over TCP, by ${http}`, async () => {
    const { caPem } = pair;
    await withServer(secure({ ALPNProtocols: ["h2", "http/1.1"] }), async (port) => {
      // What stands in the URL says nothing.
      const url = `wss://localhost:${port}/expired`;
      assert.equal(
        await whyNot({ url, http }),
        "nobody who is trusted signed its certificate; " +
          "--ca names the file of the CA that did, -n takes any",
      );
      const caCerts = [other.caPem];
      assert.equal(
        await whyNot({ url, http, caCerts, caFile: "ca.pem" }),
        "nobody who is trusted signed its certificate; ca.pem is not the CA that did, -n takes any",
      );
    });
    const { certPem: cert, keyPem: key } = other;
    await withServer(secure({ cert, key }), async (port) => {
      assert.equal(
        await whyNot({ url: `wss://localhost:${port}/`, http, caCerts: [other.caPem] }),
        "its certificate is not for localhost; the URL has to have a name of the certificate, " +
          "-n takes any",
      );
    });
    const asking = {
      ...{ requestCert: true, rejectUnauthorized: true, ca: [caPem] },
      ALPNProtocols: ["h2", "http/1.1"],
    };
    await withServer(secure(asking), async (port) => {
      assert.equal(
        await whyNot({ url: `wss://localhost:${port}/`, http, caCerts: [caPem] }),
        "the server wants a client's certificate that it trusts; --cert and --key show one",
      );
    });
    await withServer(answering("HTTP/1.1 400 Bad Request\n\n"), async (port) => {
      assert.equal(
        await whyNot({ url: `wss://localhost:${port}/`, http }),
        `localhost:${port} does not speak TLS; try ws:// instead of wss://`,
      );
    });
  });
}

Deno.test("connect -2: what does not speak HTTP/2, or no WebSockets by it", async () => {
  const { caPem } = pair;
  const at: Partial<Try> = { http: "2", caCerts: [caPem] };
  await withServer(secure({ ALPNProtocols: ["http/1.1"] }), async (port) => {
    const line = await whyNot({ ...at, url: `wss://localhost:${port}/` });
    assert.equal(line, "it speaks no HTTP/2; try -1");
  });
  await withServer(secure({}), async (port) => {
    const line = await whyNot({ ...at, url: `wss://localhost:${port}/` });
    assert.equal(line, "the server did not choose HTTP/2 (ALPN h2); try -1");
  });
  await withServer(answering("HTTP/1.1 400 Bad Request\n\n"), async (port) => {
    const line = await whyNot({ ...at, url: `ws://127.0.0.1:${port}/` });
    assert.match(line, /^the server breaks a rule of HTTP: .*; try -1$/);
  });
  const plain = http2.createServer();
  await withServer(plain, async (port) => {
    const line = await whyNot({ ...at, url: `ws://127.0.0.1:${port}/` });
    assert.match(line, / over HTTP\/2 \(SETTINGS_ENABLE_CONNECT_PROTOCOL, .*\); try -1$/);
  });
});

Deno.test("connect: what breaks HTTP/2 where the server chose it", async () => {
  const { certPem: cert, keyPem: key, caPem } = pair;
  const server = tls.createServer({ cert, key, ALPNProtocols: ["h2"] }, (socket) => {
    socket.on("error", () => {}).end("no frames of HTTP/2 whatsoever, but more than their preface");
  });
  await withServer(server, async (port) => {
    const line = await whyNot({ url: `wss://localhost:${port}/`, caCerts: [caPem] });
    assert.match(line, /^the server breaks a rule of HTTP: .*; try -1$/);
  });
});

Deno.test("connect: what is wrong with HTTP/3", async () => {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  const config = readProxyConfig({
    ...{ backend: `ws://127.0.0.1:${echo.port}`, listen: "127.0.0.1:0", metrics: "off" },
    ...{ "log-level": "off", "h3-websocket": "off" },
  });
  for (
    const [made, caCerts, want] of [
      [
        pair,
        undefined,
        /^nobody who is trusted signed its certificate; --ca names the file of the CA that did$/,
      ],
      [
        other,
        [other.caPem],
        /^its certificate is not for localhost; the URL has to have a name of the certificate$/,
      ],
      [pair, [pair.caPem], / over HTTP\/3 \(SETTINGS_ENABLE_CONNECT_PROTOCOL, .*\); try -1$/],
    ] as const
  ) {
    const serving = await serve(config, { pair: made });
    const url = `wss://localhost:${serving.proxy.port}/ws`;
    const line = await whyNot({ url, http: "3", ...(caCerts && { caCerts: [...caCerts] }) });
    assert.match(line, want);
    await serving.drain(0);
  }
  await echo.close();
});
