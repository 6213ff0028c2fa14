// HAProxy in front, which speaks HTTP/2 with `:protocol` (RFC 8441) or HTTP/1.1 to the proxy:
// npm:ws -> HAProxy -> `h3ws proxy` -> npm:ws.
import assert from "node:assert/strict";
import { WsBackend } from "../support/ws_backend.ts";
import { type Door, DOORS, type Doors, startDoors } from "./doors.ts";
import { startHaProxy } from "./haproxy.ts";
import { HttpBackend } from "./http_backend.ts";
import { peerTests } from "./peers.ts";
import { WsClient } from "./ws_client.ts";

const test = peerTests("H3WS_HAPROXY");
const MIB = 2 ** 20;

/** How HAProxy gives on what its client asked to upgrade to: as it came. */
const SPELLINGS = ["websocket", "WebSocket"];

async function talk(url: string, upgrade: string, backend: WsBackend): Promise<void> {
  const client = new WsClient(url, ["chat"], { headers: { Upgrade: upgrade } });
  await client.expect("open");
  const peer = await backend.accept();
  assert.equal(client.socket.protocol, "chat");
  assert.equal(client.socket.extensions, "permessage-deflate");
  assert.equal(peer.request.url, "/ws?a=b");
  const bytes = crypto.getRandomValues(new Uint8Array(65_536));
  const big = new Uint8Array(MIB - 1024);
  for (let at = 0; at < big.length; at += bytes.length) {
    big.set(bytes.subarray(0, Math.min(bytes.length, big.length - at)), at);
  }
  for (const message of ["grüße", big]) {
    client.socket.send(message);
    assert.deepEqual(await peer.message(), message);
    peer.socket.send(message);
    assert.deepEqual((await client.expect("message")).data, message);
  }
  client.socket.close(4001, "done");
  assert.deepEqual(await client.expect("close"), { type: "close", code: 4001, reason: "done" });
  assert.deepEqual(await peer.closed, { code: 4001, reason: "done" });
}

for (const door of DOORS) {
  test(`HAProxy by ${door.name}: WebSockets, with subprotocol, deflate, 1 MiB and Close 4001`, async (haproxy) => {
    await using backend = await WsBackend.listen({ perMessageDeflate: { threshold: 0 } });
    await using proxy = await startDoors({ backendPort: backend.port });
    await using front = await startHaProxy({ haproxy, door, proxy });
    for (const upgrade of SPELLINGS) {
      await talk(`ws://127.0.0.1:${front.port}/ws?a=b`, upgrade, backend);
      const { http, subprotocol, protocol } = await proxy.logged("ws.open");
      assert.deepEqual([http, subprotocol, protocol], [door.http, "chat", "websocket"]);
      const { by, code } = await proxy.logged("ws.close");
      assert.deepEqual([by, code], ["client", 4001]);
    }
  });

  test(`HAProxy by ${door.name}: ordinary requests`, async (haproxy) => {
    await using backend = await HttpBackend.listen();
    await using proxy = await startDoors({ backendPort: backend.port });
    await using front = await startHaProxy({ haproxy, door, proxy });
    const origin = `http://127.0.0.1:${front.port}`;
    const client = Deno.createHttpClient({});
    try {
      const get = await fetch(`${origin}/a?b=c`, { client });
      assert.deepEqual([get.status, await get.text()], [200, "GET of 0 bytes\n"]);
      const body = new Uint8Array(MIB);
      const post = await fetch(`${origin}/a`, { client, method: "POST", body });
      assert.equal(await post.text(), `POST of ${MIB} bytes\n`);
      const download = await fetch(`${origin}/download/${8 * MIB}`, { client });
      assert.equal((await download.bytes()).length, 8 * MIB);
      assert.equal(backend.requests[0].headers.via, `${door.http} h3ws`);
    } finally {
      client.close();
    }
  });
}

async function throughProxyHeader(haproxy: string, words: string, door: Door): Promise<void> {
  await using backend = await WsBackend.listen();
  const proxy: Doors = await startDoors({ backendPort: backend.port, flags: ["--proxy-protocol"] });
  await using _proxy = proxy;
  await using front = await startHaProxy({ haproxy, door, proxy, words });
  const url = `ws://127.0.0.1:${front.port}/ws`;
  // Any address of 127.0.0.0/8 is this machine's.
  const client = new WsClient(url, [], { localAddress: "127.0.0.9" });
  await client.expect("open");
  const peer = await backend.accept();
  assert.equal(peer.request.headers["x-forwarded-for"], "127.0.0.9");
  client.socket.close(1000);
  await client.expect("close");
  await peer.closed;
}

for (const [version, words] of [["1", "send-proxy"], ["2", "send-proxy-v2"]]) {
  test(`HAProxy: the PROXY protocol, version ${version}, tells who the client is`, async (haproxy) => {
    for (const door of DOORS) await throughProxyHeader(haproxy, words, door);
  });
}
