// Handlers that do what they should not: each ends its own socket, the log tells why, and the server
// lives. More of them in answers_test.ts (those that do not answer, and that throw) and fetch_test.ts.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import type { WebSocketHandler } from "../../src/server/exchange.ts";
import { DOOR_IDS, type DoorTunnel, isOpen, say } from "../support/door_peers.ts";
import { fromClient, readClose } from "../support/frames.ts";
import { until } from "../support/until.ts";
import { echo, withServer } from "./support.ts";

interface Row {
  name: string;
  handler: WebSocketHandler;
  /** What the client sends once it is open. */
  sends?: readonly string[];
  /** What it gets: a status, or texts and the code of a Close. */
  gets: readonly (string | number)[];
  /** What the log tells; nothing else of it is a fault. */
  logs?: RegExp;
}

const ROWS: readonly Row[] = [
  {
    name: "accepts behind a reject",
    handler: async (request) => {
      await request.reject(418);
      await request.accept();
    },
    gets: [418],
    logs: /^Error: This request was answered already\n/,
  },
  {
    name: "accepts twice",
    handler: async (request) => {
      await request.accept();
      await request.accept();
    },
    gets: [1011],
    logs: /^Error: This request was answered already\n/,
  },
  {
    name: "accepts and rejects, and waits for neither",
    handler: (request) => {
      void request.accept();
      void request.reject();
    },
    gets: [1000],
  },
  {
    name: "throws nothing at all",
    handler: async (request) => {
      await request.accept();
      throw undefined;
    },
    gets: [1011],
    logs: /^undefined$/,
  },
  {
    name: "rejects later, between two messages",
    handler: async (request) => {
      const socket = await request.accept();
      for await (const message of socket) {
        await socket.send(message);
        await pause(1);
        if (message === "two") throw new Error("of two");
      }
    },
    sends: ["one", "two", "three"],
    gets: ["one", "two", 1011],
    logs: /^Error: of two\n/,
  },
  {
    name: "sends behind its Close",
    handler: async (request) => {
      const socket = await request.accept();
      void socket.close(4000);
      await socket.send("never");
    },
    gets: [4000],
  },
  {
    name: "sends behind its Close, and does not wait for it",
    handler: async (request) => {
      const socket = await request.accept();
      void socket.close(4000);
      for (let i = 0; i < 9; i++) void socket.send("never");
      void socket.ping();
      await socket.closed;
      void socket.send("never");
      void socket.pong();
      await pause(1);
    },
    gets: [4000],
  },
  {
    name: "closes with codes that MUST NOT be sent (RFC 6455 §7.4)",
    handler: async (request) => {
      const socket = await request.accept();
      for (const code of [-1, 0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65_536, 1000.5, NaN]) {
        await assert.rejects(socket.close(code), RangeError, `${code}`);
      }
      await socket.send("still here");
      await socket.close(5000);
    },
    gets: ["still here", 1011],
    logs: /^RangeError: Cannot send close code 5000/,
  },
  {
    name: "closes again and again",
    handler: async (request) => {
      const socket = await request.accept();
      await Promise.all([4001, 4002, 4003].map((code) => socket.close(code)));
    },
    gets: [4001],
  },
  {
    name: "sends what is no message",
    handler: async (request) => {
      const socket = await request.accept();
      await socket.send({ not: "a message" } as unknown as string);
    },
    gets: [1011],
    logs: /^TypeError: Cannot send Object: a message is a string or a Uint8Array\n/,
  },
  {
    name: "iterates twice at once: each message goes to one of them, both come to the end",
    handler: async (request) => {
      const socket = await request.accept();
      const loop = async () => {
        for await (const message of socket) {
          await socket.send(message);
          if (message === "four") void socket.close(4004);
        }
      };
      await Promise.all([loop(), loop()]);
    },
    sends: ["one", "two", "three", "four"],
    gets: ["one", "two", "three", "four", 4004],
  },
  {
    name: "iterates again behind the end",
    handler: async (request) => {
      const socket = await request.accept();
      void socket.close(4005);
      for (let i = 0; i < 3; i++) {
        for await (const message of socket) throw new Error(`got ${message}`);
      }
    },
    gets: [4005],
  },
  {
    name: "returns while a loop of its own still runs",
    handler: async (request) => {
      const socket = await request.accept();
      void (async () => {
        for await (const message of socket) void socket.send(message);
      })();
      await socket.send("left alone");
    },
    sends: ["too late"],
    gets: ["left alone", 1000],
  },
  {
    name: "reads by readable and by itself",
    handler: async (request) => {
      const socket = await request.accept();
      const reader = socket.readable.getReader();
      const both = [reader.read().then(({ value }) => value), socket.receive()];
      await socket.send((await Promise.all(both)).sort().join());
      await assert.rejects(Promise.resolve().then(() => socket.readable.getReader()), TypeError);
    },
    sends: ["one", "two"],
    gets: ["one,two", 1000],
  },
  {
    name: "sends a string of more than V8 can have",
    handler: async (request) => {
      const socket = await request.accept();
      await socket.send("x".repeat(2 ** 30));
    },
    gets: [1011],
    logs: /^RangeError: Invalid string length\n/,
  },
];

/** Texts until Close, and its code, which is answered. */
async function spoken(tunnel: DoorTunnel): Promise<(string | number)[]> {
  const got: (string | number)[] = [];
  for (;;) {
    const frame = await tunnel.inbox.frame();
    if (frame?.opcode === Opcode.TEXT) got.push(new TextDecoder().decode(frame.payload));
    if (frame?.opcode === Opcode.PING) continue;
    if (frame !== null && frame.opcode !== Opcode.CLOSE) continue;
    const { code } = readClose(frame);
    tunnel.send(fromClient.close(code));
    return [...got, code];
  }
}

for (const door of DOOR_IDS) {
  for (const { name, handler, sends = [], gets, logs } of ROWS) {
    Deno.test(`misbehaving: ${door}: a handler that ${name}`, async () => {
      let over = false;
      const watched: WebSocketHandler = async (request) => {
        if (request.path !== "/") return await echo(request);
        try {
          await handler(request);
        } finally {
          over = true;
        }
      };
      await withServer({}, watched, async ({ peers, errors, ends }) => {
        const other = await peers.open(door, { path: "/other" });
        const tunnel = await peers.open(door);
        if (isOpen(tunnel)) {
          for (const text of sends) tunnel.send(fromClient.text(text));
          assert.deepEqual(await spoken(tunnel), gets);
          assert.deepEqual(await tunnel.inbox.rest(), new Uint8Array(0), "nothing behind Close");
          tunnel.fin();
          await until("the socket's end", () => ends.length === 1);
          assert.equal(ends[0][1], gets.at(-1));
        } else {
          assert.deepEqual([tunnel.status], gets);
        }
        await until("the handler's end", () => over);
        const faults = errors().map(({ event, error }) => [event, String(error)]);
        assert.deepEqual(faults.map(([event]) => event), logs ? ["socket.handler_failed"] : []);
        if (logs) assert.match(faults[0][1], logs);
        assert.equal(await say(other, "still here"), "still here");
      });
    });
  }
}
