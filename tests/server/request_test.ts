// What a handler is told of a request, by each version of HTTP.
import assert from "node:assert/strict";
import type { WebSocketRequest } from "../../src/server/request.ts";
import { DOOR_IDS, isOpen, say } from "../support/door_peers.ts";
import { fromClient, readClose } from "../support/frames.ts";
import { echo, withServer } from "./support.ts";

const VERSIONS = { h1: "1.1", h1s: "1.1", h2c: "2", h2: "2", h3: "3" } as const;

for (const door of DOOR_IDS) {
  const secure = door !== "h1" && door !== "h2c";

  Deno.test(`request: ${door}: a handler is told all of it, and its socket echoes`, async () => {
    const seen: WebSocketRequest[] = [];
    await withServer({ rootPath: "/app" }, async (request) => {
      seen.push(request);
      await echo(request);
    }, async ({ peers, server, port, plainPort, ends }) => {
      const tunnel = await peers.open(door, {
        path: "/caf%C3%A9/%zz/a%2Fb?x=1&y=%20",
        authority: "a.example:99",
        fields: [
          ["sec-websocket-protocol", "chat, superchat"],
          ["sec-websocket-protocol", "third"],
          ["x-name", "a"],
          ["x-name", "b"],
          ["cookie", "a=1; b=2"],
          ["origin", "https://a.example"],
        ],
      });
      assert.ok(isOpen(tunnel), tunnel.body);
      assert.equal(tunnel.get("sec-websocket-protocol"), "chat");
      assert.equal(await say(tunnel, "hello"), "hello");
      const [request] = seen;
      assert.equal(request.type, "websocket");
      assert.equal(request.httpVersion, VERSIONS[door]);
      assert.equal(request.scheme, secure ? "wss" : "ws");
      assert.equal(request.path, "/café/%zz/a/b");
      assert.equal(request.rawPath, "/caf%C3%A9/%zz/a%2Fb");
      assert.equal(request.queryString, "x=1&y=%20");
      assert.equal(request.rootPath, "/app");
      assert.equal(request.headers.get("host"), "a.example:99");
      assert.equal(request.headers.get("x-name"), "a, b");
      assert.equal(request.headers.get("cookie"), "a=1; b=2");
      assert.equal(request.headers.get("origin"), "https://a.example");
      assert.deepEqual(request.subprotocols, ["chat", "superchat", "third"]);
      assert.deepEqual(request.server, { address: "127.0.0.1", port: secure ? port : plainPort });
      assert.equal(request.client.address, "127.0.0.1");
      assert.ok(request.client.port > 0);
      assert.deepEqual([server.sockets.size, server.connections], [1, 1]);
      const [socket] = server.sockets;
      assert.equal(socket.http, VERSIONS[door]);
      assert.equal(socket.protocol, "chat");
      tunnel.send(fromClient.close(4001, "bye"));
      assert.equal(readClose(await tunnel.inbox.frame()).code, 4001);
      assert.deepEqual(await socket.closed, {
        code: 4001,
        reason: "bye",
        wasClean: true,
        by: "peer",
      });
      assert.equal(server.sockets.size, 0);
      assert.deepEqual(ends, [["peer", 4001]]);
    });
  });
}

Deno.test("request: no path but a slash, no query, nothing offered", async () => {
  const seen: unknown[] = [];
  await withServer({}, async (request) => {
    const { path, rawPath, queryString, rootPath, subprotocols } = request;
    seen.push({ path, rawPath, queryString, rootPath, subprotocols });
    await request.reject();
  }, async ({ peers }) => {
    for (const door of DOOR_IDS) assert.equal((await peers.open(door)).status, 403);
  });
  for (const one of seen) {
    assert.deepEqual(one, {
      ...{ path: "/", rawPath: "/", queryString: "", rootPath: "" },
      subprotocols: [],
    });
  }
  assert.equal(seen.length, DOOR_IDS.length);
});
