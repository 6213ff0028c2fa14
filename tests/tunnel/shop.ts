// A gateway whose agents a test starts one by one.
import { Sweeper } from "../../src/net/sweeper.ts";
import type { AgentOptions, TunnelAgent } from "../../src/tunnel/agent.ts";
import type { Gateway } from "../../src/tunnel/gateway.ts";
import type { GatewayServer } from "../../src/tunnel/gateway_server.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { startGateway, testAgent, Told, type TunnelOptions } from "./support.ts";

/** A gateway, and any number of agents. */
export class Shop implements AsyncDisposable {
  readonly told = new Told();
  readonly #sweeper = new Sweeper(50);
  readonly #agents: TunnelAgent[] = [];
  #server!: GatewayServer;

  static async open(options: TunnelOptions = {}): Promise<Shop> {
    const shop = new Shop();
    shop.#server = await startGateway({ told: shop.told, sweeper: shop.#sweeper }, options);
    return shop;
  }

  /** How an agent says who it is, where nothing else is said. */
  static auth(clientId: string): AgentOptions["auth"] {
    return {
      ...{ version: 1, clientId, group: null, agent: "test", openPorts: [], maxConns: null },
      login: { username: "ann", password: "secret" },
    };
  }

  get gateway(): Gateway {
    return this.#server.gateway;
  }

  get port(): number {
    return this.#server.port;
  }

  get socksPort(): number {
    return this.#server.socksPort!;
  }

  get forwardPorts(): readonly number[] {
    return this.#server.forwardPorts;
  }

  /** Starts one. `port`: where it looks for the gateway. */
  async agent(
    options: TunnelOptions & { clientId?: string; caPem?: string },
    port: number = this.port,
  ): Promise<TunnelAgent> {
    const { caPem } = await testCertificates();
    const { told } = this;
    const agent = testAgent({ port }, {
      ...{ caPem, sweeper: this.#sweeper, observer: told.agent, ...options },
    });
    this.#agents.push(agent);
    return agent;
  }

  /** Waits until these are there and no others. */
  async agents(...ids: string[]): Promise<void> {
    const want = ids.toSorted().join();
    const now = () => this.gateway.agents.list().map(({ id }) => id).toSorted().join();
    await until(`agents ${want}`, () => now() === want);
  }

  /** The agents that were asked and connected, in order. */
  asked(): string[] {
    return this.told.lines.flatMap((line) => /^open \S+ (\S+)$/.exec(line)?.[1] ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.stop()));
    await this.#server.stop();
    this.#sweeper.stop();
    if (this.told.bugs.length > 0) throw this.told.bugs[0];
  }
}
