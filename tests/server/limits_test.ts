// What a server takes and how long it waits: above it one client ends, and nobody else notices.
import assert from "node:assert/strict";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import type { ServeOptions } from "../../src/server/options.ts";
import { DOOR_IDS, isOpen, say } from "../support/door_peers.ts";
import { fromBackend, fromClient, readClose } from "../support/frames.ts";
import { RawClient } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";
import { echo, withServer } from "./support.ts";

interface Row {
  name: string;
  options?: ServeOptions;
  /** What a client sends. */
  bytes: readonly Uint8Array[];
  code: number;
}

const ROWS: readonly Row[] = [
  {
    name: "a frame above maxFrameBytes",
    options: { maxFrameBytes: 10 },
    bytes: [fromClient.text("12345678901")],
    code: CloseCode.MESSAGE_TOO_BIG,
  },
  {
    name: "a message above maxMessageBytes",
    options: { maxMessageBytes: 10 },
    bytes: [
      fromClient.frame(Opcode.TEXT, "123456", { fin: false }),
      fromClient.frame(Opcode.CONTINUATION, "78901"),
    ],
    code: CloseCode.MESSAGE_TOO_BIG,
  },
  {
    name: "RFC 6455 §5.1: a frame without a mask",
    bytes: [fromBackend.text("hello")],
    code: CloseCode.PROTOCOL_ERROR,
  },
  {
    name: "RFC 6455 §5.2: a reserved bit that nothing was negotiated for",
    bytes: [fromClient.frame(Opcode.TEXT, "hello", { rsv: 4 })],
    code: CloseCode.PROTOCOL_ERROR,
  },
  {
    name: "RFC 6455 §8.1: text that is no UTF-8",
    bytes: [fromClient.frame(Opcode.TEXT, new Uint8Array([0xff]))],
    code: CloseCode.INVALID_FRAME_PAYLOAD_DATA,
  },
];

for (const door of DOOR_IDS) {
  for (const { name, options, bytes, code } of ROWS) {
    Deno.test(`limits: ${door}: ${name}: Close ${code}, and nobody else notices`, async () => {
      await withServer({ ...options }, echo, async ({ peers, ends, errors }) => {
        const other = await peers.open(door);
        const tunnel = await peers.open(door);
        for (const one of bytes) tunnel.send(one);
        assert.equal(readClose(await tunnel.inbox.frame()).code, code);
        assert.deepEqual(await tunnel.inbox.rest(), new Uint8Array(0), "nothing behind Close");
        tunnel.fin();
        await until("the end", () => ends.length === 1);
        assert.deepEqual(ends, [["us", code]]);
        assert.equal(await say(other, "me too"), "me too");
        assert.deepEqual(errors(), []);
      });
    });
  }

  Deno.test(`limits: ${door}: 503 above maxSockets, until one has ended`, async () => {
    await withServer({ maxSockets: 1 }, echo, async ({ peers, server, rejections }) => {
      const first = await peers.open(door);
      const second = await peers.open(door);
      assert.deepEqual([second.status, second.body], [503, "too many sockets\n"]);
      assert.equal(second.get("retry-after"), "5");
      assert.deepEqual(rejections, [["max_sockets", 503]]);
      first.send(fromClient.close(1000));
      await first.inbox.rest();
      first.fin();
      await until("room", () => server.sockets.size === 0);
      assert.ok(isOpen(await peers.open(door)));
    });
  });

  Deno.test(`limits: ${door}: 431 above maxHeaderBytes`, async () => {
    await withServer({ maxHeaderBytes: 1024 }, echo, async ({ peers, rejections }) => {
      const fields = [["x-long", "x".repeat(2000)]] as const;
      assert.equal((await peers.open(door, { fields })).status, 431);
      assert.deepEqual(rejections, [["header_size", 431]]);
    });
  });

  Deno.test(`limits: ${door}: maxHeaderBytes is of a head alone: content may be as large as it likes`, async () => {
    const fetch = async (request: Request) => new Response(`${(await request.text()).length}`);
    await withServer({ maxHeaderBytes: 1024, fetch }, echo, async ({ peers, rejections }) => {
      const answer = await peers.ask(door, { method: "POST", body: "x".repeat(16_000) });
      assert.deepEqual([answer.status, answer.body], [200, "16000"]);
      assert.deepEqual(rejections, []);
    });
  });

  Deno.test(`limits: ${door}: Close 1001 when no byte went either way for readTimeoutMs`, async () => {
    await withServer({ readTimeoutMs: 100 }, echo, async ({ peers, ends }) => {
      const tunnel = await peers.open(door);
      assert.equal(await say(tunnel, "one"), "one");
      const close = readClose(await tunnel.inbox.frame());
      assert.deepEqual(close, { code: 1001, reason: "idle for too long" });
      tunnel.send(fromClient.close(1001));
      await until("the end", () => ends.length === 1);
      assert.deepEqual(ends, [["us", 1001]]);
    });
  });

  Deno.test(`limits: ${door}: a Ping every pingIntervalMs, and 1006 without a Pong`, async () => {
    const options = { pingIntervalMs: 50, pongTimeoutMs: 300 };
    await withServer(options, echo, async ({ peers, ends }) => {
      const tunnel = await peers.open(door);
      for (let i = 0; i < 3; i++) {
        const frame = await tunnel.inbox.frame();
        assert.equal(frame!.opcode, Opcode.PING);
        tunnel.send(fromClient.frame(Opcode.PONG, frame!.payload));
      }
      await until("the end", () => ends.length === 1);
      assert.deepEqual(ends, [["lost", CloseCode.ABNORMAL_CLOSURE]]);
    });
  });
}

