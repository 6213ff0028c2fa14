// Handlers that do not end with their sockets.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import type { WebSocketHandler } from "../../src/server/exchange.ts";
import { DOOR_IDS, isOpen } from "../support/door_peers.ts";
import { fromClient, readClose } from "../support/frames.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { withServer } from "./support.ts";

for (const door of DOOR_IDS) {
  Deno.test(`misbehaving: ${door}: a handler that goes on behind the end of its socket keeps no place; shutdown waits for it, as long as it is told`, async () => {
    const tidied = Promise.withResolvers<void>();
    const handler: WebSocketHandler = async (request) => {
      await request.accept();
      await tidied.promise;
    };
    await withServer({ maxSockets: 1 }, handler, async ({ server, peers, ends }) => {
      for (let i = 0; i < 3; i++) {
        const tunnel = await peers.open(door);
        assert.ok(isOpen(tunnel), `${i}: ${tunnel.status}`);
        tunnel.send(fromClient.close(1000));
        await tunnel.inbox.rest();
        tunnel.fin();
        await until("the socket's end", () => ends.length === i + 1 && server.sockets.size === 0);
      }
      await peers.close();
      await until("the end of the connections", () => server.connections === 0);
      let isDown = false;
      const down = server.shutdown(60_000).then(() => isDown = true);
      await pause(50);
      assert.equal(isDown, false);
      tidied.resolve();
      await within("the end of the server", down);
    });
  });

  Deno.test(`misbehaving: ${door}: a handler that never returns holds a shutdown no longer than it is told`, async () => {
    const handler: WebSocketHandler = async (request) => {
      await request.accept();
      await new Promise(() => {});
    };
    await withServer({}, handler, async ({ server, peers, ends }) => {
      const tunnel = await peers.open(door);
      const down = server.shutdown(100);
      assert.equal(readClose(await tunnel.inbox.frame()).code, 1001);
      tunnel.send(fromClient.close(1001));
      tunnel.fin();
      await within("the end of the server", down);
      assert.deepEqual(ends, [["us", 1001]]);
    });
  });

  Deno.test(`misbehaving: ${door}: a handler that sends on and waits for nothing, when its client goes`, async () => {
    const gone = Promise.withResolvers<void>();
    const handler: WebSocketHandler = async (request) => {
      const socket = await request.accept();
      let ended = false;
      void socket.closed.then(() => ended = true);
      for (let behind = 0; behind < 9; behind += ended ? 1 : 0) {
        void socket.send("tick");
        void socket.ping();
        await pause(1);
      }
      gone.resolve();
    };
    await withServer({}, handler, async ({ peers, ends, errors }) => {
      const tunnel = await peers.open(door);
      assert.equal((await tunnel.inbox.frame())?.opcode, Opcode.TEXT);
      await peers.close();
      await within("the handler's end", gone.promise);
      assert.deepEqual(ends, [["lost", 1006]]);
      assert.deepEqual(errors(), []);
      assert.ok(isOpen(await peers.open(door)));
      await peers.close();
    });
  });
}
