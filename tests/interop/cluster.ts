// Several gateways and a nats-server, in one process of a test.
import * as net from "node:net";
import { Sweeper } from "../../src/net/sweeper.ts";
import type { TunnelAgent } from "../../src/tunnel/agent.ts";
import type { ClusterConfig } from "../../src/tunnel/cluster.ts";
import type { GatewayServer } from "../../src/tunnel/gateway_server.ts";
import type { Asked, ClusterNews } from "../../src/tunnel/observer.ts";
import { until } from "../support/until.ts";
import { startAgent, startGateway, Told } from "../tunnel/support.ts";
import { NatsServer, type NatsServerOptions } from "./nats_server.ts";

const HEARTBEAT_MS = 300;

export interface TestCluster {
  readonly nats: NatsServer;
  /** The first has the agent, the others have none. */
  readonly gateways: GatewayServer[];
  readonly agent: TunnelAgent;
  readonly told: Told;
  readonly asked: Asked[][];
  readonly news: ClusterNews[][];
}

interface ClusterOptions extends NatsServerOptions {
  count?: number;
  cluster?: (nats: NatsServer, index: number) => Partial<ClusterConfig>;
  /** Whether all are to find each other first. */
  joins?: boolean;
}

export async function withCluster(
  path: string,
  options: ClusterOptions,
  run: (cluster: TestCluster) => Promise<void>,
): Promise<void> {
  const { count = 2, cluster = () => ({}), joins = true } = options;
  await using nats = await NatsServer.start(path, options);
  const sweeper = new Sweeper(50);
  const told = new Told();
  const asked: Asked[][] = [];
  const news: ClusterNews[][] = [];
  const gateways: GatewayServer[] = [];
  for (let i = 0; i < count; i++) {
    asked.push([]);
    news.push([]);
    const observer = {
      ...told.gateway,
      opened: (one: Asked) => void asked[i].push(one),
      cluster: (one: ClusterNews) => void news[i].push(one),
    };
    const own = { urls: [nats.url()], heartbeatMs: HEARTBEAT_MS, ...cluster(nats, i) };
    const gateway = { observer, cluster: own };
    gateways.push(await startGateway({ told, sweeper }, { gateway }));
  }
  const agent = await startAgent({ told, sweeper }, gateways[0].port);
  try {
    await until("the agent", () => gateways[0].gateway.agents.list().length === 1);
    if (joins) await until("the cluster", () => gateways.every((one) => isJoined(one, count)));
    await run({ nats, gateways, agent, told, asked, news });
    if (told.bugs.length > 0) throw told.bugs[0];
  } finally {
    await agent.stop();
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    sweeper.stop();
  }
}

export function isJoined(gateway: GatewayServer, count: number): boolean {
  if (gateway.cluster!.gateways.length !== count - 1) return false;
  const { agents } = gateway.gateway;
  return agents.has("default") || agents.elsewhere!.find("default").length > 0;
}

export function isIdle({ gateways, agent }: TestCluster): boolean {
  return agent.streams === 0 && gateways.every(({ gateway }) => gateway.connections === 0);
}

/** A TCP server of a test. */
export async function withTarget(
  take: (conn: net.Socket) => void,
  run: (port: number) => Promise<void>,
): Promise<void> {
  const conns = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (conn) => {
    conns.add(conn);
    conn.on("close", () => conns.delete(conn));
    conn.on("error", () => {});
    take(conn);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await run((server.address() as net.AddressInfo).port);
  } finally {
    for (const conn of conns) conn.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}
