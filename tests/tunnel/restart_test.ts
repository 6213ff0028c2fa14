// Gateways and agents that are killed and started again.
import assert from "node:assert/strict";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { AgentOptions, TunnelAgent } from "../../src/tunnel/agent.ts";
import { testAlone } from "../support/alone.ts";
import { collected } from "../support/collected.ts";
import { socketsHeldTo } from "../support/held_sockets.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { freePort, startAgentProcess, startGatewayProcess } from "./processes.ts";
import { Shop } from "./shop.ts";
import { startAgent, Told } from "./support.ts";
import { echo, echoClient, openFiles, withTarget } from "./target.ts";

/** As net/quic_connect.ts keeps them, to be used again. */
const MAX_SPARE_ENDPOINTS = 16;

const TRANSPORTS = { quic: ["quic"], ws: ["ws"], json: ["json"] } as const;

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  Deno.test(`restart by ${name}: an agent that is killed, and comes again`, async () => {
    await using shop = await Shop.open();
    await withTarget(echo, async (port, conns) => {
      const start = () => startAgentProcess({ port: shop.port, transports });
      await using killed = await start();
      await shop.agents("one");
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
      await until("no more files than before, and spare UDP sockets", async () => {
        await collected();
        return openFiles() <= before + MAX_SPARE_ENDPOINTS;
      });
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
