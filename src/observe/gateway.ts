import { TunnelCode, tunnelCodeName } from "../protocol/tunnel/code.ts";
import type { Agent } from "../tunnel/agents.ts";
import type { LinkEnd, LinkTransport } from "../tunnel/link.ts";
import type { Asked, Front, GatewayObserver } from "../tunnel/observer.ts";
import { targetText } from "../tunnel/target.ts";
import type { Fields, Log } from "./log.ts";
import { errorFields, tenth } from "./observer.ts";
import { refusedLines } from "./refused_lines.ts";
import type { Registry } from "./registry.ts";
import { Passed, type PassedStats, TunnelCounters } from "./tunnel_counters.ts";
import { ClusterCounts, registerCluster } from "./gateway_cluster.ts";
import { byLabel, GATEWAY_PREFIX, registerTunnel, specOf } from "./tunnel_metrics.ts";
import { registerCounter, registerGauge } from "./metrics.ts";

export interface GatewayObserverOptions {
  /** Gets the metrics; one registry for each observer. */
  registry: Registry;
  log: Log;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** What `/stats` of a gateway tells. */
export interface GatewayStats extends PassedStats {
  /** Seconds since the start. */
  uptime: number;
  /** That are connected now. */
  agents: number;
}

/** What `/agents` tells of each, of those that are gone too. */
export interface AgentStats extends PassedStats {
  /** Its name. */
  client_id: string;
  /** The agents that stand in for each other. */
  group_id: string;
  /** Who it is let in as. */
  user: string;
  /** "ip:port" that it came from. */
  remote_addr: string;
  /** What carries its link. */
  transport: LinkTransport;
  /** Whether that stands. */
  is_online: boolean;
  /** In ISO 8601: when its link ended, or now. */
  last_seen: string;
  /** Seconds since it connected last; 0 where it is gone. */
  uptime: number;
}

/** Counts for the metrics and writes the log of one gateway. */
export interface CountingGatewayObserver extends GatewayObserver {
  stats(): GatewayStats;
  /** The newest first. */
  agents(): AgentStats[];
}

interface Known {
  agent: Agent;
  sinceMs: number;
  goneMs: number | null;
  readonly passed: Passed;
}

/** So many agents that are gone are remembered. */
const MAX_GONE = 1000;
const TRANSPORTS: readonly LinkTransport[] = ["quic", "ws/3", "ws/2", "ws/1.1", "json"];
const FRONTS: readonly (Front | "agent")[] = ["socks5", "http", "forward", "route", "agent"];

/** Who ended a link, as it is told. */
const WHO = { us: "gateway", peer: "agent", lost: "lost" } as const;

class GatewayCounts extends TunnelCounters {
  readonly known = new Map<string, Known>();
  readonly connected = zeros(TRANSPORTS);
  readonly connects = zeros(TRANSPORTS);
  readonly gone = zeros(Object.values(WHO));
  readonly authFailures = zeros(FRONTS);
  readonly cluster = new ClusterCounts();
  readonly clientsRefused = zeros(["full", "accept"]);
  retries = 0;

  of({ user, group, id }: Agent): Known | undefined {
    return this.known.get(keyOf({ user, group, id }));
  }

  /** Of a connection that was opened, whether another gateway has a part in it. */
  pass({ front }: Asked, { link }: Agent): void {
    if (front === "cluster") this.cluster.connections.from_other++;
    else if (link.transport === "nats") this.cluster.connections.to_other++;
  }

  connect(agent: Agent, nowMs: number): void {
    const key = keyOf(agent);
    const { passed = new Passed() } = this.known.get(key) ?? {};
    // The newest stands last.
    this.known.delete(key);
    this.known.set(key, { agent, sinceMs: nowMs, goneMs: null, passed });
    this.connected[agent.link.transport]++;
    this.connects[agent.link.transport]++;
    const gone = [...this.known].filter(([, { goneMs }]) => goneMs !== null);
    for (const [old] of gone.slice(0, Math.max(0, gone.length - MAX_GONE))) this.known.delete(old);
  }

