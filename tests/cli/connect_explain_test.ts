// Why no WebSocket could be opened: one line with the cause and what to try, met with real servers.
import assert from "node:assert/strict";
import * as net from "node:net";
import * as tls from "node:tls";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { startEcho } from "../../src/cli/echo_server.ts";
import { explain } from "../../src/cli/connect_explain.ts";
import { open, type Plan } from "../../src/cli/connect_open.ts";
import { serve } from "../../src/cli/serve.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import type { HttpProxy } from "../../src/net/http_proxy.ts";
import { startConnectProxy } from "../support/connect_proxy.ts";
import { within } from "../support/within.ts";

const pair = await makeCertificates({ hosts: ["localhost"], days: 1 });
const other = await makeCertificates({ hosts: ["other.example"], days: 1 });

interface Try extends Partial<Plan> {
  readonly url: string;
  readonly caFile?: string;
  readonly proxy?: HttpProxy;
}

/** Opens it against all odds; the line that says why not, without the beginning of all. */
async function whyNot(attempt: Try): Promise<string> {
  const { proxy = null, caFile = null, ...given } = attempt;
  const plan: Plan = {
    ...{ http: "auto", protocols: [], headers: [], insecure: false, followsRedirects: false },
    ...{ timeoutMs: 10_000, proxyFor: () => proxy },
    ...given,
  };
  const hooks = { signal: new AbortController().signal, onPing() {}, onPong() {} };
  const opening = open(plan, hooks).then(({ socket }) => {
    socket.abort();
    return null;
  }, (error: unknown) => error);
  const error = await within("the end of the attempt", opening);
  assert.ok(error !== null, `${plan.url} was opened`);
  const line = explain(error, {
    ...plan,
    caFile,
    tcpOnly: plan.insecure || proxy !== null,
    proxy: proxy === null ? null : `${proxy.hostname}:${proxy.port}`,
  });
  const head = `Cannot open ${plan.url}: `;
  assert.ok(line.startsWith(head) && !line.includes("\n"), line);
  return line.slice(head.length);
}

