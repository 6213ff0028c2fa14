import { registerHistogram, type Series } from "./buckets.ts";
import type { Buckets } from "./buckets.ts";
import { registerCounter, registerGauge } from "./metrics.ts";
import type { Registry } from "./registry.ts";
import type { TunnelCounters } from "./tunnel_counters.ts";

/** What stands before the names of their metrics. */
export const GATEWAY_PREFIX = "h3ws_gateway_";
export const AGENT_PREFIX = "h3ws_agent_";

/** Makes what a metric is registered by. */
export function specOf(registry: Registry, prefix: string) {
  return (name: string, help: string, ...labelNames: string[]) => (
    { registry, name: prefix + name, help, labelNames }
  );
}

/** Values by the label that tells them apart. */
export function byLabel(
  label: string,
  values: Readonly<Record<string, number>>,
): [Record<string, string>, number][] {
  return Object.entries(values).map(([value, count]) => [{ [label]: value }, count]);
}

/** Registers what a gateway and an agent both count of connections. */
export function registerTunnel(
  registry: Registry,
  us: "gateway" | "agent",
  counters: TunnelCounters,
): void {
  const prefix = us === "gateway" ? GATEWAY_PREFIX : AGENT_PREFIX;
  const spec = specOf(registry, prefix);
  const { passed } = counters;
  registerGauge(
    spec("active_connections", "Connections to targets that are open now"),
    () => [[{}, passed.active]],
  );
  registerGauge(
    spec("opening_connections", "Connections that wait for their targets now"),
    () => [[{}, counters.opening]],
  );
  registerCounter(
    spec("connections_total", "Connections to targets that were opened"),
    () => [[{}, passed.total]],
  );
  registerCounter(
    spec("refused_total", "Connections that were asked for and did not come to be", "code"),
    () => byLabel("code", counters.refused),
  );
  registerCounter(
    spec("closes_total", "Connections that have ended, by who ended them first", "by"),
    () => {
      const { us: ours, ...others } = counters.closes;
      return byLabel("by", { ...others, [us]: ours });
    },
  );
  registerCounter(
    spec("bytes_total", "Bytes that passed between clients and targets", "dir"),
    () => {
      const { bytesToTarget, bytesToClient } = passed.bytes;
      return [[{ dir: "to_target" }, bytesToTarget], [{ dir: "to_client" }, bytesToClient]];
    },
  );
  registerHistogram(registry, {
    name: `${prefix}dial_seconds`,
    help: "From the wish for a connection to its target's answer",
  }, () => [series({}, counters.dialSeconds)]);
  registerHistogram(registry, {
    name: `${prefix}connection_duration_seconds`,
    help: "How long connections were open",
  }, () => [series({}, counters.durationSeconds)]);
  registerHistogram(registry, {
    name: `${prefix}connection_bytes`,
    help: "Bytes that passed through each connection, by direction",
  }, () => [
    series({ dir: "to_target" }, counters.connectionBytesToTarget),
    series({ dir: "to_client" }, counters.connectionBytesToClient),
  ]);
}

function series(labels: Record<string, string>, { bounds, counts, sum }: Buckets): Series {
  return { labels, bounds, counts, sum };
}
