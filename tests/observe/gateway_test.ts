import assert from "node:assert/strict";
import { createAgentObserver } from "../../src/observe/agent.ts";
import { createGatewayObserver } from "../../src/observe/gateway.ts";
import { createLog, type LogRecord } from "../../src/observe/log.ts";
import { Registry } from "../../src/observe/registry.ts";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import type { Agent } from "../../src/tunnel/agents.ts";
import type { Link, LinkEnd } from "../../src/tunnel/link.ts";
import type { Asked } from "../../src/tunnel/observer.ts";
import { TunnelRefused } from "../../src/tunnel/target.ts";

class FakeLink implements Link {
  readonly transport = "quic";
  readonly streams = 0;
  readonly #end = Promise.withResolvers<LinkEnd>();
  readonly closed = this.#end.promise;

  close(reason: string): void {
    this.#end.resolve({ by: "us", reason });
  }

  drain(): void {}
}

function setUp() {
  const registry = new Registry();
  const lines: string[] = [];
  const fields: LogRecord["properties"][] = [];
  const log = createLog((record: LogRecord) => {
    lines.push(String(record.rawMessage));
    fields.push(record.properties);
  });
  const clock = { ms: 1_000_000 };
  return { options: { registry, log, now: () => clock.ms }, registry, lines, fields, clock };
}

const target = { protocol: "tcp", host: "a.example", port: 80 } as const;

function asked(id: number): Asked {
  return { id, front: "socks5", client: "192.0.2.1:5", user: "ann", group: "default", target };
}

function agentNamed(id: string): Agent {
  const link = new FakeLink() as unknown as Agent["link"];
  const who = { id, group: "default", user: "ann", remote: "192.0.2.2:6" };
  const ports = { refused: [], hold() {}, release() {} };
  return { ...who, link, maxStreams: 10, sinceMs: 0, ports };
}

