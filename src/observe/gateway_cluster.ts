import type { ClusterNews } from "../tunnel/observer.ts";
import { registerCounter, registerGauge } from "./metrics.ts";
import type { Registry } from "./registry.ts";
import { byLabel, GATEWAY_PREFIX, specOf } from "./tunnel_metrics.ts";

/** What is counted of a gateway's place among others. */
export class ClusterCounts {
  joined = false;
  /** Other gateways that are there. */
  gateways = 0;
  losses = 0;
  /** Connections by way of another gateway, and those that another one asked for. */
  readonly connections = { to_other: 0, from_other: 0 };

  take({ type }: ClusterNews): void {
    switch (type) {
      case "joined":
        this.joined = true;
        break;
      case "lost":
        this.joined = false;
        this.losses++;
        break;
      case "found":
        this.gateways++;
        break;
      case "gone":
        this.gateways--;
        break;
    }
  }
}

/** All of it is 0 without `--cluster`. */
export function registerCluster(registry: Registry, counts: ClusterCounts): void {
  const spec = specOf(registry, GATEWAY_PREFIX);
  registerGauge(
    spec("cluster_joined", "1 while the server of NATS takes this gateway"),
    () => [[{}, Number(counts.joined)]],
  );
  registerGauge(
    spec("cluster_gateways", "Other gateways that are there now"),
    () => [[{}, counts.gateways]],
  );
  registerCounter(
    spec("cluster_losses_total", "How often NATS was lost, or could not be reached"),
    () => [[{}, counts.losses]],
  );
  registerCounter(
    spec("cluster_connections_total", "Connections that were opened through two gateways", "way"),
    () => byLabel("way", counts.connections),
  );
}
