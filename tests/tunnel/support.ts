// A gateway and an agent of a test, over every transport.
import type { OpenPort } from "../../src/protocol/tunnel/auth.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { type AgentOptions, TunnelAgent } from "../../src/tunnel/agent.ts";
import type { AgentTransport } from "../../src/tunnel/agent_links.ts";
import { agentDial } from "../../src/tunnel/agent_dial.ts";
import { GatewayServer, type GatewayServerOptions } from "../../src/tunnel/gateway_server.ts";
import { parseHostPattern } from "../../src/tunnel/host_pattern.ts";
import type { LinkTransport } from "../../src/tunnel/link.ts";
import type { AgentObserver } from "../../src/tunnel/agent.ts";
import type { GatewayObserver } from "../../src/tunnel/observer.ts";
import { Reach } from "../../src/tunnel/reach.ts";
import { type User, Users } from "../../src/tunnel/users.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";

/** What was told, one line each. */
export class Told {
  readonly lines: string[] = [];
  readonly bugs: unknown[] = [];

  get gateway(): GatewayObserver {
    return {
      agentConnected: ({ id, group, link }) => this.#say(`agent+ ${id} ${group} ${link.transport}`),
      agentGone: ({ id }, { by, reason }) => this.#say(`agent- ${id} ${by}: ${reason}`),
      authFailed: ({ front, user, reason }) => this.#say(`auth ${front} ${user}: ${reason}`),
      portOpened: ({ protocol, port, user, target }) =>
        this.#say(`port+ ${protocol} ${port} ${user} ${target.host}:${target.port}`),
      portRefused: ({ user, reason }) => this.#say(`port- ${user}: ${reason}`),
      wrongProtocol: ({ front, reason }) => this.#say(`client ${front}: ${reason}`),
      clientRefused: ({ kind }) => this.#say(`client refused: ${kind}`),
      opened: ({ target }, { agent }) =>
        this.#say(`open ${target.host}:${target.port} ${agent.id}`),
      refused: ({ target }, { reason }) => this.#say(`refused ${target.host}: ${reason}`),
      closed: (_, end) =>
        this.#say(`closed ${end.by}: ${end.reason} ${end.bytesToTarget}/${end.bytesToClient}`),
      bug: (where, error) => this.#bug(where, error),
    };
  }

  get agent(): AgentObserver {
    return {
      linked: (_, { transport }, { instead }) =>
        this.#say(`linked ${transport}${instead === null ? "" : ` instead of ${instead}`}`),
      unlinked: (_, { end }) => this.#say(`unlinked ${end.by}: ${end.reason}`),
      portRefused: (_, { message }) => this.#say(`port refused: ${message}`),
      failed: (_, { reason }) => this.#say(`failed ${reason}`),
      opened: () => {},
      refused: () => {},
      closed: (_, { by, reason }) => this.#say(`agent closed ${by}: ${reason}`),
      bug: (where, error) => this.#bug(where, error),
    };
  }

  #say(line: string): void {
    this.lines.push(line);
  }

  #bug(where: string, error: unknown): void {
    this.bugs.push(error);
    this.lines.push(`BUG ${where}: ${error instanceof Error ? error.stack : error}`);
  }
}

export interface TunnelOptions {
  gateway?: Partial<GatewayServerOptions>;
  agents?: readonly User[];
  transports?: readonly AgentTransport[];
  allowed?: readonly string[] | null;
  /** What is different of the agent. */
  agent?: Partial<Omit<AgentOptions, "auth">> & { auth?: Partial<AgentOptions["auth"]> };
  /** Whether it is not waited for. */
  unlinked?: boolean;
  /** What the agent asks the gateway for. */
  openPorts?: readonly OpenPort[];
  /** Of the agent: where the gateway's name leads to. */
  places?: Pick<AgentOptions, "lookup" | "lookupEveryMs">;
}

/** A tunnel that stands. */
export interface TestTunnel {
  readonly gateway: GatewayServer;
  readonly agent: TunnelAgent;
  readonly told: Told;
  readonly transport: LinkTransport;
}