Deno.test("limits: a handler that takes its time with a message is not idle", async () => {
  const thought = Promise.withResolvers<void>();
  const options = { readTimeoutMs: 80 };
  await withServer(options, async (request) => {
    const socket = await request.accept();
    await socket.receive();
    await thought.promise;
    for await (const message of socket) await socket.send(message);
  }, async ({ peers, ends }) => {
    const tunnel = await peers.open("h3");
    tunnel.send(fromClient.text("think"));
    tunnel.send(fromClient.text("next"));
    // Far more than it may be idle.
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.deepEqual(ends, []);
    thought.resolve();
    assert.equal(new TextDecoder().decode((await tunnel.inbox.frame())!.payload), "next");
  });
});

Deno.test("limits: a client that takes nothing for writeTimeoutMs is cut off", async () => {
  const failures: string[] = [];
  await withServer({ writeTimeoutMs: 200 }, async (request) => {
    const socket = await request.accept();
    try {
      for (;;) await socket.send(new Uint8Array(65_536));
    } catch (error) {
      failures.push((error as Error).name);
      throw error;
    }
  }, async ({ peers, ends, errors }) => {
    const client = await peers.h1("h1");
    client.stopReading();
    client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await until("the end", () => ends.length === 1);
    assert.deepEqual(ends, [["lost", CloseCode.ABNORMAL_CLOSURE]]);
    assert.deepEqual(failures, ["NetError"]);
    assert.deepEqual(errors(), [], "it is no fault of the handler's");
  });
});

Deno.test("limits: connections above maxConnections are refused, over all doors together", async () => {
  await withServer(
    { maxConnections: 2 },
    echo,
    async ({ peers, port, caPem, server, rejections }) => {
      await peers.open("h3");
      await peers.open("h2");
      assert.equal(server.connections, 2);
      const third = await peers.h1("h1");
      assert.equal(await third.ended(), "");
      await assert.rejects(RawClient.connect({ port, caCerts: [caPem] }));
      assert.deepEqual(new Set(rejections.map(([reason]) => reason)), new Set(["max_connections"]));
    },
  );
});

Deno.test("limits: a head that does not come in handshakeTimeoutMs is answered with 408", async () => {
  await withServer({ handshakeTimeoutMs: 100 }, echo, async ({ peers }) => {
    const client = await peers.h1("h1");
    client.send("GET / HTTP/1.1\r\n");
    assert.match(await client.ended(), /^HTTP\/1\.1 408 /);
  });
});
