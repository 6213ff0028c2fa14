// Options of the client that must mean the same by every version of HTTP, at a server of our own.
import assert from "node:assert/strict";
import {
  type ConnectOptions,
  connectWebSocket,
  type UpgradeRefused,
} from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { H2Client } from "../../src/client/h2_client.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import type { WebSocketHandler } from "../../src/server/exchange.ts";
import { echo, type TestServer, withServer } from "../server/support.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

type Open = (options?: ConnectOptions, path?: string) => Promise<Socket>;

const WAYS = [
  { httpVersion: "1.1", secure: false },
  { httpVersion: "1.1", secure: true },
  { httpVersion: "2", secure: false },
  { httpVersion: "2", secure: true },
  { httpVersion: "3", secure: true },
] as const;

function test(
  name: string,
  handler: WebSocketHandler,
  body: (t: TestServer & { open: Open; secure: boolean }) => Promise<void>,
): void {
  for (const { httpVersion, secure } of WAYS) {
    const over = `HTTP/${httpVersion}${secure ? "" : " in clear text"}`;
    Deno.test(`client by every version: ${over}: ${name}`, async () => {
      await withServer({}, handler, async (t) => {
        using connections = new Connections();
        const origin = secure ? `wss://localhost:${t.port}` : `ws://127.0.0.1:${t.plainPort}`;
        const open: Open = (options = {}, path = "/") =>
          connectWebSocket(`${origin}${path}`, {
            ...{ httpVersion, connections, caCerts: [t.caPem] },
            ...options,
          });
        await body({ ...t, open, secure });
        connections.close();
      });
    });
  }
}

test(
  "a handler sees the path, the query, the scheme, the subprotocols and the header fields",
  async (request) => {
    const socket = await request.accept({ protocol: "b", headers: { "x-answer": "yes" } });
    const { rawPath, queryString, scheme, subprotocols, headers } = request;
    const fields = ["host", "origin", "x-token", "cookie"].map((name) => headers.get(name));
    await socket.send(JSON.stringify({ rawPath, queryString, scheme, subprotocols, fields }));
    await socket.closed;
  },
  async ({ open, secure, port, plainPort }) => {
    const socket = await open({
      protocols: ["a", "b"],
      headers: [["Origin", "https://a.example"], ["X-Token", "one"], ["Cookie", "a=1; b=2"]],
    }, "/caf%C3%A9/x?y=z&w");
    assert.deepEqual(JSON.parse(String(await socket.receive())), {
      ...{ rawPath: "/caf%C3%A9/x", queryString: "y=z&w", scheme: secure ? "wss" : "ws" },
      subprotocols: ["a", "b"],
      fields: [
        secure ? `localhost:${port}` : `127.0.0.1:${plainPort}`,
        ...["https://a.example", "one", "a=1; b=2"],
      ],
    });
    assert.equal(socket.protocol, "b");
    assert.ok(socket.fields.some(([name, value]) => name === "x-answer" && value === "yes"));
    assert.equal((await socket.close()).code, 1000);
  },
);

/** Answers a number with so many bytes, in frames as the socket makes them. */
const giver: WebSocketHandler = async (request) => {
  const socket = await request.accept();
  for await (const message of socket) await socket.send(new Uint8Array(Number(message)));
};

for (const limit of ["maxFrameBytes", "maxMessageBytes"] as const) {
  test(
    `${limit}: as much is taken, a byte more is 1009, and other sockets live`,
    giver,
    async (t) => {
      const other = await t.open();
      const socket = await t.open({ [limit]: 10_000 });
      await socket.send("10000");
      assert.equal((await socket.receive())!.length, 10_000);
      await socket.send("10001");
      assert.equal(await within("the end", socket.receive()), null);
      const { code, by } = await socket.closed;
      assert.deepEqual([code, by], [CloseCode.MESSAGE_TOO_BIG, "us"]);
      await until("the end at the server", () => t.ends.length === 1);
      assert.deepEqual(t.ends, [["peer", CloseCode.MESSAGE_TOO_BIG]]);
      await other.send("3");
      assert.deepEqual(await other.receive(), new Uint8Array(3));
    },
  );
}

test(
  "keepalive, ping and onPong: Pings are answered, and a server that says no more is lost",
  echo,
  async (t) => {
    const pongs: number[] = [];
    const socket = await t.open({
      keepalive: { pingIntervalMs: 30, pongTimeoutMs: 20_000 },
      onPong: (payload) => void pongs.push(payload.length),
    });
    await until("Pongs nobody asked for by hand", () => pongs.length >= 2);
    assert.ok(await socket.ping(new Uint8Array(100)) >= 0);
    assert.ok(pongs.includes(100));
    await socket.send("still");
    assert.equal(await socket.receive(), "still");
    assert.equal((await socket.close()).wasClean, true);
  },
);