  disconnect(agent: Agent, { by }: LinkEnd, nowMs: number): void {
    this.connected[agent.link.transport]--;
    this.gone[WHO[by]]++;
    const known = this.of(agent);
    // A newer link of the same agent may stand already.
    if (known?.agent === agent) known.goneMs = nowMs;
  }
}

/**
 * The observer of one gateway. A connection is one line (`tunnel.open`) when it opens and one
 * (`tunnel.close`) when it ends, an agent `agent.connect` and `agent.gone`, all at level info.
 */
export function createGatewayObserver(options: GatewayObserverOptions): CountingGatewayObserver {
  const { registry, log, now = Date.now } = options;
  const counts = new GatewayCounts(Object.keys(TunnelCode));
  const startedMs = now();
  const info = log.enabled("info");
  const refusedLine = refusedLines(log, now);
  registerTunnel(registry, "gateway", counts);
  registerAgents(registry, counts);
  registerCluster(registry, counts.cluster);
  return {
    agentConnected(agent) {
      counts.connect(agent, now());
      log.info("agent.connect", agentFields(agent));
    },
    agentGone(agent, end) {
      const { sinceMs = now() } = counts.of(agent) ?? {};
      counts.disconnect(agent, end, now());
      const durationMs = now() - sinceMs;
      const by = WHO[end.by];
      log.info("agent.gone", { by, reason: end.reason, durationMs, ...agentFields(agent) });
    },
    authFailed({ front, remote, user, reason }) {
      counts.authFailures[front]++;
      log.warning("auth.failed", { front, client: remote, user: user || null, reason });
    },
    wrongProtocol({ front, remote, reason }) {
      log.debug("client.refused", { front, client: remote, reason });
    },
    portOpened({ target, ...port }) {
      log.info("port.open", { ...port, target: targetText(target) });
    },
    portRefused: (port) => log.warning("port.refused", { ...port }),
    clientRefused(refusal) {
      // Ports without TLS refuse for nothing else.
      counts.clientsRefused[refusal.kind === "full" ? "full" : "accept"]++;
      refusedLine(refusal);
    },
    asked: ({ id }) => counts.asked(id),
    retried(asked, { agent, reason }) {
      counts.retries++;
      log.info("tunnel.retry", { ...askedFields(asked), agent: agent.id, reason });
    },
    opened(asked, { agent, dialMs }) {
      counts.pass(asked, agent);
      const traffic = counts.opened(asked.id, dialMs);
      counts.of(agent)?.passed.opened(traffic);
      if (!info) return;
      const fields = { agent: agent.id, dialMs: tenth(dialMs) };
      log.info("tunnel.open", { ...askedFields(asked), ...fields });
    },
    traffic: ({ id }) => counts.traffic(id),
    refused(asked, { code, reason, agent }) {
      counts.refuse(asked.id, tunnelCodeName(code));
      if (agent !== null) counts.of(agent)?.passed.refuse();
      const fields = { agent: agent?.id ?? null, code: tunnelCodeName(code), reason };
      log.info("tunnel.refused", { ...askedFields(asked), ...fields });
    },
    closed(asked, end) {
      const traffic = counts.closed(asked.id, end);
      counts.of(end.agent)?.passed.closed(traffic, end);
      const { by, reason, durationMs, bytesToTarget, bytesToClient } = end;
      if (!info) return;
      log.info("tunnel.close", {
        ...{
          id: asked.id,
          by: by === "us" ? "gateway" : by,
          reason,
          durationMs: tenth(durationMs),
        },
        ...{ toTargetBytes: bytesToTarget, toClientBytes: bytesToClient },
        ...{ ...askedFields(asked), agent: end.agent.id },
      });
    },
    cluster(news) {
      counts.cluster.take(news);
      const { type, ...fields } = news;
      if (type === "lost") return log.warning("cluster.lost", fields);
      if (type === "joined") return log.info("cluster.joined", fields);
      if (type === "found") return log.info("cluster.found", fields);
      log.info("cluster.gone", fields);
    },
    bug: (where, error) => log.error("bug", { where, ...errorFields(error) }),
    stats: () => ({
      ...counts.passed.stats(),
      uptime: seconds(now() - startedMs),
      agents: Object.values(counts.connected).reduce((sum, count) => sum + count, 0),
    }),
    agents: () => [...counts.known.values()].reverse().map((known) => agentStats(known, now())),
  };
}

function registerAgents(registry: Registry, counts: GatewayCounts): void {
  const spec = specOf(registry, GATEWAY_PREFIX);
  registerGauge(
    spec("agents", "Links of agents that stand now", "transport"),
    () => byLabel("transport", counts.connected),
  );
  registerCounter(
    spec("agents_connected_total", "Links of agents that were taken", "transport"),
    () => byLabel("transport", counts.connects),
  );
  registerCounter(
    spec("agents_gone_total", "Links of agents that have ended, by whom", "by"),
    () => byLabel("by", counts.gone),
  );
  registerCounter(
    spec("retries_total", "How often the next agent was asked where one did not connect"),
    () => [[{}, counts.retries]],
  );
  registerCounter(
    spec("clients_refused_total", "Connections at ports of clients that were not taken", "reason"),
    () => byLabel("reason", counts.clientsRefused),
  );
  registerCounter(
    spec("auth_failures_total", "Agents and clients that were not let in", "front"),
    () => byLabel("front", counts.authFailures),
  );
}

function agentFields({ id, group, user, remote, link, maxStreams }: Agent): Fields {
  return { agent: id, group, user, remote, transport: link.transport, maxConns: maxStreams };
}

function askedFields({ id, front, client, user, group, target }: Asked): Fields {
  const { protocol } = target;
  return { id, front, client, user: user || null, group, target: targetText(target), protocol };
}

function agentStats({ agent, sinceMs, goneMs, passed }: Known, nowMs: number): AgentStats {
  const { id, group, user, remote, link } = agent;
  return {
    ...{ client_id: id, group_id: group, user, remote_addr: remote, transport: link.transport },
    is_online: goneMs === null,
    last_seen: new Date(goneMs ?? nowMs).toISOString(),
    uptime: goneMs === null ? seconds(nowMs - sinceMs) : 0,
    ...passed.stats(),
  };
}

function keyOf({ user, group, id }: Pick<Agent, "user" | "group" | "id">): string {
  return JSON.stringify([user, group, id]);
}

export function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}

function zeros<const T extends string>(names: readonly T[]): Record<T, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<T, number>;
}
