import { TunnelCode, tunnelCodeName } from "../protocol/tunnel/code.ts";
import type { AgentObserver, Served } from "../tunnel/agent.ts";
import type { Link, LinkEnd, LinkTransport } from "../tunnel/link.ts";
import { targetText } from "../tunnel/target.ts";
import { seconds } from "./gateway.ts";
import type { Fields, Log } from "./log.ts";
import { registerCounter, registerGauge } from "./metrics.ts";
import { errorFields, tenth } from "./observer.ts";
import type { Registry } from "./registry.ts";
import { type PassedStats, TunnelCounters } from "./tunnel_counters.ts";
import { AGENT_PREFIX, byLabel, registerTunnel, specOf } from "./tunnel_metrics.ts";

export interface AgentObserverOptions {
  /** Gets the metrics; one registry for each observer. */
  registry: Registry;
  log: Log;
  clientId: string;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** What `/stats` of an agent tells. */
export interface AgentProcessStats extends PassedStats {
  /** Its name. */
  client_id: string;
  /** Whether a link to a gateway stands. */
  is_online: boolean;
  /** In ISO 8601: when the last link ended, or now; `null` where there was none. */
  last_seen: string | null;
  /** Why no link came to be the last time; `null` where none has failed since one stood. */
  last_error: string | null;
  /** Seconds since the start. */
  uptime: number;
  /** Those to which a link stands, by "host:port", each with what carries it. */
  gateways: { gateway: string; transport: LinkTransport }[];
}

/** Counts for the metrics and writes the log of one agent. */
export interface CountingAgentObserver extends AgentObserver {
  stats(): AgentProcessStats;
}

/**
 * The observer of one agent. A link is one line (`gateway.connect`) when it stands and one
 * (`gateway.gone`) when it ends, a connection `tunnel.open` and `tunnel.close`.
 */
export function createAgentObserver(options: AgentObserverOptions): CountingAgentObserver {
  const { registry, log, clientId, now = Date.now } = options;
  const counts = new AgentCounts(Object.keys(TunnelCode));
  const startedMs = now();
  const info = log.enabled("info");
  registerTunnel(registry, "agent", counts);
  registerLinks(registry, counts);
  return {
    linked(gateway, link, { instead }) {
      counts.linked(gateway, link);
      const { transport } = link;
      const why = instead !== null && { instead };
      log.info("gateway.connect", { gateway, transport, agent: clientId, ...why });
    },
    unlinked(gateway, { end, retryMs }) {
      counts.unlinked(end, now());
      counts.retry(retryMs);
      const { reason } = end;
      log.info("gateway.gone", { gateway, by: WHO[end.by], reason, retryMs: whole(retryMs) });
    },
    failed(gateway, { reason, code, retryMs }) {
      counts.failures++;
      counts.lastError = reason;
      counts.retry(retryMs);
      const fields = { gateway, reason, retryMs: whole(retryMs) };
      // That passes only where somebody sees to it.
      if (code === TunnelCode.AUTH_FAILED) log.error("gateway.failed", fields);
      else log.warning("gateway.failed", fields);
    },
    portRefused(gateway, { protocol, remotePort: port, message: reason }) {
      log.warning("port.refused", { gateway, port, protocol, reason });
    },
    asked: ({ id }) => counts.asked(id),
    opened(served, { dialMs }) {
      counts.opened(served.id, dialMs);
      if (info) log.info("tunnel.open", { ...servedFields(served), dialMs: tenth(dialMs) });
    },
    traffic: ({ id }) => counts.traffic(id),
    refused(served, { code, message: reason }) {
      counts.refuse(served.id, tunnelCodeName(code));
      log.info("tunnel.refused", { ...servedFields(served), code: tunnelCodeName(code), reason });
    },
    closed(served, end) {
      counts.closed(served.id, end);
      const { by, reason, durationMs, bytesToTarget, bytesToClient } = end;
      if (!info) return;
      log.info("tunnel.close", {
        ...{ id: served.id, by: by === "us" ? "agent" : by, reason, durationMs: tenth(durationMs) },
        ...{ toTargetBytes: bytesToTarget, toClientBytes: bytesToClient },
        ...servedFields(served),
      });
    },
    bug: (where, error) => log.error("bug", { where, ...errorFields(error) }),
    stats: () => {
      const isOnline = counts.links.size > 0;
      const lastMs = isOnline ? now() : counts.lastMs;
      return {
        client_id: clientId,
        is_online: isOnline,
        last_seen: lastMs === null ? null : new Date(lastMs).toISOString(),
        last_error: counts.lastError,
        uptime: seconds(now() - startedMs),
        gateways: [...counts.links].map(([{ transport }, gateway]) => ({ gateway, transport })),
        ...counts.passed.stats(),
      };
    },
  };
}

/** Who ended a link, as it is told. */
const WHO = { us: "agent", peer: "gateway", lost: "lost" } as const;

class AgentCounts extends TunnelCounters {
  /** Those that stand, with the gateway of each. */
  readonly links = new Map<Link, string>();
  readonly gone = { agent: 0, gateway: 0, lost: 0 };
  connects = 0;
  failures = 0;
  retries = 0;
  lastMs: number | null = null;
  lastError: string | null = null;

  linked(gateway: string, link: Link): void {
    this.connects++;
    this.lastError = null;
    this.links.set(link, gateway);
    void link.closed.then(() => this.links.delete(link));
  }

  unlinked({ by }: LinkEnd, nowMs: number): void {
    this.gone[WHO[by]]++;
    this.lastMs = nowMs;
  }

  retry(retryMs: number | null): void {
    if (retryMs !== null) this.retries++;
  }
}

function registerLinks(registry: Registry, counts: AgentCounts): void {
  const spec = specOf(registry, AGENT_PREFIX);
  registerGauge(spec("links", "Links to gateways that stand now"), () => [[{}, counts.links.size]]);
  registerCounter(
    spec("links_total", "Links to gateways that stood"),
    () => [[{}, counts.connects]],
  );
  registerCounter(
    spec("links_gone_total", "Links to gateways that have ended, by whom", "by"),
    () => byLabel("by", counts.gone),
  );
  registerCounter(
    spec("link_failures_total", "Links to gateways that did not come to be"),
    () => [[{}, counts.failures]],
  );
  registerCounter(
    spec("retries_total", "How often it waited to connect again"),
    () => [[{}, counts.retries]],
  );
}

function servedFields({ id, gateway, target }: Served): Fields {
  return { id, gateway, target: targetText(target), protocol: target.protocol };
}

function whole(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}
