// Who comes to a gateway without our subprotocol, and a gateway that does not know it.
import assert from "node:assert/strict";
import { connectWebSocket, UpgradeRefused } from "../../src/client/connect.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { serve } from "../../src/server/server.ts";
import type { GatewayServer } from "../../src/tunnel/gateway_server.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { JsonPeer } from "./json_support.ts";
import { startAgent, startGateway, Told, type TunnelOptions } from "./support.ts";

interface AtGateway {
  gateway: GatewayServer;
  told: Told;
  connect(): Promise<JsonPeer>;
}

async function withGateway(
  options: TunnelOptions,
  run: (at: AtGateway) => Promise<void>,
): Promise<void> {
  const sweeper = new Sweeper(50);
  const told = new Told();
  const gateway = await startGateway({ told, sweeper }, options);
  const { caPem } = await testCertificates();
  const connect = async () => {
    const url = `wss://localhost:${gateway.port}/ws`;
    return new JsonPeer(await connectWebSocket(url, { caCerts: [caPem], httpVersion: "1.1" }));
  };
  try {
    await run({ gateway, told, connect });
    assert.deepEqual(told.bugs, []);
  } finally {
    await gateway.stop();
    sweeper.stop();
  }
}

const ANN = { username: "ann", password: "secret", client_id: "one" };

Deno.test("JSON auth: an agent is taken, into the first group of its user", async () => {
  const agents = [{ name: "ann", password: "secret", groups: ["home", "work"] }];
  await withGateway({ agents }, async ({ gateway, connect }) => {
    const peer = await connect();
    assert.equal(peer.socket.protocol, "");
    await peer.send("auth", ANN);
    assert.deepEqual(await peer.next("auth_response"), {
      success: true,
      message: "Authentication successful",
    });
    await peer.pingPong();
    const [{ id, group, user, link }] = gateway.gateway.agents.list();
    assert.deepEqual([id, group, user, link.transport], ["one", "home", "ann", "json"]);
    await peer.socket.close();
    await until("no agent", () => gateway.gateway.agents.list().length === 0);
  });
});

Deno.test("JSON auth: the newest agent of an id wins", async () => {
  await withGateway({}, async ({ gateway, connect }) => {
    const [old, young] = [await connect(), await connect()];
    for (const peer of [old, young]) {
      await peer.send("auth", ANN);
      assert.equal((await peer.next("auth_response")).success, true);
      await peer.pingPong();
    }
    assert.equal(await old.closeCode(), 1001);
    assert.equal(gateway.gateway.agents.list().length, 1);
    await young.pingPong();
  });
});

Deno.test("JSON auth: a wrong password is AUTH_FAILED", async () => {
  await withGateway({}, async ({ gateway, told, connect }) => {
    const peer = await connect();
    await peer.send("auth", { ...ANN, password: "wrong" });
    const message = "the username or the password is wrong";
    assert.deepEqual(await peer.next("auth_response"), { success: false, message });
    assert.deepEqual(await peer.next("error"), { code: "AUTH_FAILED", message });
    assert.equal(await peer.closeCode(), 1008);
    assert.deepEqual(told.lines, [`auth agent ann: ${message}`]);
    assert.equal(gateway.gateway.agents.list().length, 0);
  });
});

const FIRST = [
  { name: "no JSON", first: '{"type":"auth"' },
  { name: "another message", first: '{"type":"ping","data":{"timestamp":1}}' },
  { name: "an auth without a password", first: '{"type":"auth","data":{"username":"ann"}}' },
  { name: "a binary message", first: new Uint8Array([1]) },
];

for (const { name, first } of FIRST) {
  Deno.test(`JSON auth: ${name} where auth belongs is INVALID_MESSAGE`, async () => {
    await withGateway({}, async ({ connect }) => {
      const peer = await connect();
      await peer.socket.send(first);
      assert.equal((await peer.next("error")).code, "INVALID_MESSAGE");
      assert.equal(await peer.closeCode(), 1008);
    });
  });
}

Deno.test("JSON auth: who says nothing is let go", async () => {
  await withGateway({ gateway: { handshakeTimeoutMs: 2_000 } }, async ({ connect }) => {
    assert.equal(await (await connect()).closeCode(), 1006);
  });
});

Deno.test("JSON auth: without JSON a gateway shows no WebSocket", async () => {
  await withGateway({ gateway: { json: false } }, async ({ connect }) => {
    await assert.rejects(connect(), (error) => {
      return error instanceof UpgradeRefused && error.status === 404;
    });
  });
});

