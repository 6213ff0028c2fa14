// Gateways and agents that are killed and started again.
import assert from "node:assert/strict";
import type * as net from "node:net";
import { ListenError } from "../../src/ingress/listen.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { AgentOptions, TunnelAgent } from "../../src/tunnel/agent.ts";
import { testAlone } from "../support/alone.ts";
import { collectNow } from "../support/collected.ts";
import { socketsHeldTo } from "../support/held_sockets.ts";
import type { GatewayServer } from "../../src/tunnel/gateway_server.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { freePort, startAgentProcess, startGatewayProcess } from "../tunnel/processes.ts";
import { Shop } from "../tunnel/shop.ts";
import { socksConnect } from "../tunnel/socks_client.ts";
import { startAgent, startGateway, Told } from "../tunnel/support.ts";
import { echo, echoClient, filesBack, openFiles, withTarget } from "../tunnel/target.ts";

/** As net/quic_connect.ts keeps them, to be used again. */
const MAX_SPARE_ENDPOINTS = 16;

const PORT_PATIENCE_MS = 60_000;
const TRANSPORTS = { quic: ["quic"], ws: ["ws"], json: ["json"] } as const;

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  Deno.test(`restart by ${name}: an agent that is killed, and comes again`, async () => {
    await using shop = await Shop.open();
    await withTarget(echo, async (port, conns) => {
      const start = () => startAgentProcess({ port: shop.port, transports });
      await using killed = await start();
      await shop.agents("one");
      const before = openFiles();
      const client = await echoClient(shop.socksPort, port);
      await killed.kill();
      await until("the target's end", () => conns.size === 0);
      await using _next = await start();
      // Long before a heartbeat is missed: the next of the same name takes its place.
      assert.equal(await within("the end", client.ended, 10_000), "reset");
      await shop.agents("one");
      const again = await echoClient(shop.socksPort, port);
      again.fin();
      assert.equal(await within("the end", again.ended), "fin");
      await until("nothing left", () => shop.gateway.connections === 0 && conns.size === 0);
      await filesBack(before);
    });
  });

  Deno.test(`restart by ${name}: a gateway that is killed in the middle of a transfer, and comes again`, async () => {
    const at = { port: freePort(), socksPort: freePort() };
    const sweeper = new Sweeper(50);
    const told = new Told();
    const first = await startGatewayProcess(at);
    const agent = await startAgent({ told, sweeper }, at.port, {
      transports,
      agent: { heartbeatMs: 500 },
    });
    await using _first = first;
    try {
      await until("the link", () => agent.links.size === 1);
      await withTarget(echo, async (port, conns) => {
        const before = openFiles();
        const client = await echoClient(at.socksPort, port);
        client.write(new Uint8Array(16 << 20));
        await until("some of it", () => client.text.length > 1 << 16);
        await first.kill();
        assert.equal(await within("the client's end", client.ended), "reset");
        await until("the target's end", () => conns.size === 0 && agent.streams === 0);
        await using _next = await startGatewayProcess(at);
        await until("the next link", () => agent.links.size === 1);
        const again = await echoClient(at.socksPort, port);
        again.fin();
        assert.equal(await within("the end", again.ended), "fin");
        await until("nothing left", () => agent.streams === 0 && conns.size === 0);
        await filesBack(before);
      });
      assert.deepEqual(told.bugs, []);
    } finally {
      await agent.stop();
      sweeper.stop();
    }
  });
}

/** Agents of one gateway; when each was told to come back is put into `retries`. */
async function startAgents(port: number, retries: number[], sweeper: Sweeper) {
  const told = new Told();
  const agents: TunnelAgent[] = [];
  for (let i = 0; i < 20; i++) {
    const observer: AgentOptions["observer"] = {
      ...told.agent,
      unlinked: (_, { retryMs }) => void retries.push(retryMs!),
    };
    const agent = { observer, minDelayMs: 400, maxDelayMs: 400, heartbeatMs: 500 };
    agents.push(
      await startAgent({ told, sweeper }, port, {
        transports: i % 2 === 0 ? ["quic"] : ["ws"],
        agent: { ...agent, auth: Shop.auth(`agent-${i}`) },
      }),
    );
  }
  return { agents, told };
}

