// A dial through an HTTP proxy: the target sees the same bytes, with TLS and without.
import assert from "node:assert/strict";
import * as net from "node:net";
import * as tls from "node:tls";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { dial, type TlsAbout } from "../../src/net/dial.ts";
import { NetError } from "../../src/net/error.ts";
import { startConnectProxy } from "../support/connect_proxy.ts";
import { within } from "../support/within.ts";

const NEVER = new AbortController().signal;
const pair = await makeCertificates({ hosts: ["localhost"], days: 1, client: "alice" });
const authorization = `Basic ${btoa("me:secret")}`;

async function withEcho(server: net.Server, body: (port: number) => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body((server.address() as net.AddressInfo).port);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

const echo = (socket: net.Socket) => void socket.on("error", () => {}).pipe(socket);

Deno.test("http proxy: CONNECT names the target, and its bytes are those of the stream", async () => {
  const { certPem: cert, keyPem: key, caPem } = pair;
  for (const secure of [false, true]) {
    const server = secure ? tls.createServer({ cert, key }, echo) : net.createServer(echo);
    await withEcho(server, async (port) => {
      await using proxy = await startConnectProxy();
      const abouts: TlsAbout[] = [];
      const stream = await within(
        "the dial",
        dial({
          ...{ hostname: "localhost", port },
          proxy: { hostname: "127.0.0.1", port: proxy.port, authorization },
          tls: secure
            ? {
              ...{ serverName: "localhost", caCerts: [caPem], insecure: false },
              alpnProtocols: ["http/1.1"],
              onSecure: (about) => abouts.push(about),
            }
            : undefined,
        }, NEVER),
      );
      await stream.write(new TextEncoder().encode("through"));
      const came = await within("the echo", stream.read());
      assert.equal(new TextDecoder().decode(came!), "through");
      stream.abort();
      assert.deepEqual(proxy.asked, [[`localhost:${port}`, authorization]]);
      const want = [{ version: "TLS 1.3", cipher: abouts[0]?.cipher }];
      assert.deepEqual(abouts, secure ? want : []);
      if (secure) assert.match(abouts[0].cipher, /^TLS_[A-Z0-9_]+$/);
    });
  }
});

const REFUSALS: [answer: string, kind: string, message: RegExp][] = [
  [
    "HTTP/1.1 407 No\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
    "refused",
    /^the proxy 127\.0\.0\.1:\d+ answered CONNECT with 407 Proxy Authentication Required$/,
  ],
  ["HTTP/1.1 403 Forbidden\r\n\r\n", "unreachable", /answered CONNECT with 403 Forbidden$/],
  ["HTTP/1.1 200 OK\r\n\r\nsurplus", "other", /^the proxy sent bytes behind its answer/],
  ["", "lost", /^the proxy closed the connection to itself$/],
];

Deno.test("http proxy: what it refuses is told, with TLS and without", async () => {
  for (const [answer, kind, message] of REFUSALS) {
    for (const secure of [false, true]) {
      await using proxy = await startConnectProxy(answer);
      const tls = { serverName: "x.example", alpnProtocols: ["http/1.1"], insecure: false };
      const dialled = dial({
        ...{ hostname: "x.example", port: 443, tls: secure ? tls : undefined },
        proxy: { hostname: "127.0.0.1", port: proxy.port },
      }, NEVER);
      await assert.rejects(within("the refusal", dialled), (error) => {
        assert.ok(error instanceof NetError);
        assert.match(error.message, message);
        assert.equal(error.kind, kind);
        return true;
      });
    }
  }
});

Deno.test("http proxy: one that never answers is given up", async () => {
  for (const secure of [false, true]) {
    const connected = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const server = net.createServer((socket) => {
      socket.on("error", () => {}).on("data", () => connected.resolve());
      socket.once("close", () => closed.resolve());
    });
    await withEcho(server, async (port) => {
      const controller = new AbortController();
      const tls = { serverName: "x.example", alpnProtocols: ["http/1.1"], insecure: false };
      const dialled = dial({
        ...{ hostname: "x.example", port: 443, tls: secure ? tls : undefined },
        proxy: { hostname: "127.0.0.1", port },
      }, controller.signal);
      await within("the CONNECT", connected.promise);
      controller.abort();
      await assert.rejects(dialled, { name: "NetError", kind: "aborted" });
      await within("the socket's end", closed.promise);
    });
  }
});

Deno.test("client certificate: it is shown to the server, and one that can't be used is told", async () => {
  const { certPem: cert, keyPem: key, caPem } = pair;
  const subjects: unknown[] = [];
  const server = tls.createServer(
    { cert, key, ca: [caPem], requestCert: true, rejectUnauthorized: true },
    (socket) => {
      subjects.push(socket.getPeerCertificate().subject?.CN);
      echo(socket);
    },
  );
  await withEcho(server, async (port) => {
    const options = {
      ...{ serverName: "localhost", caCerts: [caPem], insecure: false },
      alpnProtocols: ["http/1.1"],
    };
    const { certPem, keyPem } = pair.client!;
    const stream = await dial({
      ...{ hostname: "127.0.0.1", port },
      tls: { ...options, clientCertificate: { certPem, keyPem } },
    }, NEVER);
    await stream.write(new Uint8Array([1]));
    assert.deepEqual([...(await within("the echo", stream.read()))!], [1]);
    stream.abort();
    assert.deepEqual(subjects, ["alice"]);
    const broken = dial({
      ...{ hostname: "127.0.0.1", port },
      tls: { ...options, clientCertificate: { certPem: "nothing", keyPem } },
    }, NEVER);
    await assert.rejects(within("the refusal", broken), { name: "NetError" });
  });
});
