// What the client makes of answers that the proxy would never give, and of mistakes of its user.
import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { startEcho } from "../../src/cli/echo_server.ts";
import { connectWebSocket } from "../../src/client/connect.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { H3Server } from "../../src/ingress/h3_server.ts";
import { NetError } from "../../src/net/error.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { RawBackend } from "../support/backend.ts";
import { within } from "../support/within.ts";

/** A server that opens every tunnel with these fields. */
async function withServer(
  fields: readonly Field[],
  body: (url: string, caPem: string) => Promise<void>,
): Promise<void> {
  const { caPem, certPem, keyPem } = await makeCertificates({ hosts: ["127.0.0.1"], days: 1 });
  const bugs: unknown[] = [];
  const ignore = () => {};
  const server = new H3Server({
    ...{ hostname: "127.0.0.1", port: 0, certPem, keyPem },
    ...{ maxConnections: 10, maxStreams: 10, maxHeaderBytes: 16_384 },
    ...{ idleTimeoutMs: 60_000, keepaliveMs: 0, headTimeoutMs: 10_000, writeTimeoutMs: 10_000 },
    sweeper: new Sweeper(100),
    onOffer: async (offer) => {
      const tunnel = await offer.accept(fields);
      await tunnel.read().catch(ignore);
      tunnel.abort();
    },
    onBug: (_where, error) => bugs.push(error),
    ...{
      enableConnectProtocol: true,
      onHeadRefused: ignore,
      onPrerequestClose: ignore,
      onPeerError: ignore,
    },
    ...{ onConnectionOpened: ignore, onConnectionClosed: ignore, onConnectionRefused: ignore },
  });
  try {
    await body(`wss://127.0.0.1:${server.port}/ws`, caPem);
  } finally {
    await server.close();
  }
  assert.deepEqual(bugs, []);
}

const MISMATCHES: { name: string; fields: Field[]; message: RegExp }[] = [
  {
    name: "a subprotocol",
    fields: [["sec-websocket-protocol", "evil"]],
    message: /: it chose the subprotocol "evil", not offered$/,
  },
  {
    name: "two subprotocols",
    fields: [["sec-websocket-protocol", "chat"], ["sec-websocket-protocol", "chat"]],
    message: /: it chose the subprotocol "chat, chat", not offered$/,
  },
  {
    name: "an extension",
    fields: [["sec-websocket-extensions", "permessage-deflate"]],
    message: /: it chose the extension "permessage-deflate", not offered$/,
  },
];

for (const { name, fields, message } of MISMATCHES) {
  Deno.test(`client: RFC 6455 §4.1, HTTP/3: ${name} that was not offered fails the connection`, async () => {
    await withServer(fields, async (url, caPem) => {
      const opening = connectWebSocket(url, { caCerts: [caPem], protocols: ["chat"] });
      await assert.rejects(within("the client's refusal", opening), (error) => {
        assert.ok(error instanceof NetError, String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  });

  Deno.test(`client: RFC 6455 §4.1, HTTP/1.1: ${name} that was not offered fails the connection`, async () => {
    const backend = await RawBackend.listen();
    try {
      const opening = connectWebSocket(`ws://127.0.0.1:${backend.port}/`, { protocols: ["chat"] });
      opening.catch(() => {});
      const conn = await backend.upgrade(fields.map(([name, value]) => `${name}: ${value}`));
      await assert.rejects(opening, (error) => {
        assert.ok(error instanceof NetError, String(error));
        assert.match(error.message, message);
        return true;
      });
      await conn.inbox.rest();
    } finally {
      await backend.close();
    }
  });
}

async function withSocket(body: (socket: Socket) => Promise<void>): Promise<void> {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  try {
    await body(await connectWebSocket(`ws://127.0.0.1:${echo.port}`));
  } finally {
    await echo.close();
  }
}

Deno.test("client: RFC 6455 §7.4.1: a code that MUST NOT be sent throws, and the socket lives on", async () => {
  await withSocket(async (socket) => {
    for (const code of [0, 999, 1004, 1006, 1015, 5000]) {
      await assert.rejects(socket.close(code), RangeError);
    }
    await socket.send("still here");
    assert.equal(await socket.receive(), "still here");
    assert.equal((await socket.close(1005)).code, 1005);
  });
});

Deno.test("client: RFC 6455 §5.5: a Ping of more than 125 bytes is not sent", async () => {
  await withSocket(async (socket) => {
    await assert.rejects(socket.ping(new Uint8Array(126)), RangeError);
    const pong = socket.ping(new Uint8Array(125));
    await socket.send("still here");
    assert.equal(await socket.receive(), "still here");
    assert.ok(await pong > 0);
    assert.deepEqual(await socket.close(), { code: 1000, reason: "", wasClean: true, by: "us" });
  });
});