async function withServer(
  server: net.Server,
  body: (port: number) => Promise<void>,
): Promise<void> {
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket.on("error", () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body((server.address() as net.AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** Answers each request with the same. */
const answering = (answer: string) =>
  net.createServer((socket) => {
    socket.on("error", () => {}).once("data", () => socket.end(answer.replaceAll("\n", "\r\n")));
  });

const secure = (options: tls.TlsOptions) =>
  tls.createServer({ cert: pair.certPem, key: pair.keyPem, ...options }, (socket) => {
    socket.on("error", () => {});
  }).on("tlsClientError", () => {});

const ANSWERS: [answer: string, want: string][] = [
  [
    "HTTP/1.1 403 Forbidden\ncontent-length: 9\n\nno  entry",
    "the server answered 403 Forbidden: no entry; " +
    "--origin names the page that it may come from, --header a cookie or a token",
  ],
  [
    "HTTP/1.1 401 X\ncontent-type: text/html\ncontent-length: 3\n\n<p>",
    "the server answered 401 Unauthorized; --auth user:password, or a token by " +
    "--header 'Authorization: Bearer ...'",
  ],
  [
    "HTTP/1.1 302 Found\nlocation: /login\ncontent-length: 0\n\n",
    "the server answered 302 Found to /login; -L follows it",
  ],
  [
    "HTTP/1.1 200 OK\ncontent-length: 6\n\n\x1b[2J!\n",
    "the server answered 200 OK: \\u001b[2J!; is the path that of a WebSocket?",
  ],
  [
    "HTTP/1.1 503 X\ncontent-length: 0\n\n",
    "the server answered 503 Service Unavailable; " +
    "the server or what stands behind it fails; its log says why",
  ],
  [
    "HTTP/1.1 101 X\nupgrade: websocket\nconnection: upgrade\nsec-websocket-accept: x\n\n",
    "its Sec-WebSocket-Accept does not fit the key",
  ],
  ["nonsense\n\n", "the server breaks a rule of HTTP: Invalid status line"],
  [
    "",
    "the connection broke: connection closed before an answer; if it speaks TLS, wss:// is the way",
  ],
];

Deno.test("connect: an answer that is no WebSocket is told with its body and what to try", async () => {
  for (const [answer, want] of ANSWERS) {
    await withServer(answering(answer), async (port) => {
      assert.equal(await whyNot({ url: `ws://127.0.0.1:${port}/` }), want);
    });
  }
});

Deno.test("connect: nobody there, no such host, no answer", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  const at = `127.0.0.1:${listener.addr.port}`;
  const refused = `nobody listens at ${at}; does the server run, and is that its port?`;
  assert.equal(await whyNot({ url: `ws://${at}/` }), refused);
  assert.equal(await whyNot({ url: `wss://${at}/`, http: "1.1" }), refused);
  const unresolved = "no host nosuch.invalid; is its name right, and is there a network?";
  for (const url of ["ws://nosuch.invalid/", "wss://nosuch.invalid/"]) {
    assert.equal(await whyNot({ url }), unresolved);
  }
  const silent = net.createServer((socket) => socket.on("error", () => {}));
  await withServer(silent, async (port) => {
    const want = `no answer from 127.0.0.1:${port} within 0.2 s; ` +
      "a firewall may be between, --timeout waits longer";
    assert.equal(await whyNot({ url: `ws://127.0.0.1:${port}/`, timeoutMs: 200 }), want);
    assert.equal(
      await whyNot({ url: `wss://127.0.0.1:${port}/`, timeoutMs: 200, http: "1.1" }),
      want,
    );
  });
  const udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = udp.addr as Deno.NetAddr;
  assert.equal(
    await whyNot({ url: `wss://127.0.0.1:${port}/`, timeoutMs: 200, http: "3" }),
    `no answer from 127.0.0.1:${port} within 0.2 s over UDP; ` +
      "HTTP/3 may not be served there, or be blocked; try -1",
  );
  udp.close();
});

Deno.test("connect: what is wrong with TLS over TCP", async () => {
  const { caPem } = pair;
  await withServer(secure({}), async (port) => {
    const url = `wss://localhost:${port}/`;
    assert.equal(
      await whyNot({ url, http: "1.1" }),
      "nobody who is trusted signed its certificate; " +
        "--ca names the file of the CA that did, -n takes any",
    );
    const caCerts = [other.caPem];
    assert.equal(
      await whyNot({ url, http: "1.1", caCerts, caFile: "ca.pem" }),
      "nobody who is trusted signed its certificate; ca.pem is not the CA that did, -n takes any",
    );
  });
  const { certPem: cert, keyPem: key } = other;
  await withServer(secure({ cert, key }), async (port) => {
    assert.equal(
      await whyNot({ url: `wss://localhost:${port}/`, http: "1.1", caCerts: [other.caPem] }),
      "its certificate is not for localhost; the URL has to have a name of the certificate, " +
        "-n takes any",
    );
  });
  await withServer(
    secure({ requestCert: true, rejectUnauthorized: true, ca: [caPem] }),
    async (port) => {
      assert.equal(
        await whyNot({ url: `wss://localhost:${port}/`, http: "1.1", caCerts: [caPem] }),
        "the server wants a client's certificate that it trusts; --cert and --key show one",
      );
    },
  );
  await withServer(answering("HTTP/1.1 400 Bad Request\n\n"), async (port) => {
    assert.equal(
      await whyNot({ url: `wss://localhost:${port}/`, http: "1.1" }),
      `localhost:${port} does not speak TLS; try ws:// instead of wss://`,
    );
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
      [pair, [pair.caPem], /SETTINGS_ENABLE_CONNECT_PROTOCOL; try -1$/],
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

Deno.test("connect: a proxy that is not there, and one that wants a password", async () => {
  const url = "wss://x.example/";
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  const { port } = listener.addr;
  assert.equal(
    await whyNot({ url, proxy: { hostname: "127.0.0.1", port } }),
    `nobody listens at the proxy 127.0.0.1:${port}; does the server run, and is that its port?`,
  );
  await using proxy = await startConnectProxy("HTTP/1.1 407 X\r\n\r\n");
  assert.equal(
    await whyNot({ url, proxy: { hostname: "127.0.0.1", port: proxy.port } }),
    `the proxy 127.0.0.1:${proxy.port} answered CONNECT with 407 Proxy Authentication Required; ` +
      "--proxy http://user:password@host:port",
  );
});

Deno.test("connect -L: redirects are followed five times, never to what is less safe, without secrets", async () => {
  const redirecting = (to: string) =>
    answering(`HTTP/1.1 307 X\nlocation: ${to}\ncontent-length: 0\n\n`);
  await withServer(redirecting("/again"), async (port) => {
    const at = `ws://127.0.0.1:${port}/`;
    assert.equal(
      await whyNot({ url: at, followsRedirects: true }),
      `more than 5 redirects, to ${at}again`,
    );
  });
  await withServer(redirecting("ftp://a.example/"), async (port) => {
    assert.equal(
      await whyNot({ url: `ws://127.0.0.1:${port}/`, followsRedirects: true }),
      "it redirects to ftp://a.example/, which is no WebSocket",
    );
  });
  const down = tls.createServer({ cert: pair.certPem, key: pair.keyPem }, (socket) => {
    socket.on("error", () => {}).once(
      "data",
      () =>
        socket.end("HTTP/1.1 301 X\r\nlocation: http://localhost:1/\r\ncontent-length: 0\r\n\r\n"),
    );
  });
  await withServer(down, async (port) => {
    const url = `wss://localhost:${port}/`;
    assert.equal(
      await whyNot({ url, http: "1.1", caCerts: [pair.caPem], followsRedirects: true }),
      "it redirects to ws://localhost:1/, which is not secure any more",
    );
  });
  const heads: string[] = [];
  const last = net.createServer((socket) => {
    socket.on("error", () => {}).once("data", (data) => {
      heads.push(String(data));
      socket.end("HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n");
    });
  });
  await withServer(last, async (port) => {
    await withServer(redirecting(`http://127.0.0.1:${port}/x`), async (from) => {
      const headers = [["authorization", "secret"], ["cookie", "secret"], ["x-a", "b"]] as const;
      const url = `ws://127.0.0.1:${from}/`;
      assert.match(await whyNot({ url, headers, followsRedirects: true }), / 404 Not Found/);
    });
    assert.match(heads[0], /^GET \/x HTTP\/1\.1\r\n/);
    assert.match(heads[0], /\r\nx-a: b\r\n/i);
    assert.doesNotMatch(heads[0], /secret/);
  });
});
