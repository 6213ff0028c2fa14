// What the client makes of servers that are not as one would like: node:http2 and ws by TCP, and by
// UDP nobody.
import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { connectWebSocket } from "../../src/client/connect.ts";
import { Connections, type ConnectionsOptions } from "../../src/client/connections.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { proxyOptions } from "../../src/config/proxy_options.ts";
import { startProxy } from "../../src/proxy/proxy.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { NodeHttp2Server, type NodeHttp2ServerOptions } from "./node_http2_server.ts";

interface Talk {
  server: NodeHttp2Server;
  connections: Connections;
  open(path?: string): Promise<Socket>;
  rest(socket: Socket): Promise<void>;
}

async function withServer(
  options: NodeHttp2ServerOptions & ConnectionsOptions & { caCerts?: string[] },
  body: (talk: Talk) => Promise<void>,
): Promise<void> {
  await using server = await NodeHttp2Server.listen(options);
  const { caPem } = await testCertificates();
  const caCerts = [caPem, ...options.caCerts ?? []];
  using connections = new Connections(options);
  const open = async (path = "/echo") => {
    const url = `wss://localhost:${server.port}${path}`;
    const socket = await connectWebSocket(url, { connections, caCerts });
    await socket.send("hello");
    assert.equal(await socket.receive(), "hello");
    return socket;
  };
  const rest = async (socket: Socket) => {
    await socket.close();
    await until("the end of idle connections", () => connections.size === 0);
  };
  await body({ server, connections, open, rest });
}

function test(
  name: string,
  options: NodeHttp2ServerOptions & ConnectionsOptions,
  body: (talk: Talk) => Promise<void>,
): void {
  Deno.test(`client at node:http2: ${name}`, () => withServer(options, body));
}

/** Takes datagrams and answers none: a firewall, seen from afar. */
function listenDeaf() {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  let taken = 0;
  const loop = (async () => {
    for await (const _ of socket) taken++;
  })();
  return {
    port: (socket.addr as Deno.NetAddr).port,
    get taken() {
      return taken;
    },
    async [Symbol.asyncDispose]() {
      socket.close();
      await loop;
    },
  };
}

Deno.test("client: RFC 7838 §2.4: HTTP/3 that does not answer gives way within its head start, and is left alone then", async () => {
  await using deaf = listenDeaf();
  const fields = { "alt-svc": `h3="127.0.0.1:${deaf.port}"` };
  const options = { fields, idleTimeoutMs: 1, headStartMs: 100 };
  await withServer(options, async ({ open, rest }) => {
    await rest(await open());
    assert.equal(deaf.taken, 0, "nothing was known yet");
    const startedMs = performance.now();
    const second = await open();
    assert.equal(second.http, "2");
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs >= 100 && tookMs < 3_000, `${tookMs} ms`);
    assert.ok(deaf.taken > 0, "HTTP/3 was tried first");
    await rest(second);
    const { taken } = deaf;
    await rest(await open());
    assert.equal(deaf.taken, taken, "HTTP/3 is not tried again so soon");
  });
});

Deno.test("client: HTTP/3 is tried again when its failure is old", async () => {
  await using deaf = listenDeaf();
  const fields = { "alt-svc": `h3="127.0.0.1:${deaf.port}"` };
  const options = { fields, idleTimeoutMs: 1, headStartMs: 20, failedForMs: 0 };
  await withServer(options, async ({ open, rest }) => {
    await rest(await open());
    await rest(await open());
    const { taken } = deaf;
    assert.ok(taken > 0);
    await rest(await open());
    assert.ok(deaf.taken > taken);
  });
});

