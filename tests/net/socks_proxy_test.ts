// A dial through a SOCKS5 proxy: the target sees the same bytes, with TLS and without.
import assert from "node:assert/strict";
import * as net from "node:net";
import * as tls from "node:tls";
import { dial } from "../../src/net/dial.ts";
import { NetError } from "../../src/net/error.ts";
import { socksDialer } from "../../src/net/socks_proxy.ts";
import { testCertificates } from "../support/proxy.ts";
import { startSocksProxy } from "../support/socks_proxy.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const NEVER = new AbortController().signal;
const credentials = { username: "mé", password: "se:cret" };

async function withServer(
  server: net.Server,
  body: (port: number) => Promise<void>,
): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body((server.address() as net.AddressInfo).port);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

const echo = (socket: net.Socket) => void socket.on("error", () => {}).pipe(socket);

for (const secure of [false, true]) {
  Deno.test(`socks proxy: the name goes to the proxy, ${secure ? "TLS" : "bytes"} to the target`, async () => {
    const { certPem: cert, keyPem: key, caPem } = await testCertificates();
    const server = secure ? tls.createServer({ cert, key }, echo) : net.createServer(echo);
    await withServer(server, async (port) => {
      await using proxy = await startSocksProxy({ login: "mé:se:cret" });
      const dialer = socksDialer({ hostname: "127.0.0.1", port: proxy.port, credentials });
      const options = { serverName: "localhost", caCerts: [caPem], insecure: false };
      const stream = await within(
        "the dial",
        dial({
          ...{ hostname: "localhost", port, dialer },
          tls: secure ? { ...options, alpnProtocols: ["http/1.1"] } : undefined,
        }, NEVER),
      );
      await stream.write(new TextEncoder().encode("through"));
      assert.equal(new TextDecoder().decode((await within("the echo", stream.read()))!), "through");
      stream.abort();
      assert.deepEqual(proxy.asked, [`mé:se:cret localhost:${port}`]);
    });
  });
}

const target = { hostname: "a.example", port: 80 };

for (
  const [reply, kind, name] of [
    [1, "other", "GENERAL_FAILURE"],
    [2, "refused", "NOT_ALLOWED"],
    [3, "unreachable", "NETWORK_UNREACHABLE"],
    [4, "unreachable", "HOST_UNREACHABLE"],
    [5, "refused", "CONNECTION_REFUSED"],
    [6, "unreachable", "TTL_EXPIRED"],
    [9, "other", "0x9"],
  ] as const
) {
  Deno.test(`socks proxy: RFC 1928 §6: reply ${reply} is told as ${kind}`, async () => {
    await using proxy = await startSocksProxy({ reply });
    const at = `127.0.0.1:${proxy.port}`;
    await assert.rejects(socksDialer({ hostname: "127.0.0.1", port: proxy.port })(target, NEVER), {
      ...{ name: "NetError", kind },
      message: `the proxy ${at} answered CONNECT with ${name}`,
    });
  });
}

Deno.test("socks proxy: one that wants a password, or another one", async () => {
  await using proxy = await startSocksProxy({ login: "a:b" });
  const at = { hostname: "127.0.0.1", port: proxy.port };
  for (
    const [given, message] of [[undefined, /none of the methods/], [
      credentials,
      /refuses/,
    ]] as const
  ) {
    await assert.rejects(socksDialer({ ...at, credentials: given })(target, NEVER), (error) => {
      assert.ok(error instanceof NetError);
      assert.equal(error.kind, "refused");
      assert.match(error.message, message);
      assert.ok(!error.message.includes("se:cret"));
      return true;
    });
  }
});

Deno.test("socks proxy: one that hangs is given up, one that is no proxy or ends is told", async () => {
  const sockets = new Set<net.Socket>();
  const says = ["", "HTTP/1.1 400 Bad Request\r\n\r\n"];
  const server = net.createServer((socket) => {
    socket.on("error", () => {}).once("close", () => sockets.delete(socket)).resume();
    sockets.add(socket);
    const word = says.shift();
    if (word !== undefined) socket.end(word);
  });
  await withServer(server, async (port) => {
    const dialer = socksDialer({ hostname: "127.0.0.1", port });
    await assert.rejects(dialer(target, NEVER), { name: "NetError", kind: "lost" });
    await assert.rejects(dialer(target, NEVER), { name: "NetError", kind: "refused" });
    const gone = new AbortController();
    const hanging = dialer(target, gone.signal);
    await until("the connection", () => sockets.size > 0);
    gone.abort(new NetError("timeout", "too late"));
    await assert.rejects(within("the end", hanging), { kind: "timeout", message: "too late" });
    await until("nothing left", () => sockets.size === 0);
  });
});
