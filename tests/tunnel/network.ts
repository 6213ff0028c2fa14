// An agent and its gateway with a network between them that can be cut.
import { Sweeper } from "../../src/net/sweeper.ts";
import type { TunnelAgent } from "../../src/tunnel/agent.ts";
import type { GatewayServer } from "../../src/tunnel/gateway_server.ts";
import { startTcpRelay, type TcpRelay } from "../support/tcp_relay.ts";
import { startUdpRelay, type UdpRelay } from "../support/udp_relay.ts";
import { until } from "../support/until.ts";
import { startAgent, startGateway, Told, type TunnelOptions } from "./support.ts";

/** Passes UDP and TCP on, both at one port. */
export interface Network extends AsyncDisposable {
  readonly port: number;
  readonly udp: UdpRelay;
  readonly tcp: TcpRelay;
  /** From now on nothing passes, and nobody is told. */
  cut(): void;
  restore(): void;
}

/** A network before the port of a gateway. */
export async function startNetwork(port: number): Promise<Network> {
  for (let tries = 1;; tries++) {
    const udp = startUdpRelay(port);
    try {
      return networkOf(udp, startTcpRelay(port, { listenPort: udp.port }));
    } catch (error) {
      // Somebody else has that port by TCP.
      await udp[Symbol.asyncDispose]();
      if (!(error instanceof Deno.errors.AddrInUse) || tries === 10) throw error;
    }
  }
}

function networkOf(udp: UdpRelay, tcp: TcpRelay): Network {
  return {
    port: udp.port,
    udp,
    tcp,
    cut() {
      udp.cut();
      tcp.cut();
    },
    restore() {
      udp.restore();
      tcp.restore();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([udp[Symbol.asyncDispose](), tcp[Symbol.asyncDispose]()]);
    },
  };
}

/** A tunnel through a network. */
export interface NetworkTunnel {
  readonly gateway: GatewayServer;
  readonly agent: TunnelAgent;
  readonly told: Told;
  readonly network: Network;
}

/** Runs it once the link stands; `before` acts on the network before the agent begins. */
export async function withNetwork(
  options: TunnelOptions & { before?: (network: Network) => void },
  run: (tunnel: NetworkTunnel) => Promise<void>,
): Promise<void> {
  const sweeper = new Sweeper(50);
  const told = new Told();
  const gateway = await startGateway({ told, sweeper }, options);
  await using network = await startNetwork(gateway.port);
  options.before?.(network);
  const agent = await startAgent({ told, sweeper }, network.port, options);
  try {
    await until("the link", () => agent.links.size === 1);
    await until("the agent", () => gateway.gateway.agents.list().length === 1);
    await run({ gateway, agent, told, network });
    if (told.bugs.length > 0) throw told.bugs[0];
  } finally {
    await agent.stop();
    await gateway.stop();
    sweeper.stop();
  }
}