/** A gateway of AnyProxy in the test's hands, and our agent. */
async function withAgent(
  options: TunnelOptions,
  run: (at: { peer: JsonPeer; told: Told; auth: unknown }) => Promise<void>,
): Promise<void> {
  const { certPem, keyPem } = await testCertificates();
  const sweeper = new Sweeper(50);
  const told = new Told();
  const peers: JsonPeer[] = [];
  const server = await serve({ listen: "127.0.0.1:0", certPem, keyPem }, async (request) => {
    const socket = await request.accept();
    peers.push(new JsonPeer(socket));
    await socket.closed;
  });
  const agent = await startAgent({ told, sweeper }, server.port!, options);
  try {
    await until("a socket", () => peers.length > 0);
    const [peer] = peers;
    await run({ peer, told, auth: await peer.next("auth") });
    assert.deepEqual(told.bugs, []);
  } finally {
    await agent.stop();
    await server.stop();
    sweeper.stop();
  }
}

for (const transport of ["ws", "json"] as const) {
  Deno.test(`JSON auth: by "${transport}" our agent speaks JSON to whom knows no frames`, async () => {
    await withAgent({ transports: [transport] }, async ({ peer, told, auth }) => {
      assert.deepEqual(auth, ANN);
      await peer.send("auth_response", { success: true, message: "" });
      await until("the link", () => told.lines.length > 0);
      assert.deepEqual(told.lines, ["linked json"]);
    });
  });
}

const REFUSALS = [
  { type: "auth_response", data: { success: false, message: "not you" }, want: "not you" },
  { type: "error", data: { code: "AUTH_FAILED", message: "not you" }, want: "not you" },
  { type: "pong", data: { timestamp: 1 }, want: 'the gateway answered auth with "pong"' },
  { type: "hello", data: {}, want: "the gateway answered auth with what is no message" },
];

for (const { type, data, want } of REFUSALS) {
  Deno.test(`JSON auth: our agent is answered by ${type}`, async () => {
    await withAgent({ transports: ["json"] }, async ({ peer, told }) => {
      await peer.send(type, data);
      await until("a failure", () => told.lines.length > 0);
      assert.ok(told.lines[0].startsWith("failed ") && told.lines[0].includes(want), told.lines[0]);
    });
  });
}

Deno.test("JSON agent: a target that reads late gets all that came before close", async () => {
  const target = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    await withAgent({ transports: ["json"] }, async ({ peer }) => {
      await peer.send("auth_response", { success: true, message: "" });
      const connect = { target_host: "127.0.0.1", target_port: target.addr.port, protocol: "tcp" };
      await peer.send("connect", { connection_id: "1", ...connect });
      using accepted = await target.accept();
      assert.equal((await peer.next("connect_response")).success, true);
      // More than the system takes for one that does not read.
      const size = 4 * 1024 * 1024;
      const bytes = new Uint8Array(size / 8).fill(7);
      const sent = (async () => {
        for (let i = 0; i < 8; i++) await peer.sendBytes("1", bytes);
        await peer.send("close", { connection_id: "1", reason: "" });
      })();
      await new Promise((resolve) => setTimeout(resolve, 500));
      const buffer = new Uint8Array(64 * 1024);
      let came = 0;
      // Slower than what ends a connection that is over, until most of it is read.
      while (came < size) {
        const count = await accepted.read(buffer);
        if (count === null) break;
        came += count;
        if (came % (1024 * 1024) < count) await new Promise((done) => setTimeout(done, 1_500));
      }
      assert.equal(came, size);
      await sent;
    });
  } finally {
    target.close();
  }
});

Deno.test("JSON agent: a target whose gateway closed it is let go, though it never ends", async () => {
  const target = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    await withAgent({ transports: ["json"] }, async ({ peer, told }) => {
      await peer.send("auth_response", { success: true, message: "" });
      const connect = { target_host: "127.0.0.1", target_port: target.addr.port, protocol: "tcp" };
      await peer.send("connect", { connection_id: "1", ...connect });
      using accepted = await target.accept();
      assert.equal((await peer.next("connect_response")).success, true);
      await peer.sendBytes("1", new TextEncoder().encode("bye"));
      await peer.send("close", { connection_id: "1", reason: "" });
      const buffer = new Uint8Array(10);
      assert.equal(await accepted.read(buffer), 3);
      assert.equal(await accepted.read(buffer), null);
      await until("its end", () => told.lines.length === 2);
      assert.equal(told.lines[1], "agent closed client: end of stream");
    });
  } finally {
    target.close();
  }
});