test(
  "messages of every size and kind go there and back, through receive and through streams",
  echo,
  async (t) => {
    const sizes = [0, 1, 125, 126, 65_535, 65_536, 1_048_577];
    const messages = sizes.flatMap((size) => ["x".repeat(size), new Uint8Array(size).fill(size)]);
    // The server takes a frame of 1 MiB at most, and the last is sent in several.
    const socket = await t.open();
    for (const message of messages) {
      void socket.send(message);
      assert.deepEqual(await within("an echo", socket.receive()), message);
    }
    const writer = socket.writable.getWriter();
    const reader = socket.readable.getReader();
    const writing = Promise.all(messages.map((message) => writer.write(message)));
    for (const message of messages) {
      assert.deepEqual((await within("an echo", reader.read())).value, message);
    }
    await writing;
    await writer.close();
    assert.equal((await reader.read()).done, true);
    assert.deepEqual(await socket.closed, { code: 1000, reason: "", wasClean: true, by: "us" });
  },
);

test("close codes and reasons both ways, and none", async (request) => {
  const socket = await request.accept();
  const asked = new URLSearchParams(request.queryString);
  if (asked.has("code")) await socket.close(Number(asked.get("code")), asked.get("reason") ?? "");
  else await socket.closed;
}, async ({ open, ends }) => {
  for (const [code, reason] of [[1000, "bye"], [3000, "grüße"], [4999, ""], [1005, ""]] as const) {
    const ours = await open();
    const before = ends.length;
    // RFC 6455 §5.5.1: the answer has the code alone.
    const end = { code, reason: "", wasClean: true, by: "us" };
    assert.deepEqual(await ours.close(code, reason), end);
    const theirs = await open({}, `/?code=${code}&reason=${encodeURIComponent(reason)}`);
    assert.equal(await within("the end", theirs.receive()), null);
    assert.deepEqual(await theirs.closed, { code, reason, wasClean: true, by: "peer" });
    await until("both ends at the server", () => ends.length === before + 2);
    assert.deepEqual(ends.slice(before), [["peer", code], ["us", code]]);
  }
});

test(
  "behind refusals and failed handlers the next sockets take the connection that is open",
  async (request) => {
    if (request.path === "/refused") return await request.reject(403, {}, "no\n");
    if (request.path === "/fails") throw new Error("of the handler");
    await echo(request);
  },
  async ({ open, server, errors }) => {
    const refusals = ["/refused", "/fails", "/refused"].map((path) => open({}, path));
    const statuses = await Promise.all(
      refusals.map((opening) =>
        opening.then(() => 200, (error) => (error as UpgradeRefused).status)
      ),
    );
    assert.deepEqual(statuses, [403, 500, 403]);
    const sockets = await Promise.all([open(), open(), open()]);
    const shares = sockets[0].http !== "1.1";
    await until("its connections", () => server.connections === (shares ? 1 : 3));
    for (const socket of sockets) await socket.close();
    assert.equal(errors().length, 1);
  },
);

test(
  "a signal and a timeout give up an attempt that a handler does not answer, and nothing else",
  async (request) => {
    if (request.path === "/never") await new Promise((resolve) => request.signal.onabort = resolve);
    else await echo(request);
  },
  async ({ open }) => {
    const other = await open();
    const controller = new AbortController();
    const given = open({ signal: controller.signal }, "/never");
    const late = open({ timeoutMs: 200 }, "/never");
    late.catch(() => {});
    setTimeout(() => controller.abort(), 50);
    await assert.rejects(within("its end", given), { name: "NetError", kind: "aborted" });
    await assert.rejects(within("its end", late), { name: "NetError", kind: "timeout" });
    await other.send("still");
    assert.equal(await other.receive(), "still");
  },
);

Deno.test("client: an H2Client of one's own carries sockets, and stays open behind them", async () => {
  await withServer({}, echo, async ({ port, caPem, server }) => {
    const connection = await H2Client.connect({ hostname: "localhost", port, caCerts: [caPem] });
    const url = `wss://localhost:${port}/`;
    for (let i = 0; i < 2; i++) {
      const sockets = await Promise.all([1, 2].map(() => connectWebSocket(url, { connection })));
      assert.deepEqual([server.sockets.size, server.connections], [2, 1]);
      for (const socket of sockets) {
        assert.equal(socket.http, "2");
        await socket.send("hi");
        assert.equal(await socket.receive(), "hi");
        await socket.close();
      }
    }
    assert.equal(connection.goingAway, false);
    connection.close();
    await connection.closed;
  });
});