Deno.test("client: RFC 7838 §2.1: another place is trusted as the origin, or not at all", async () => {
  await using backend = await NodeHttp2Server.listen({ allowHTTP1: true });
  const own = await testCertificates();
  const foreign = await makeCertificates({ hosts: ["other.example"], days: 1 });
  for (const { certPem, keyPem, http } of [{ ...foreign, http: "2" }, { ...own, http: "3" }]) {
    const proxy = await startProxy(proxyOptions({
      ...{ certPem, keyPem, listen: "127.0.0.1:0", tcp: false, path: "/echo" },
      backend: `wss://localhost:${backend.port}`,
      backendCaCerts: [own.caPem],
    }));
    try {
      const fields = { "alt-svc": `h3="127.0.0.1:${proxy.port}"` };
      const caCerts = [foreign.caPem];
      const soon = { idleTimeoutMs: 1, idleQuicTimeoutMs: 1 };
      await withServer({ fields, caCerts, ...soon }, async (talk) => {
        await talk.rest(await talk.open());
        const socket = await talk.open();
        assert.equal(socket.http, http);
        await talk.rest(socket);
      });
    } finally {
      await proxy.stop();
    }
  }
});

const FORGOTTEN = [
  { name: "clear", value: "clear" },
  { name: "ma=0", value: 'h3=":1"; ma=0' },
  { name: "another field without h3", value: 'h2=":1"' },
];

for (const { name, value } of FORGOTTEN) {
  Deno.test(`client: RFC 7838 §3: Alt-Svc: ${name} takes back what was said`, async () => {
    await using deaf = listenDeaf();
    const fields = { "alt-svc": `h3="127.0.0.1:${deaf.port}"` };
    await withServer({ fields, idleTimeoutMs: 1 }, async ({ open, rest }) => {
      const first = await open();
      fields["alt-svc"] = value;
      await (await open()).close();
      await rest(first);
      await rest(await open());
      assert.equal(deaf.taken, 0);
    });
  });
}

test("RFC 8441 §3: HTTP/2 without extended CONNECT gives way to HTTP/1.1", {
  enableConnectProtocol: false,
  allowHTTP1: true,
}, async ({ open, server }) => {
  const first = await open();
  assert.equal(first.http, "1.1");
  assert.deepEqual([server.sessions.length, server.requests.length], [1, 0]);
  const second = await open();
  assert.equal(second.http, "1.1");
  assert.equal(server.sessions.length, 1, "HTTP/2 is not tried again so soon");
  assert.equal(server.upgraded.length, 2);
  await Promise.all([first.close(), second.close()]);
});

test("RFC 9113 §7: HTTP_1_1_REQUIRED is obeyed", { allowHTTP1: true }, async (t) => {
  assert.equal((await t.open("/reset/13")).http, "1.1");
  assert.equal(t.server.requests.length, 1);
});

test("RFC 9113 §5.1.2: what one connection has no room for gets another", {
  maxConcurrentStreams: 2,
}, async ({ open, server, connections }) => {
  const sockets = await Promise.all(Array.from({ length: 5 }, () => open()));
  assert.equal(connections.size, 3);
  await sockets[0].close();
  await open();
  assert.equal(server.sessions.length, 3, "where there is room, it is taken");
});

test("RFC 9113 §6.8: behind GOAWAY a new connection is made", {}, async ({ open, server }) => {
  const old = await open();
  server.goaway();
  await until("a second connection", async () => {
    await (await open()).close();
    return server.sessions.length === 2;
  });
  await old.send("still open");
  assert.equal(await old.receive(), "still open");
});

test("a connection that was lost is replaced", {}, async ({ open, server, connections }) => {
  await (await open()).close();
  server.sessions[0].destroy();
  const socket = await open();
  assert.equal(server.sessions.length, 2);
  assert.equal(connections.size, 1);
  await socket.close();
});

test("RFC 9113 §8.7: a server that refuses every stream is not asked for ever", {}, async (t) => {
  await assert.rejects(t.open("/reset/7"), {
    name: "NetError",
    message: /^Cannot open wss:.*: the server reset the stream: REFUSED_STREAM$/,
  });
  assert.equal(t.server.requests.length, 1);
});
