// How a handler answers, and what becomes of a request and its socket that it leaves alone.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import type { WebSocketHandler } from "../../src/server/exchange.ts";
import { DOOR_IDS, isOpen, say } from "../support/door_peers.ts";
import { fromClient, readClose } from "../support/frames.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { echo, withServer } from "./support.ts";

/** A handler that does what `x` says for `/x`, and echoes else: the server must live on. */
function byPath(handlers: Record<string, WebSocketHandler>): WebSocketHandler {
  return (request) => (handlers[request.path.slice(1)] ?? echo)(request);
}

for (const door of DOOR_IDS) {
  Deno.test(`answers: ${door}: reject has a status, fields and a body`, async () => {
    await withServer({ altSvcPort: null }, async (request) => {
      if (request.path === "/plain") return await request.reject(404);
      const headers = { "x-why": "because", "set-cookie": "a=1" };
      await request.reject(
        401,
        headers,
        request.path === "/text" ? "no\n" : new Uint8Array([1, 2]),
      );
    }, async ({ peers, lines }) => {
      const text = await peers.open(door, { path: "/text" });
      assert.deepEqual([text.status, text.body, text.get("x-why")], [401, "no\n", "because"]);
      assert.equal(text.get("content-type"), "text/plain; charset=utf-8");
      assert.equal(text.get("content-length"), "3");
      const bytes = await peers.open(door, { path: "/bytes" });
      assert.deepEqual([bytes.status, bytes.body], [401, "\x01\x02"]);
      assert.equal(bytes.get("content-type"), null);
      const plain = await peers.open(door, { path: "/plain" });
      assert.deepEqual([plain.status, plain.body], [404, ""]);
      assert.deepEqual(lines, []);
    });
  });

  Deno.test(`answers: ${door}: accept has fields of the handler's, and Alt-Svc where it says something`, async () => {
    await withServer({}, async (request) => {
      await request.accept({
        headers: [["X-A", "1"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]],
      });
    }, async ({ peers, port }) => {
      const tunnel = await peers.open(door, { fields: [["sec-websocket-protocol", "chat"]] });
      assert.ok(isOpen(tunnel));
      assert.equal(tunnel.get("x-a"), "1");
      const cookies = tunnel.fields.filter(([name]) => name === "set-cookie");
      assert.deepEqual(cookies.map(([, value]) => value), ["a=1", "b=2"]);
      assert.equal(tunnel.get("sec-websocket-protocol"), null);
      assert.equal(tunnel.get("sec-websocket-extensions"), null);
      const service = `h3=":${port}"; ma=86400`;
      assert.equal(tunnel.get("alt-svc"), door === "h3" ? null : service);
      assert.equal(readClose(await tunnel.inbox.frame()).code, CloseCode.NORMAL);
    });
  });

  Deno.test(`answers: ${door}: a handler that returns ends its socket with 1000; that throws, with 1011; the server lives`, async () => {
    const handler = byPath({
      returns: async (request) => {
        const socket = await request.accept();
        await socket.send("all there is");
      },
      throws: async (request) => {
        await request.accept();
        throw new Error("of the handler");
      },
    });
    await withServer({}, handler, async ({ peers, errors, ends }) => {
      const other = await peers.open(door);
      const returned = await peers.open(door, { path: "/returns" });
      assert.equal(
        new TextDecoder().decode((await returned.inbox.frame())!.payload),
        "all there is",
      );
      assert.equal(readClose(await returned.inbox.frame()).code, 1000);
      returned.send(fromClient.close(1000));
      assert.deepEqual(await returned.inbox.rest(), new Uint8Array(0));
      assert.deepEqual(errors(), []);
      const thrown = await peers.open(door, { path: "/throws?token=secret" });
      assert.deepEqual(readClose(await thrown.inbox.frame()), {
        code: 1011,
        reason: "internal error",
      });
      thrown.send(fromClient.close(1011));
      await until("the ends", () => ends.length === 2);
      assert.deepEqual(ends, [["us", 1000], ["us", 1011]]);
      const [line] = errors();
      assert.equal(errors().length, 1);
      assert.equal(line.event, "socket.handler_failed");
      assert.equal(line.path, "/throws");
      assert.match(String(line.error), /^Error: of the handler\n +at .*answers_test/);
      assert.equal(await say(other, "still here"), "still here");
    });
  });

  Deno.test(`answers: ${door}: 500 and a line of the log for a handler that does not answer, and one that throws before`, async () => {
    const handler = byPath({
      silent: () => {},
      throws: () => {
        throw new Error("before");
      },
      rejects: () => Promise.reject("a text"),
    });
    await withServer({}, handler, async ({ peers, errors }) => {
      for (const path of ["/silent", "/throws", "/rejects"]) {
        const refused = await peers.open(door, { path });
        assert.deepEqual([refused.status, refused.body], [500, "internal error\n"]);
      }
      assert.deepEqual(errors().map(({ event }) => event), [
        "socket.not_answered",
        "socket.handler_failed",
        "socket.handler_failed",
      ]);
      assert.match(String(errors()[1].error), /^Error: before\n/);
      assert.equal(errors()[2].error, "a text");
      assert.equal(await say(await peers.open(door), "hi"), "hi");
    });
  });

  Deno.test(`answers: ${door}: what was not waited for is answered all the same`, async () => {
    const handler = byPath({
      accept: (request) => void request.accept(),
      reject: (request) => void request.reject(418),
    });
    await withServer({}, handler, async ({ peers, errors }) => {
      const accepted = await peers.open(door, { path: "/accept" });
      assert.ok(isOpen(accepted));
      assert.equal(readClose(await accepted.inbox.frame()).code, 1000);
      assert.equal((await peers.open(door, { path: "/reject" })).status, 418);
      assert.deepEqual(errors(), []);
    });
  });

  Deno.test(`answers: ${door}: a subprotocol that was not offered is named where that is wished`, async () => {
    const handler: WebSocketHandler = async (request) => {
      await request.accept({ protocol: "other", unoffered: true });
    };
    await withServer({}, handler, async ({ peers }) => {
      const tunnel = await peers.open(door);
      assert.equal(tunnel.get("sec-websocket-protocol"), "other");
      assert.equal(readClose(await tunnel.inbox.frame()).code, 1000);
    });
  });

  Deno.test(`answers: ${door}: what can't be sent throws, and another answer can be given`, async () => {
    const faults: unknown[] = [];
    const handler: WebSocketHandler = async (request) => {
      const tries = [
        () => request.accept({ protocol: "other" }),
        () => request.accept({ protocol: "no token", unoffered: true }),
        () => request.accept({ headers: { "sec-websocket-accept": "x" } }),
        () => request.accept({ headers: { "Upgrade": "x" } }),
        () => request.accept({ headers: { "x-a": "\x01" } }),
        () => request.reject(200),
        () => request.reject(101),
        () => request.reject(NaN),
        () => request.reject(400, { "x-a": "\x7f" }),
      ];
      for (const answer of tries) {
        await answer().then(() => faults.push(null), (error: Error) => faults.push(error.name));
      }
      await request.accept({ protocol: "chat" });
      await assert.rejects(request.accept(), /answered already/);
      await assert.rejects(request.reject(), /answered already/);
    };
    await withServer({}, handler, async ({ peers, errors }) => {
      const tunnel = await peers.open(door, { fields: [["sec-websocket-protocol", "chat"]] });
      assert.equal(tunnel.get("sec-websocket-protocol"), "chat", tunnel.body);
      assert.equal(readClose(await tunnel.inbox.frame()).code, 1000);
      const four = (name: string) => Array.from({ length: 4 }, () => name);
      assert.deepEqual(faults, [
        ...["TypeError", ...four("TypeError")],
        ...[...four("RangeError").slice(1), "TypeError"],
      ]);
      assert.deepEqual(errors(), []);
    });
  });

  Deno.test(`answers: ${door}: a client that goes before its answer fires the signal; nothing is left, nobody is blamed`, async () => {
    const asked = Promise.withResolvers<void>();
    const seen = Promise.withResolvers<unknown[]>();
    const handler: WebSocketHandler = async (request) => {
      const gone = new Promise((resolve) => request.signal.addEventListener("abort", resolve));
      asked.resolve();
      await gone;
      const outcomes = [
        await request.accept().catch((error) => error),
        request.signal.reason,
      ];
      seen.resolve(outcomes);
      throw outcomes[0];
    };
    await withServer({}, handler, async ({ server, peers, errors, ends }) => {
      const opening = peers.open(door).catch(() => {});
      await within("the handler", asked.promise);
      await peers.close();
      const outcomes = await within("the signal", seen.promise);
      for (const outcome of outcomes) assert.ok(outcome instanceof NetError, String(outcome));
      await opening;
      await until("the end of the connection", () => server.connections === 0);
      assert.deepEqual(errors(), []);
      assert.deepEqual(ends, []);
    });
  });

  Deno.test(`answers: ${door}: a handler whose client is gone needs not answer; what it throws of its own is its fault`, async () => {
    let asked = Promise.withResolvers<void>();
    const handler: WebSocketHandler = async ({ path, signal }) => {
      const gone = new Promise((resolve) => signal.addEventListener("abort", resolve));
      asked.resolve();
      await gone;
      if (path === "/throws") signal.throwIfAborted();
      if (path === "/fails") throw new Error("of its own");
    };
    await withServer({}, handler, async ({ peers, lines }) => {
      for (const path of ["/silent", "/throws", "/fails"]) {
        asked = Promise.withResolvers();
        const opening = peers.open(door, { path }).catch(() => {});
        await within("the handler", asked.promise);
        await peers.close();
        await opening;
        await until(`a line of ${path}`, () => lines.some((line) => line.path === path));
      }
      assert.deepEqual(lines.map(({ level, event }) => [level, event]), [
        ["info", "socket.handler_ended"],
        ["info", "socket.handler_ended"],
        ["error", "socket.handler_failed"],
      ]);
    });
  });
}