testAlone(import.meta.url, {
  name: "restart: 20 agents come back, each in its own time, and leave nothing behind",
  fn: async () => {
    const at = { port: freePort(), socksPort: freePort() };
    const sweeper = new Sweeper(50);
    const retries: number[] = [];
    const first = await startGatewayProcess(at);
    const { agents, told } = await startAgents(at.port, retries, sweeper);
    const linked = () => agents.every(({ links }) => links.size === 1);
    await using _first = first;
    try {
      await until("all links", linked);
      const before = openFiles();
      await first.kill();
      await until("all are told", () => retries.length === agents.length);
      await using _next = await startGatewayProcess(at);
      await until("all links again", linked);
      assert.ok(retries.every((ms) => ms >= 0 && ms <= 400), retries.join());
      // Full jitter: the chance of less than 100 ms between the first and the last is under 1e-9.
      assert.ok(Math.max(...retries) - Math.min(...retries) > 100, retries.join());
      await until("one socket for each agent by ws", () => {
        return socketsHeldTo(at.port) === agents.length / 2;
      });
      await filesBack(before + MAX_SPARE_ENDPOINTS);
      await withTarget(echo, async (port) => {
        const clients = [];
        for (let i = 0; i < agents.length; i++) clients.push(await echoClient(at.socksPort, port));
        assert.ok(agents.every(({ streams }) => streams === 1));
        for (const client of clients) client.reset();
        await until("nothing left", () => agents.every(({ streams }) => streams === 0));
      });
      assert.deepEqual(told.bugs, []);
    } finally {
      await Promise.all(agents.map((agent) => agent.stop()));
      sweeper.stop();
    }
  },
});

/** Gives what takes a while where the first byte is "p", and no end; is an echo else. */
function giveOrEcho(conn: net.Socket): void {
  conn.once("data", (first: Uint8Array) => {
    if (first[0] === 0x70) return void conn.write(new Uint8Array(4 << 20));
    conn.write(first);
    echo(conn);
  });
}

/**
 * Starts it as soon as its UDP port is free: connections that were closed live on for three probe
 * timeouts (RFC 9000 §10.2), which are seconds where one process is all ends of all of them.
 */
async function startAgain(start: () => Promise<GatewayServer>): Promise<GatewayServer> {
  let server: GatewayServer | undefined;
  await until("the port", async () => {
    collectNow();
    server = await start().catch((error: unknown) => {
      if (error instanceof ListenError) return undefined;
      throw error;
    });
    return server !== undefined;
  }, PORT_PATIENCE_MS);
  return server!;
}

testAlone(import.meta.url, {
  name:
    "restart: a gateway that stops in mid-transfer and comes again at its port has its 20 agents back",
  fn: async () => {
    const sweeper = new Sweeper(50);
    const at = { port: freePort(), socksPort: freePort() };
    const gatewayTold = new Told();
    const start = () => {
      const listen = (port: number) => ({ hostname: "127.0.0.1", port });
      const socks = { listen: listen(at.socksPort), users: null };
      return startGateway({ told: gatewayTold, sweeper }, {
        gateway: { listen: listen(at.port), socks },
      });
    };
    let server = await start();
    const { agents, told } = await startAgents(at.port, [], sweeper);
    const linked = () =>
      server.gateway.agents.list().length === agents.length &&
      agents.every(({ links }) => links.size === 1);
    const idle = () =>
      server.gateway.connections === 0 && agents.every(({ streams }) => streams === 0);
    try {
      await until("all links", linked);
      await withTarget(giveOrEcho, async (port, conns) => {
        const before = openFiles();
        const ask = () => socksConnect(at.socksPort, "127.0.0.1", port, "count");
        const clients = await Promise.all(agents.map(ask));
        // It is round-robin.
        assert.ok(agents.every(({ streams }) => streams === 1));
        for (const client of clients) client.write("p");
        await until("some of each", () => clients.every(({ bytes }) => bytes > 1 << 16));
        await server.stop();
        for (const { ended } of clients) {
          assert.equal(await within("the client's end", ended), "reset");
        }
        await until("the targets' end", () => conns.size === 0);
        server = await startAgain(start);
        await until("all links again", linked);
        const again = await Promise.all(agents.map(() => echoClient(at.socksPort, port)));
        for (const client of again) client.fin();
        for (const { ended } of again) assert.equal(await within("the end", ended), "fin");
        await until("nothing left", () => idle() && conns.size === 0);
        await filesBack(before + MAX_SPARE_ENDPOINTS);
      });
      assert.deepEqual([...told.bugs, ...gatewayTold.bugs], []);
    } finally {
      await Promise.all(agents.map((agent) => agent.stop()));
      await server.stop();
      sweeper.stop();
    }
  },
});
