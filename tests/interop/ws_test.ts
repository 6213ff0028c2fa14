// npm:ws at both ends of the proxy: as the client through the doors of HTTP/1.1, in clear text and
// over TLS, and as the server. (Through those of HTTP/2 it serves node:http2.)
import assert from "node:assert/strict";
// @ts-types="@types/ws"
import type { ClientOptions, ServerOptions } from "ws";
import { latin1 } from "../support/inbox.ts";
import { testCertificates, type TestProxy, withProxy } from "../support/proxy.ts";
import { WsBackend, type WsPeer } from "../support/ws_backend.ts";
import { DOORS } from "./doors.ts";
import { WsClient } from "./ws_client.ts";

const MIB = 2 ** 20;

interface Talk {
  t: TestProxy;
  backend: WsBackend;
  client(protocols?: string[], options?: ClientOptions): WsClient;
  /** A socket that is open at both of its ends. */
  open(protocols?: string[], options?: ClientOptions): Promise<{ client: WsClient; peer: WsPeer }>;
}

/** Declares a test of both doors of HTTP/1.1. */
function test(name: string, body: (talk: Talk) => Promise<void>, options: ServerOptions = {}) {
  for (const { name: door, secure } of DOORS.filter(({ http }) => http === "1.1")) {
    Deno.test(`npm:ws by ${door}: ${name}`, async () => {
      const { caPem } = await testCertificates();
      await using backend = await WsBackend.listen(options);
      const dial = { hostname: "127.0.0.1", port: backend.port };
      await withProxy({
        backend: { dial, url: `ws://127.0.0.1:${backend.port}` },
        ...(secure ? { tcp: true } : { plainListen: { hostname: "127.0.0.1", port: 0 } }),
      }, async (t) => {
        const { port, plainPort } = t.proxy;
        const url = secure
          ? `wss://localhost:${port}/ws?a=b`
          : `ws://localhost:${plainPort}/ws?a=b`;
        const client: Talk["client"] = (protocols = [], options = {}) =>
          new WsClient(url, protocols, { ca: caPem, perMessageDeflate: false, ...options });
        await body({
          ...{ t, backend, client },
          async open(protocols, options) {
            const opened = client(protocols, options);
            await opened.expect("open");
            return { client: opened, peer: await backend.accept() };
          },
        });
      });
    });
  }
}

/** Ends it from the client, with 4001. */
async function close({ client, peer }: { client: WsClient; peer: WsPeer }): Promise<void> {
  client.socket.close(4001, "grüße");
  assert.deepEqual(await client.expect("close"), { type: "close", code: 4001, reason: "grüße" });
  assert.deepEqual(await peer.closed, { code: 4001, reason: "grüße" });
}

test("text and binary of 1 MiB, both ways, and Ping", async ({ open }) => {
  const both = await open();
  const { client, peer } = both;
  assert.equal(peer.request.url, "/ws?a=b");
  const text = "grüße, 世界. ".repeat(MIB / 17);
  const bytes = Uint8Array.from({ length: MIB }, (_, i) => i * 31 + (i >> 8));
  for (const message of [text, bytes, "", new Uint8Array(0)]) {
    client.socket.send(message);
    assert.deepEqual(await peer.message(), message);
    peer.socket.send(message);
    assert.deepEqual((await client.expect("message")).data, message);
  }
  client.socket.ping("are you there");
  assert.equal((await client.expect("pong")).data, "are you there");
  peer.socket.ping("and you");
  assert.equal((await client.expect("ping")).data, "and you");
  await close(both);
});

test("a message in a hundred fragments", async ({ open }) => {
  const both = await open();
  for (let i = 0; i < 100; i++) both.client.socket.send(`${i};`, { fin: i === 99 });
  const whole = Array.from({ length: 100 }, (_, i) => `${i};`).join("");
  assert.equal(await both.peer.message(), whole);
  await close(both);
});

test("the backend's choice of a subprotocol, and none", async ({ open }) => {
  const chosen = await open(["chat.v2", "chat.v1"]);
  assert.equal(chosen.client.socket.protocol, "chat.v1");
  await close(chosen);
  const none = await open();
  assert.equal(none.client.socket.protocol, "");
  await close(none);
}, { handleProtocols: (offered) => offered.has("chat.v1") ? "chat.v1" : false });

test("permessage-deflate with context takeover (RFC 7692)", async ({ open, t }) => {
  const both = await open([], { perMessageDeflate: { threshold: 0 } });
  const { client, peer } = both;
  assert.equal(client.socket.extensions, "permessage-deflate");
  assert.equal(peer.socket.extensions, "permessage-deflate");
  const text = "squeezed ".repeat(MIB / 9);
  for (let i = 0; i < 3; i++) {
    client.socket.send(text);
    assert.ok(await peer.message() === text, "to the backend");
    peer.socket.send(text);
    assert.ok((await client.expect("message")).data === text, "to the client");
  }
  for (const { bytes } of [t.seen.toBackend, t.seen.toClient]) {
    assert.ok(bytes > 0 && bytes < MIB / 10, `${bytes} bytes for 3 MiB`);
  }
  await close(both);
}, { perMessageDeflate: { threshold: 0 } });

test("Close 4001 by the client", async ({ open, t }) => {
  await close(await open());
  assert.deepEqual(await t.seen.end(), { by: "client", code: 4001, reason: "grüße" });
});

test("Close 4001 by the backend", async ({ open, t }) => {
  const { client, peer } = await open();
  peer.socket.close(4001, "enough");
  assert.deepEqual(await client.expect("close"), { type: "close", code: 4001, reason: "enough" });
  assert.equal((await peer.closed).code, 4001);
  assert.deepEqual(await t.seen.end(), { by: "backend", code: 4001, reason: "enough" });
});

test("a client that is cut off: 1006 at the backend", async ({ open, t }) => {
  const { client, peer } = await open();
  client.socket.terminate();
  await client.expect("close");
  assert.equal((await peer.closed).code, 1006);
  assert.deepEqual([(await t.seen.end()).by, (await t.seen.end()).code], ["client", 1006]);
});

test("the backend's refusal, 403 with its body", async ({ client }) => {
  const refused = client();
  const { response } = await refused.expect("refused");
  assert.equal(response.statusCode, 403);
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) chunks.push(chunk);
  assert.equal(chunks.map(latin1).join(""), "not you");
  refused.socket.terminate();
}, { verifyClient: (_info, done) => done(false, 403, "not you") });

test("five sockets at once", async ({ open, t }) => {
  const sockets = [];
  for (let i = 0; i < 5; i++) sockets.push(await open());
  assert.deepEqual([t.proxy.sessions, t.proxy.connections], [5, 5]);
  for (const [i, { client }] of sockets.entries()) client.socket.send(`socket ${i}`);
  for (const [i, { peer }] of sockets.entries()) {
    assert.equal(await peer.message(), `socket ${i}`);
    peer.socket.send(`to ${i}`);
  }
  for (const [i, both] of sockets.entries()) {
    assert.equal((await both.client.expect("message")).data, `to ${i}`);
    await close(both);
  }
});
