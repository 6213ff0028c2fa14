// Which agents there are, and which one is asked.
import assert from "node:assert/strict";
import type { Agent } from "../../src/tunnel/agents.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { startNetwork } from "./network.ts";
import { freePort } from "./processes.ts";
import { Shop } from "./shop.ts";
import { type SocksClient, socksConnect } from "./socks_client.ts";
import { Told } from "./support.ts";
import { echo, echoClient, withTarget } from "./target.ts";

const TRANSPORTS = { quic: ["quic"], ws: ["ws"], json: ["json"] } as const;

/** Clients, one after the other. */
async function several(count: number, { socksPort }: Shop, port: number): Promise<SocksClient[]> {
  const clients: SocksClient[] = [];
  while (clients.length < count) clients.push(await echoClient(socksPort, port));
  return clients;
}

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  Deno.test(`agents by ${name}: the newest of an id wins, and what goes through a silent one ends at once`, async () => {
    await using shop = await Shop.open();
    await using network = await startNetwork(shop.port);
    await withTarget(echo, async (port) => {
      const stale = await shop.agent({ transports }, network.port);
      await shop.agents("one");
      const client = await echoClient(shop.socksPort, port);
      network.cut();
      await shop.agent({ transports });
      // Long before a heartbeat is missed, and before a Close is given up that nobody answers.
      assert.equal(await within("the end", client.ended, 4_000), "reset");
      await shop.agents("one");
      const again = await echoClient(shop.socksPort, port);
      again.reset();
      await until("nothing left", () => shop.gateway.connections === 0);
      await stale.stop();
    });
  });
}

Deno.test("agents: least-sessions asks the one with the fewest, round-robin each in turn", async () => {
  for (const balance of ["least-sessions", "round-robin"] as const) {
    await using shop = await Shop.open({ gateway: { balance } });
    const ids = ["a", "b", "c"];
    for (const clientId of ids) await shop.agent({ clientId });
    await shop.agents(...ids);
    await withTarget(echo, async (port) => {
      const clients = await several(6, shop, port);
      const asked = shop.asked();
      assert.deepEqual(ids.map((id) => asked.filter((one) => one === id).length), [2, 2, 2]);
      // Both of one agent go: the next two are its own where sessions count.
      const freed = asked[0];
      asked.forEach((id, i) => id === freed && clients[i].reset());
      await until("two less", () => shop.gateway.connections === 4);
      clients.push(...await several(2, shop, port));
      const next = shop.asked().slice(6);
      if (balance === "least-sessions") assert.deepEqual(next, [freed, freed]);
      else assert.equal(new Set(next).size, 2);
      for (const client of clients) client.reset();
      await until("nothing left", () => shop.gateway.connections === 0);
    });
  }
});

Deno.test("agents: failover asks the first that is there, and the next one when it goes", async () => {
  await using shop = await Shop.open({ gateway: { balance: "failover" } });
  const first = await shop.agent({ clientId: "a" });
  await shop.agents("a");
  await shop.agent({ clientId: "b" });
  await shop.agents("a", "b");
  await withTarget(echo, async (port) => {
    for (let i = 0; i < 3; i++) (await echoClient(shop.socksPort, port)).reset();
    await first.stop();
    await shop.agents("b");
    (await echoClient(shop.socksPort, port)).reset();
    assert.deepEqual(shop.asked(), ["a", "a", "a", "b"]);
    await until("nothing left", () => shop.gateway.connections === 0);
  });
});

for (const balance of ["round-robin", "failover"] as const) {
  Deno.test(`agents: ${balance}: one that is full, or lost unnoticed, is passed over`, async () => {
    await using shop = await Shop.open({ gateway: { balance } });
    const auth = { ...Shop.auth("small"), maxConns: 1 };
    await shop.agent({ clientId: "small", agent: { auth } });
    await shop.agents("small");
    await shop.agent({ clientId: "large" });
    await shop.agents("small", "large");
    await withTarget(echo, async (port) => {
      const clients = await several(5, shop, port);
      assert.equal(shop.asked().filter((id) => id === "small").length, 1);
      for (const client of clients) client.reset();
      await until("nothing left", () => shop.gateway.connections === 0);
    });
  });
}

Deno.test("agents: one that may not reach the host leaves it to the next that may", async () => {
  await using shop = await Shop.open({ gateway: { balance: "failover" } });
  await shop.agent({ clientId: "a", allowed: ["127.0.0.2"] });
  await shop.agents("a");
  await shop.agent({ clientId: "b" });
  await shop.agents("a", "b");
  await withTarget(echo, async (port) => {
    const client = await echoClient(shop.socksPort, port);
    assert.deepEqual(shop.asked(), ["b"]);
    client.reset();
    await until("nothing left", () => shop.gateway.connections === 0);
  });
});

Deno.test("agents: the next one is asked where one won't; what a target says is the answer", async () => {
  const told = new Told();
  const retried: string[] = [];
  const refused: (string | null)[] = [];
  const observer = {
    ...told.gateway,
    retried: (_: unknown, { agent, reason }: { agent: Agent; reason: string }) =>
      void retried.push(`${agent.id}: ${reason}`),
    refused: (_: unknown, { agent }: { agent: Agent | null }) => void refused.push(agent?.id ?? ""),
  };
  await using shop = await Shop.open({ gateway: { balance: "failover", observer } });
  // It says that it can carry many.
  const agent = { maxStreams: 1, auth: { maxConns: 100 } };
  await shop.agent({ clientId: "a", transports: ["ws"], agent });
  await shop.agents("a");
  await shop.agent({ clientId: "b" });
  await shop.agents("a", "b");
  await withTarget(echo, async (port) => {
    await assert.rejects(socksConnect(shop.socksPort, "127.0.0.1", freePort()), /SOCKS5 reply 5/);
    assert.deepEqual([refused, retried], [["a"], []]);
    await assert.rejects(socksConnect(shop.socksPort, "10.9.9.9", 80), /SOCKS5 reply 2/);
    assert.match(retried.splice(0).join(), /^a: the agent may not connect to 10\.9\.9\.9/);
    assert.deepEqual(refused, ["a", "b"]);
    const clients = await several(2, shop, port);
    assert.deepEqual(retried, ["a: More than 1 streams"]);
    for (const client of clients) client.reset();
    await until("nothing left", () => shop.gateway.connections === 0);
  });
  assert.deepEqual(told.bugs, []);
});

Deno.test("agents: replicas are links of their own, each of which carries", async () => {
  await using shop = await Shop.open();
  const agent = await shop.agent({ transports: ["ws"], agent: { replicas: 3 } });
  await shop.agents("one-1", "one-2", "one-3");
  // The gateway knows of a link before its agent does.
  await until("the links at the agent", () => agent.links.size === 3);
  await withTarget(echo, async (port) => {
    const clients = await several(3, shop, port);
    assert.deepEqual(shop.asked().sort(), ["one-1", "one-2", "one-3"]);
    // One link goes: those of the others live.
    const [lost] = [...agent.links];
    const ended = Promise.race(clients.map(async (client) => (await client.ended, client)));
    lost.close("a test ends it");
    const gone = await within("one end", ended);
    for (const client of clients.filter((client) => client !== gone)) {
      client.write("more");
      await until("the echo", () => client.text === "hellomore");
    }
    await shop.agents("one-1", "one-2", "one-3");
    for (const client of clients) client.reset();
    await until("nothing left", () => shop.gateway.connections === 0);
  });
});
