// What anybody may say to a gateway of a cluster: it costs little, and the others are heard still.
import assert from "node:assert/strict";
import { Sweeper } from "../../src/net/sweeper.ts";
import { Agents } from "../../src/tunnel/agents.ts";
import { Cluster } from "../../src/tunnel/cluster.ts";
import { ClusterPeer } from "../../src/tunnel/cluster_peer.ts";
import type { Gateway } from "../../src/tunnel/gateway.ts";
import { FakeNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { Told } from "./support.ts";

const HERE = "h3ws.v1.here";
const PRESENCE = { heartbeatMs: 2_000, groups: [] as string[], more: false };

/** A gateway that is in a cluster, and hears what the test says. */
async function withCluster(
  run: (cluster: Cluster, say: (presence: object) => void) => Promise<void>,
): Promise<void> {
  await using nats = await FakeNats.start();
  const sweeper = new Sweeper(50);
  const told = new Told();
  const cluster = new Cluster({
    gateway: { agents: new Agents("failover") } as unknown as Gateway,
    ...{ urls: [nats.url], windowBytes: 65_536, sweeper, observer: told.gateway },
  });
  try {
    await until("who listens", () => nats.hears(HERE));
    await run(cluster, (said) => nats.say(HERE, JSON.stringify({ ...PRESENCE, ...said })));
    assert.deepEqual(told.bugs, []);
  } finally {
    await cluster.close();
    sweeper.stop();
  }
}

Deno.test("cluster: a message of 340,000 groups makes nobody deaf", async () => {
  await withCluster(async (cluster, say) => {
    say({ id: "huge", groups: Array<string>(340_000).fill("") });
    say({ id: "other", groups: ["home"] });
    await until("the other", () => cluster.gateways.includes("other"));
    assert.deepEqual(cluster.gateways, ["other"]);
    assert.equal(cluster.find("home").length, 1);
  });
});

Deno.test("cluster: no more than 256 other gateways are known at once, and one that goes makes room", async () => {
  await withCluster(async (cluster, say) => {
    for (let i = 0; i < 1_000; i++) say({ id: `gateway-${i}`, heartbeatMs: 1e300 });
    say({ id: "gateway-0", leaves: true });
    say({ id: "late" });
    await until("the last", () => cluster.gateways.includes("late"));
    assert.equal(cluster.gateways.length, 256);
  });
});

Deno.test("cluster: groups of which more are told for ever are left out above a million characters", () => {
  const peer = new ClusterPeer("one", () => assert.fail("no link"));
  const told = { id: "one", heartbeatMs: 2_000, hello: false, leaves: false };
  for (let i = 0; i < 300; i++) {
    const groups = Array.from({ length: 1_000 }, (_, j) => `group ${1_000 * i + j}`);
    peer.take({ ...told, groups, more: i < 299 });
  }
  assert.ok(peer.groups.has("group 0") && peer.groups.has("group 30000"));
  assert.ok(peer.groups.size < 125_000, `${peer.groups.size}`);
  peer.take({ ...told, groups: ["home"], more: false });
  assert.deepEqual([...peer.groups], ["home"]);
});
