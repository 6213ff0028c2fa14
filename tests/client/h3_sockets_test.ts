// WebSockets of the client over HTTP/3, as a server sees them that sends frames one by one.
import assert from "node:assert/strict";
import { type ConnectOptions, connectWebSocket, UpgradeRefused } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { H3Code } from "../../src/protocol/http3/codes.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import type { WebSocketHandler } from "../../src/server/exchange.ts";
import { withServer } from "../server/support.ts";
import { fromBackend } from "../support/frames.ts";
import { testCertificates } from "../support/proxy.ts";
import { dataFrame } from "../support/raw_h3.ts";
import { goaway, type RawH3Peer, RawH3Server } from "../support/raw_h3_server.ts";
import { steady } from "../support/steady.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

/** `connectWebSocket` to a server of a test's. */
async function withSockets(
  body: (t: {
    server: RawH3Server;
    connections: Connections;
    open(options?: ConnectOptions, path?: string): Promise<Socket>;
  }) => Promise<void>,
): Promise<void> {
  const { caPem } = await testCertificates();
  await using server = await RawH3Server.listen();
  using connections = new Connections();
  const open = (options: ConnectOptions = {}, path = "/") => {
    const url = `wss://localhost:${server.port}${path}`;
    const all: ConnectOptions = { httpVersion: "3", connections, caCerts: [caPem], ...options };
    const opening = connectWebSocket(url, all);
    opening.catch(() => {});
    return opening;
  };
  await body({ server, connections, open });
  connections.close();
}

Deno.test("h3 sockets: RFC 9220 §3, RFC 8441 §5: what a WebSocket is asked for with, and nothing of HTTP/1.1's", async () => {
  await withSockets(async ({ server, open }) => {
    const opening = open({
      protocols: ["chat", "b"],
      deflate: true,
      headers: [["Origin", "https://a.example"], ["X-Token", "secret"]],
    }, "/a%20b?c=d");
    const peer = await server.accept();
    await peer.welcome();
    const request = await peer.request();
    assert.deepEqual(request.fields.slice(0, 5).toSorted(), [
      [":authority", `localhost:${server.port}`],
      [":method", "CONNECT"],
      [":path", "/a%20b?c=d"],
      [":protocol", "websocket"],
      [":scheme", "https"],
    ]);
    assert.deepEqual(request.fields.slice(5).toSorted(), [
      ["origin", "https://a.example"],
      [
        "sec-websocket-extensions",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; " +
        "client_max_window_bits",
      ],
      ["sec-websocket-protocol", "chat, b"],
      ["sec-websocket-version", "13"],
      ["x-token", "secret"],
    ]);
    // What a server of HTTP/1.1 says is not asked for, and not looked at.
    await request.answer(200, [["sec-websocket-protocol", "b"], ["sec-websocket-accept", "?"]]);
    const socket = await opening;
    assert.deepEqual([socket.protocol, socket.extensions, socket.http], ["b", "", "3"]);
    socket.abort();
  });
});

Deno.test("h3 sockets: RFC 9220 §3: Close, then the end of the stream is clean; the end alone is 1006", async () => {
  await withSockets(async ({ server, open }) => {
    const first = open();
    const peer = await server.accept();
    await peer.welcome();
    const one = await peer.request();
    await one.answer(200, [], dataFrame(concat([fromBackend.text("hi"), fromBackend.close(4001)])));
    const socket = await first;
    assert.equal(await socket.receive(), "hi");
    assert.equal((await one.inbox.frame())!.opcode, Opcode.CLOSE);
    await one.fin();
    assert.deepEqual(await within("the end", socket.closed), {
      ...{ code: 4001, reason: "", wasClean: true, by: "peer" },
    });
    const second = open();
    const other = await peer.request();
    await other.answer(200, [], dataFrame(fromBackend.text("hi")));
    await other.fin();
    const lost = await second;
    assert.equal(await lost.receive(), "hi");
    const { code, wasClean, by } = await within("the end", lost.closed);
    assert.deepEqual([code, wasClean, by], [1006, false, "lost"]);
  });
});

Deno.test("h3 sockets: behind a refusal the next socket takes the same connection; behind GOAWAY, or where it was lost, another", async () => {
  await withSockets(async ({ server, connections, open }) => {
    const refused = open();
    const peer = await server.accept();
    await peer.welcome();
    const first = await peer.request();
    await first.answer(403, [["content-length", "3"]], dataFrame(new TextEncoder().encode("no\n")));
    await first.fin();
    await assert.rejects(refused, (error) => {
      assert.ok(error instanceof UpgradeRefused);
      assert.deepEqual([error.status, new TextDecoder().decode(error.body)], [403, "no\n"]);
      return true;
    });
    const opening = open();
    await (await peer.request()).answer(200);
    const kept = await opening;
    assert.equal(connections.size, 1);
    // Until GOAWAY has come, the old one serves.
    void peer.openAll();
    const second = server.accept().then(openAllOf);
    await peer.control(goaway(8));
    await until("another connection", async () => {
      (await open()).abort();
      return connections.size === 2;
    });
    assert.ok(kept.open, "it goes on where it is");
    const third = server.accept().then(openAllOf);
    (await second).quic.close(H3Code.H3_NO_ERROR, "restarting");
    await until("its end", () => connections.size === 1);
    assert.ok((await open()).open);
    await third;
    assert.equal(connections.size, 2);
  });
});

async function openAllOf(peer: RawH3Peer): Promise<RawH3Peer> {
  await peer.welcome();
  void peer.openAll();
  return peer;
}

Deno.test("h3 sockets: a socket that is given up while the server reads nothing of it keeps no connection open", async () => {
  await withSockets(async ({ server, open }) => {
    using connections = new Connections({ idleQuicTimeoutMs: 1 });
    const opening = open({ connections });
    const peer = await server.accept();
    await peer.welcome();
    const request = await peer.request();
    await request.answer(200);
    const socket = await opening;
    let sent = 0;
    const sending = (async () => {
      for (;;) {
        await socket.send(new Uint8Array(65_536));
        sent++;
      }
    })();
    sending.catch(() => {});
    await steady("what was sent", () => sent);
    socket.abort();
    await assert.rejects(sending, { name: "NetError" });
    assert.equal((await socket.closed).code, 1006);
    await until("the end of the connection", () => connections.size === 0, 5_000);
  });
});

Deno.test("h3 sockets: RFC 7838 §5: Alt-Used names the place that an Alt-Svc led to, and no other", async () => {
  const { caPem } = await testCertificates();
  await using elsewhere = await RawH3Server.listen();
  const service = `h3=":${elsewhere.port}"`;
  const handler: WebSocketHandler = async (request) => {
    assert.equal(request.headers.get("alt-used"), null);
    await request.accept({ headers: { "alt-svc": service } });
  };
  await withServer({}, handler, async ({ port }) => {
    using connections = new Connections({ idleTimeoutMs: 1, idleQuicTimeoutMs: 1 });
    const open = (httpVersion: "auto" | "3") =>
      connectWebSocket(`wss://localhost:${port}/`, { httpVersion, connections, caCerts: [caPem] });
    for (const httpVersion of ["auto", "3"] as const) {
      await (await open(httpVersion)).close();
      await until("the end of the connection", () => connections.size === 0);
    }
    const opening = open("auto");
    const peer = await elsewhere.accept();
    await peer.welcome();
    const request = await peer.request();
    assert.equal(request.get("alt-used"), `localhost:${elsewhere.port}`);
    assert.equal(request.get(":authority"), `localhost:${port}`);
    await request.answer(200);
    (await opening).abort();
    connections.close();
  });
});
