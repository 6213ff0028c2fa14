// Handlers that read nothing, send too much, or answer requests with bodies that can't be sent.
import assert from "node:assert/strict";
import { type ConnectOptions, connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import type { WebSocketHandler } from "../../src/server/exchange.ts";
import type { FetchHandler } from "../../src/server/fetch.ts";
import { testAlone } from "../support/alone.ts";
import { DOOR_IDS, type DoorId } from "../support/door_peers.ts";
import { steady } from "../support/steady.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { echo, type TestServer, withServer } from "./support.ts";

const MIB = 2 ** 20;
const PIECE = new Uint8Array(65_536).fill(7);
/** What is sent to who reads nothing, if all of it is taken. */
const ALL = 64 * MIB;
/** Windows and the buffers of the system: those of TCP hold some megabytes for each side. */
const MAY_BE_ON_ITS_WAY = 24 * MIB;

const VERSIONS: Record<DoorId, NonNullable<ConnectOptions["httpVersion"]>> = {
  ...{ h1: "1.1", h1s: "1.1", h2c: "2", h2: "2", h3: "3" },
};

interface Client {
  connect: (path: string) => Promise<Socket>;
}

/** A server, and a client whose connections are its own. */
async function withClient(
  door: DoorId,
  handler: WebSocketHandler,
  body: (t: TestServer & Client) => Promise<void>,
): Promise<void> {
  await withServer({}, handler, async (t) => {
    using connections = new Connections();
    const plain = door === "h1" || door === "h2c";
    const origin = plain ? `ws://127.0.0.1:${t.plainPort}` : `wss://localhost:${t.port}`;
    const options = { httpVersion: VERSIONS[door], caCerts: [t.caPem], connections };
    const connect = (path: string) =>
      connectWebSocket(origin + path, { ...options, maxMessageBytes: MIB });
    await body({ ...t, connect });
  });
}

/** Sends until all is sent or the socket ends; resolves with how much was taken. */
async function pour(socket: Socket, took: (bytes: number) => void): Promise<void> {
  for (let sent = 0; sent < ALL; sent += PIECE.length) {
    await socket.send(PIECE);
    took(PIECE.length);
  }
}

/** Bytes of all messages to the end. */
async function drained(socket: Socket): Promise<number> {
  let bytes = 0;
  for await (const message of socket) bytes += message.length;
  return bytes;
}

for (const door of DOOR_IDS) {
  Deno.test(`misbehaving: ${door}: a handler that reads nothing holds its client, and none beside it; nothing is lost`, async () => {
    const reads = Promise.withResolvers<void>();
    const total = Promise.withResolvers<number>();
    const handler: WebSocketHandler = async (request) => {
      if (request.path !== "/holds") return await echo(request);
      const socket = await request.accept();
      await reads.promise;
      total.resolve(await drained(socket));
    };
    await withClient(door, handler, async ({ connect }) => {
      const beside = await connect("/");
      const socket = await connect("/holds");
      let taken = 0;
      const poured = pour(socket, (bytes) => taken += bytes);
      const held = await steady("what is taken", () => taken);
      assert.ok(held < MAY_BE_ON_ITS_WAY, `${held} bytes are on their way`);
      await beside.send("me too");
      assert.equal(await within("an echo", beside.receive()), "me too");
      reads.resolve();
      await within("the rest", poured);
      await Promise.all([socket.close(), beside.close()]);
      assert.equal(await within("all of it", total.promise), ALL);
    });
  });

  Deno.test(`misbehaving: ${door}: a handler that sends to who reads nothing is held, and what it holds is bounded`, async () => {
    let taken = 0;
    let most = 0;
    const handler: WebSocketHandler = async (request) => {
      const socket = await request.accept();
      await pour(socket, (bytes) => {
        taken += bytes;
        most = Math.max(most, socket.bufferedAmount);
      });
    };
    await withClient(door, handler, async ({ connect }) => {
      const socket = await connect("/");
      const held = await steady("what is taken", () => taken);
      assert.ok(held < MAY_BE_ON_ITS_WAY, `${held} bytes are on their way`);
      assert.ok(most <= PIECE.length, `${most} bytes are buffered`);
      assert.equal(await within("all of it", drained(socket)), ALL);
      assert.equal((await socket.closed).code, 1000);
    });
  });

  testAlone(import.meta.url, {
    name:
      `misbehaving: ${door}: a handler that sends a message of 1 GiB: the client's limit ends it, no copy was made`,
    fn: async () => {
      const over = Promise.withResolvers<void>();
      const handler: WebSocketHandler = async (request) => {
        const socket = await request.accept();
        // To be taken in full, it takes a client that reads on behind its Close.
        await socket.send(new Uint8Array(1024 * MIB)).finally(over.resolve);
      };
      await withClient(door, handler, async ({ connect, ends, errors }) => {
        const before = Deno.memoryUsage().rss;
        const socket = await connect("/");
        assert.equal(await within("the end", socket.receive()), null);
        assert.equal((await socket.closed).code, 1009);
        await within("the handler's end", over.promise);
        const grown = Deno.memoryUsage().rss - before;
        assert.ok(grown < 128 * MIB, `${grown} bytes more`);
        await until("the socket's end", () => ends.length === 1);
        assert.deepEqual([ends, errors()], [[["peer", 1009]], []]);
      });
    },
  });
}

const encode = (text: string) => new TextEncoder().encode(text);

/** Bodies that fail before anything was sent. */
const BODIES: Record<string, () => Response | Promise<Response>> = {
  "was read before": async () => {
    const response = new Response("text");
    await response.text();
    return response;
  },
  "is being read": () => {
    const response = new Response(encode("bytes"));
    response.body!.getReader();
    return response;
  },
  "fails at once": () =>
    new Response(new ReadableStream({ start: (c) => c.error(new Error("x")) })),
  "gives text where there must be bytes": () =>
    new Response(
      new ReadableStream({
        start: (controller) => (controller.enqueue("text"), controller.close()),
      }) as ReadableStream,
    ),
};

for (const door of DOOR_IDS) {
  Deno.test(`misbehaving: ${door}: a fetch whose body can't be sent is 500, in the log, and the connection lives`, async () => {
    const names = Object.keys(BODIES);
    const fetch: FetchHandler = ({ url }) => {
      const n = new URL(url).searchParams.get("n");
      return n === null ? new Response("fine") : BODIES[names[Number(n)]]();
    };
    await withServer({ fetch }, echo, async ({ peers, errors }) => {
      for (const [n, name] of names.entries()) {
        const path = `/?n=${n}`;
        assert.equal((await peers.ask(door, { path })).status, 500, name);
        assert.equal(errors().length, n + 1, name);
        assert.equal((await peers.ask(door)).body, "fine", name);
      }
      assert.deepEqual(
        new Set(errors().map(({ event }) => event)),
        new Set(["server.handler_failed"]),
      );
    });
  });
}
