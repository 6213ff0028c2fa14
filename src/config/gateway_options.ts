import type { Address } from "../net/address.ts";
import { DEFAULT_GROUP } from "../tunnel/admission.ts";
import type { GatewayServerOptions } from "../tunnel/gateway_server.ts";
import type { LimitsBy } from "../tunnel/limits.ts";
import type { Users } from "../tunnel/users.ts";
import type { GatewayConfig } from "./gateway.ts";

/** What of a gateway's options its config does not say. */
export interface GatewayGiven extends
  Pick<
    GatewayServerOptions,
    "certPem" | "keyPem" | "clientCaPem" | "agents" | "cluster" | "sweeper" | "observer" | "log"
  > {
  /** Who may come in as a client, unless anybody may. */
  readonly clients: Users;
}

/** The options of a gateway that does what a config says. */
export function gatewayOptions(
  config: GatewayConfig,
  { clients, ...given }: GatewayGiven,
): GatewayServerOptions {
  const { socks, http, mixed, forwards, openPorts, anonymous, group } = config;
  const users = anonymous ? null : clients;
  const front = (listen: Address | null) => listen && { listen, users, group: group ?? undefined };
  return {
    ...config,
    ...given,
    ...{ socks: front(socks), http: front(http), mixed: front(mixed) },
    forwards: forwards.map((one) => ({ ...one, group: one.group ?? group ?? DEFAULT_GROUP })),
    openPorts: { hostname: config.listen.hostname, ranges: openPorts },
    limits: limitsOf(config),
  };
}

function limitsOf(config: GatewayConfig): LimitsBy {
  return {
    user: {
      ...{ maxConnections: config.userMaxConnections, newPerSecond: config.userNewPerSecond },
      bytesPerSecond: config.userBytesPerSecond,
    },
    agent: {
      ...{ maxConnections: config.agentMaxConnections, newPerSecond: config.agentNewPerSecond },
      bytesPerSecond: config.agentBytesPerSecond,
    },
    target: {
      ...{ maxConnections: config.targetMaxConnections, newPerSecond: config.targetNewPerSecond },
      bytesPerSecond: config.targetBytesPerSecond,
    },
  };
}