async function valueOf(registry: Registry, series: string): Promise<number> {
  const line = (await registry.metrics()).split("\n").find((one) => one.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
}

const END = { reason: "end of stream", bytesToTarget: 10, bytesToClient: 20, durationMs: 1500 };

Deno.test("gateway observer: bytes count while a connection is open, and once when it ends", async () => {
  const { options, registry } = setUp();
  const observer = createGatewayObserver(options);
  const agent = agentNamed("one");
  observer.agentConnected(agent);
  observer.opened(asked(1), { agent, dialMs: 30 });
  const traffic = observer.traffic!(asked(1));
  traffic.bytesToTarget += 7;
  const bytes = 'h3ws_gateway_bytes_total{dir="to_target"}';
  assert.equal(await valueOf(registry, bytes), 7);
  assert.equal(observer.stats().bytes_sent, 7);
  assert.equal(observer.agents()[0].bytes_sent, 7);
  assert.equal(observer.agents()[0].active_connections, 1);
  observer.closed(asked(1), { ...END, by: "client", agent });
  assert.equal(await valueOf(registry, bytes), 10);
  assert.deepEqual(observer.stats(), {
    ...{ active_connections: 0, total_connections: 1, bytes_sent: 10, bytes_received: 20 },
    ...{ error_count: 0, success_rate: 1, uptime: 0, agents: 1 },
  });
  assert.equal(await valueOf(registry, 'h3ws_gateway_closes_total{by="client"}'), 1);
  assert.equal(await valueOf(registry, 'h3ws_gateway_dial_seconds_bucket{le="0.05"}'), 1);
});

Deno.test("gateway observer: a connection that nobody counted on the way counts at its end", () => {
  const { options } = setUp();
  const observer = createGatewayObserver(options);
  const agent = agentNamed("one");
  observer.agentConnected(agent);
  observer.opened(asked(1), { agent, dialMs: 1 });
  observer.closed(asked(1), { ...END, by: "target", reason: "reset", agent });
  const { bytes_sent, error_count } = observer.stats();
  assert.deepEqual([bytes_sent, error_count], [10, 1]);
});

Deno.test("gateway observer: refusals by code, of the agent that was tried last", async () => {
  const { options, registry, lines } = setUp();
  const observer = createGatewayObserver(options);
  const agent = agentNamed("one");
  observer.agentConnected(agent);
  const { FORBIDDEN_HOST, CONNECTION_FAILED } = TunnelCode;
  observer.refused(asked(1), { code: FORBIDDEN_HOST, reason: "no", agent });
  observer.refused(asked(2), { code: CONNECTION_FAILED, reason: "no agent", agent: null });
  assert.equal(await valueOf(registry, 'h3ws_gateway_refused_total{code="FORBIDDEN_HOST"}'), 1);
  assert.equal(observer.stats().error_count, 2);
  const [{ error_count, success_rate }] = observer.agents();
  assert.deepEqual([error_count, success_rate], [1, 0]);
  assert.deepEqual(lines, ["agent.connect", "tunnel.refused", "tunnel.refused"]);
});

Deno.test("gateway observer: connections wait until they are open or refused; retries count", async () => {
  const { options, registry, lines } = setUp();
  const observer = createGatewayObserver(options);
  const agent = agentNamed("one");
  for (const id of [1, 2, 3]) observer.asked!(asked(id));
  const opening = "h3ws_gateway_opening_connections";
  assert.equal(await valueOf(registry, opening), 3);
  observer.retried!(asked(1), { agent, reason: "full" });
  assert.equal(await valueOf(registry, "h3ws_gateway_retries_total"), 1);
  observer.opened(asked(1), { agent, dialMs: 1 });
  observer.refused(asked(2), { code: TunnelCode.CONNECTION_FAILED, reason: "no", agent });
  assert.equal(await valueOf(registry, opening), 1);
  assert.deepEqual(lines, ["tunnel.retry", "tunnel.open", "tunnel.refused"]);
});

Deno.test("gateway observer: of a cluster, who is there and what goes through two gateways", async () => {
  const { options, registry, lines } = setUp();
  const observer = createGatewayObserver(options);
  const values = async () =>
    await Promise.all(
      [
        ...["joined", "gateways", "losses_total", 'connections_total{way="to_other"}'],
        'connections_total{way="from_other"}',
      ].map((name) => valueOf(registry, `h3ws_gateway_cluster_${name}`)),
    );
  assert.deepEqual(await values(), [0, 0, 0, 0, 0]);
  observer.cluster!({ type: "joined" });
  observer.cluster!({ type: "found", gateway: "a" });
  observer.cluster!({ type: "found", gateway: "b" });
  const one = agentNamed("one");
  const other = { ...one, link: { ...one.link, transport: "nats" } } as Agent;
  observer.opened(asked(1), { agent: other, dialMs: 1 });
  observer.opened({ ...asked(2), front: "cluster" }, { agent: one, dialMs: 1 });
  observer.opened(asked(3), { agent: one, dialMs: 1 });
  assert.deepEqual(await values(), [1, 2, 0, 1, 1]);
  observer.cluster!({ type: "gone", gateway: "a", reason: "it shuts down" });
  observer.cluster!({ type: "lost", reason: "refused" });
  assert.deepEqual(await values(), [0, 1, 1, 1, 1]);
  assert.deepEqual(lines.slice(0, 2), ["cluster.joined", "cluster.found"]);
});

Deno.test("gateway observer: agents that are gone are told of with when, a newer link is theirs", () => {
  const { options, clock } = setUp();
  const observer = createGatewayObserver(options);
  const [old, fresh] = [agentNamed("one"), agentNamed("one")];
  observer.agentConnected(old);
  clock.ms += 5000;
  observer.agentConnected(fresh);
  observer.agentGone(old, { by: "us", reason: "replaced" });
  const [one, ...others] = observer.agents();
  assert.deepEqual([one.is_online, one.uptime, others.length], [true, 0, 0]);
  assert.equal(observer.stats().agents, 1);
  observer.agentGone(fresh, { by: "lost", reason: "" });
  clock.ms += 60_000;
  const [{ is_online, last_seen }] = observer.agents();
  assert.deepEqual([is_online, last_seen], [false, new Date(1_005_000).toISOString()]);
});

Deno.test("gateway observer: no more than 1000 agents that are gone are remembered", () => {
  const { options } = setUp();
  const observer = createGatewayObserver(options);
  observer.agentConnected(agentNamed("stays"));
  for (let i = 0; i < 1500; i++) {
    const agent = agentNamed(`n${i}`);
    observer.agentConnected(agent);
    observer.agentGone(agent, { by: "lost", reason: "" });
  }
  const agents = observer.agents();
  assert.ok(agents.length <= 1002, String(agents.length));
  assert.equal(agents.at(-1)!.client_id, "stays");
  assert.equal(agents[0].client_id, "n1499");
});

Deno.test("agent observer: links, retries and connections", async () => {
  const { options, registry, lines, fields, clock } = setUp();
  const observer = createAgentObserver({ ...options, clientId: "me" });
  assert.deepEqual([observer.stats().is_online, observer.stats().last_seen], [false, null]);
  observer.failed("gw:1", { reason: "refused", code: null, retryMs: 400.7 });
  assert.equal(observer.stats().last_error, "refused");
  const link = new FakeLink();
  observer.linked("gw:1", link, { instead: "quic: no answer" });
  assert.equal(fields.at(-1)?.instead, "quic: no answer");
  assert.equal(observer.stats().last_error, null);
  assert.deepEqual(observer.stats().gateways, [{ gateway: "gw:1", transport: "quic" }]);
  const served = { id: 1, gateway: "gw:1", target };
  observer.opened(served, { dialMs: 2 });
  observer.closed(served, { ...END, by: "us", reason: "idle for 5 ms" });
  observer.refused(served, new TunnelRefused(TunnelCode.RATE_LIMITED, "full"));
  link.close("bye");
  observer.unlinked("gw:1", { end: await link.closed, retryMs: null });
  assert.equal(observer.stats().is_online, false);
  assert.equal(observer.stats().last_seen, new Date(clock.ms).toISOString());
  assert.equal(await valueOf(registry, "h3ws_agent_retries_total"), 1);
  assert.equal(await valueOf(registry, "h3ws_agent_link_failures_total"), 1);
  assert.equal(await valueOf(registry, 'h3ws_agent_links_gone_total{by="agent"}'), 1);
  assert.equal(await valueOf(registry, 'h3ws_agent_closes_total{by="agent"}'), 1);
  assert.equal(await valueOf(registry, 'h3ws_agent_refused_total{code="RATE_LIMITED"}'), 1);
  assert.deepEqual(lines, [
    ...["gateway.failed", "gateway.connect", "tunnel.open", "tunnel.close", "tunnel.refused"],
    "gateway.gone",
  ]);
});

Deno.test("gateway observer: clients that were not taken are counted, and told in few lines", async () => {
  const { options, registry, lines } = setUp();
  const observer = createGatewayObserver(options);
  const refusal = { kind: "full", message: "3 clients are there already", remote: null } as const;
  for (let i = 0; i < 100; i++) observer.clientRefused!(refusal);
  assert.equal(await valueOf(registry, 'h3ws_gateway_clients_refused_total{reason="full"}'), 100);
  assert.equal(lines.filter((line) => line === "connection.failed").length, 1);
});
