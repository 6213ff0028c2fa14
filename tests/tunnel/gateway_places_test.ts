// An agent and a gateway's name with several addresses.
import assert from "node:assert/strict";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { TunnelAgent } from "../../src/tunnel/agent.ts";
import type { GatewayServer } from "../../src/tunnel/gateway_server.ts";
import { until } from "../support/until.ts";
import { startAgent, startGateway, Told } from "./support.ts";

const MINUTES = 60_000;
const TRANSPORTS = { quic: ["quic"], ws: ["ws"] } as const;

interface Named {
  /** At the addresses, all with one port. */
  readonly gateways: GatewayServer[];
  readonly agent: TunnelAgent;
  readonly told: Told;
  /** From now on the name leads there. */
  lead(addresses: string[]): void;
}

async function withNamed(
  { addresses, transports, lookupEveryMs = 5 * MINUTES }: {
    addresses: string[];
    transports: readonly ("quic" | "ws")[];
    lookupEveryMs?: number;
  },
  run: (named: Named) => Promise<void>,
): Promise<void> {
  const sweeper = new Sweeper(50);
  const told = new Told();
  const gateways: GatewayServer[] = [];
  let named = addresses;
  let agent: TunnelAgent | null = null;
  const none = { socks: null, http: null, mixed: null };
  try {
    for (const hostname of addresses) {
      const listen = { hostname, port: gateways[0]?.port ?? 0 };
      gateways.push(await startGateway({ told, sweeper }, { gateway: { ...none, listen } }));
    }
    const places = { lookup: () => Promise.resolve(named), lookupEveryMs };
    agent = await startAgent({ told, sweeper }, gateways[0].port, { transports, places });
    await run({ gateways, agent, told, lead: (to) => named = to });
    if (told.bugs.length > 0) throw told.bugs[0];
  } finally {
    await agent?.stop();
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    sweeper.stop();
  }
}

const agentsOf = (gateways: GatewayServer[]) =>
  gateways.map(({ gateway }) => gateway.agents.list().length);

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  Deno.test(`agent by ${name}: one link to each address of the gateway's name`, async () => {
    const addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
    await withNamed({ addresses, transports }, async ({ gateways, agent }) => {
      await until("all links", () => agent.links.size === 3);
      assert.deepEqual(agentsOf(gateways), [1, 1, 1]);
    });
  });

  Deno.test(`agent by ${name}: the name is looked up when a link is lost`, async () => {
    const addresses = ["127.0.0.1", "127.0.0.2"];
    await withNamed({ addresses, transports }, async ({ gateways, agent, told, lead }) => {
      lead(["127.0.0.1"]);
      // It was so when the agent began, or is so now: then the second is not tried.
      await until("the first link", () => agentsOf(gateways)[0] === 1);
      lead(["127.0.0.1", "127.0.0.2"]);
      for (const link of agent.links) link.close("a test ends it");
      await until("both links", () => agentsOf(gateways).every((count) => count === 1));
      lead(["127.0.0.1"]);
      await gateways[1].stop();
      await until("the end of one", () => agent.links.size === 1);
      // Told while the name still led there, at most.
      const { length } = told.lines;
      await until("the other", () => agentsOf(gateways)[0] === 1);
      const failed = told.lines.slice(length).filter((line) => line.startsWith("failed"));
      assert.ok(failed.length <= 1, failed.join("\n"));
    });
  });
}

Deno.test("agent: a name that leads elsewhere is followed while all links stand", async () => {
  const addresses = ["127.0.0.1", "127.0.0.2"];
  const options = { addresses, transports: TRANSPORTS.ws, lookupEveryMs: 50 };
  await withNamed(options, async ({ gateways, agent, lead }) => {
    await until("both links", () => agentsOf(gateways).every((count) => count === 1));
    // A link that stands goes on.
    lead(["127.0.0.1"]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.deepEqual(agentsOf(gateways), [1, 1]);
    for (const link of agent.links) link.close("a test ends it");
    await until("one link", () => agentsOf(gateways)[0] === 1 && agent.links.size === 1);
    lead(addresses);
    await until("both links again", () => agentsOf(gateways).every((count) => count === 1));
  });
});

Deno.test("agent: IPv6 rests while a link by IPv4 stands, and comes in when it is gone", async () => {
  const addresses = ["127.0.0.1", "::1"];
  await withNamed({ addresses, transports: TRANSPORTS.ws }, async ({ gateways, agent, told }) => {
    await until("the link", () => agentsOf(gateways)[0] === 1);
    // Longer than IPv6 waits at first.
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    assert.deepEqual(agentsOf(gateways), [1, 0]);
    assert.ok(!told.lines.some((line) => line.startsWith("failed")));
    await gateways[0].stop();
    await until("the link by IPv6", () => agent.links.size === 1 && agentsOf(gateways)[1] === 1);
  });
});

Deno.test("agent: a name that does not resolve is told, and tried again", async () => {
  const sweeper = new Sweeper(50);
  const told = new Told();
  const gateway = await startGateway({ told, sweeper });
  let broken = true;
  const lookup = () =>
    broken ? Promise.reject(new Error("no host")) : Promise.resolve(["127.0.0.1"]);
  const places = { lookup };
  const agent = await startAgent({ told, sweeper }, 9, { transports: ["ws"], places });
  const other = await startAgent({ told, sweeper }, gateway.port, { transports: ["ws"], places });
  try {
    await until("a failure", () => told.lines.some((line) => line.startsWith("failed")));
    broken = false;
    await until("the link", () => other.links.size === 1);
  } finally {
    await agent.stop();
    await other.stop();
    await gateway.stop();
    sweeper.stop();
  }
});