export const LOOPBACK = { hostname: "127.0.0.1", port: 0 };
const USER = { name: "ann", password: "secret" };

/** Another agent than that of `withTunnel`; whoever starts it stops it. */
export function testAgent(
  { port }: Pick<GatewayServer, "port">,
  options: TunnelOptions & {
    caPem: string;
    sweeper: Sweeper;
    observer: AgentObserver;
    clientId?: string;
    user?: { name: string; password: string };
  },
): TunnelAgent {
  const { allowed = ["127.0.0.1", "localhost"], openPorts = [], clientId = "one" } = options;
  const { places = {} } = options;
  const { caPem, sweeper, observer, transports = ["quic", "ws"], user = USER } = options;
  const reach = new Reach({
    allowed: allowed === null ? null : allowed.map(parseHostPattern),
    ...{ forbidden: [], services: [], openPorts },
  });
  return new TunnelAgent({
    gateways: [new URL(`wss://localhost:${port}/ws`)],
    replicas: 1,
    ...places,
    ...{ caCerts: [caPem], transports, sweeper, observer },
    ...{ maxStreams: 10_000, windowBytes: 256 * 1024 },
    ...{ quicTimeoutMs: 1_500, connectTimeoutMs: 5_000 },
    ...{ idleTimeoutMs: 0, stableMs: 60_000, minDelayMs: 50, maxDelayMs: 200 },
    connect: agentDial({ reach, connectTimeoutMs: 5_000 }),
    ...options.agent,
    auth: {
      ...{ version: 1, clientId, group: null, agent: "test", openPorts, maxConns: null },
      login: { username: user.name, password: user.password },
      ...options.agent?.auth,
    },
  });
}

/** What both ends of a test share. */
export interface Shared {
  readonly told: Told;
  readonly sweeper: Sweeper;
}

/** A gateway that listens, and SOCKS5 for anybody. */
export async function startGateway(
  { told, sweeper }: Shared,
  { gateway: given, agents = [USER] }: TunnelOptions = {},
): Promise<GatewayServer> {
  const { certPem, keyPem } = await testCertificates();
  const gateway = new GatewayServer({
    listen: LOOPBACK,
    ...{ certPem, keyPem, path: "/ws", balance: "round-robin", sweeper, observer: told.gateway },
    agents: new Users(agents),
    socks: { listen: LOOPBACK, users: null },
    http: { listen: LOOPBACK, users: null },
    mixed: { listen: LOOPBACK, users: null },
    ...{ maxConnections: 20_000, maxStreamsPerAgent: 10_000, windowBytes: 256 * 1024 },
    ...{
      connectTimeoutMs: 5_000,
      idleTimeoutMs: 0,
      handshakeTimeoutMs: 5_000,
      heartbeatMs: 15_000,
    },
    ...given,
  });
  await gateway.listen();
  return gateway;
}

/** An agent of whatever gateway is at the port. */
export async function startAgent(
  { told, sweeper }: Shared,
  port: number,
  options: TunnelOptions = {},
): Promise<TunnelAgent> {
  const { caPem } = await testCertificates();
  return testAgent({ port }, { ...options, caPem, sweeper, observer: told.agent });
}

export async function withTunnel(
  options: TunnelOptions,
  run: (tunnel: TestTunnel) => Promise<void>,
): Promise<void> {
  const sweeper = new Sweeper(50);
  const told = new Told();
  const gateway = await startGateway({ told, sweeper }, options);
  const agent = await startAgent({ told, sweeper }, gateway.port, options);
  try {
    const { agents } = gateway.gateway;
    const isLinked = () => agent.links.size > 0 && agents.list().length === agent.links.size;
    if (!options.unlinked) await until("the link", isLinked);
    const transport = [...agent.links][0]?.transport ?? "quic";
    await run({ gateway, agent, told, transport });
    if (told.bugs.length > 0) throw told.bugs[0];
  } finally {
    await agent.stop();
    await gateway.stop();
    sweeper.stop();
  }
}
