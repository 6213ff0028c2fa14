// Why no WebSocket could be opened: one line with the cause and what to try, met with real servers.
import assert from "node:assert/strict";
import * as net from "node:net";
import * as tls from "node:tls";
import { startConnectProxy } from "../support/connect_proxy.ts";
import { answering, pair, whyNot, withServer } from "./why_not.ts";

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
  for (const http of ["auto", "1.1", "2"] as const) {
    assert.equal(await whyNot({ url: `wss://${at}/`, http }), refused);
  }
  const unresolved = "no host nosuch.invalid; is its name right, and is there a network?";
  for (const url of ["ws://nosuch.invalid/", "wss://nosuch.invalid/"]) {
    assert.equal(await whyNot({ url }), unresolved);
  }
  const silent = net.createServer((socket) => socket.on("error", () => {}));
  await withServer(silent, async (port) => {
    const want = `no answer from 127.0.0.1:${port} within 0.2 s; ` +
      "a firewall may be between, --timeout waits longer";
    assert.equal(await whyNot({ url: `ws://127.0.0.1:${port}/`, timeoutMs: 200 }), want);
    for (const http of ["auto", "1.1", "2"] as const) {
      assert.equal(await whyNot({ url: `wss://127.0.0.1:${port}/`, timeoutMs: 200, http }), want);
    }
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
  await withServer(redirecting("http://127.0.0.1:1/"), async (port) => {
    const line = await whyNot({ url: `ws://127.0.0.1:${port}/`, followsRedirects: true });
    assert.match(line, /^nobody listens at 127\.0\.0\.1:1; /);
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
