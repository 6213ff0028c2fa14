import type { ByteStream } from "../net/byte_stream.ts";
import { messageOf, NetError, toNetError } from "../net/error.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import { type Agent, type AgentBalance, Agents } from "./agents.ts";
import type { LinkEnd } from "./link.ts";
import type { Asked, GatewayObserver } from "./observer.ts";
import { relay, type RelayEnd } from "./relay.ts";
import { TunnelRefused } from "./target.ts";

export interface GatewayOptions {
  balance: AgentBalance;
  /** How long all agents that are tried may take together to connect. */
  connectTimeoutMs: number;
  /** A connection ends when no byte went either way for so long; 0 for never. */
  idleTimeoutMs: number;
  /** Connections at once, with those that are being opened. */
  maxConnections: number;
  sweeper: Sweeper;
  observer: GatewayObserver;
}

/** A connection that an agent has opened. */
export interface GatewayConnection {
  readonly stream: ByteStream;
  readonly asked: Asked;
  readonly agent: Agent;
  readonly openedMs: number;
}

/** Connects through agents: what all its fronts, and the routes of a proxy, go by. */
export class Gateway {
  readonly agents: Agents;
  readonly #options: GatewayOptions;
  #asked = 0;
  #taken = 0;
  #draining = false;
  /** Called when the last connection has ended. */
  #onIdle: (() => void) | null = null;
  readonly #stopped = new AbortController();

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.agents = new Agents(options.balance);
  }

  /** Connections that are open, and being opened. */
  get connections(): number {
    return this.#taken;
  }

  /** Takes up an agent that has said who it is, until its link is gone. */
  take(agent: Agent): void {
    const { observer } = this.#options;
    observer.agentConnected(agent);
    this.agents.add(agent);
    agent.ports.hold(agent);
    void agent.link.closed.then((end: LinkEnd) => observer.agentGone(agent, end));
  }

  /**
   * Has an agent connect to the target, or the next one where that is of use. Whoever gets the
   * connection calls `carry`, or ends its stream and calls `release`.
   *
   * @param agents those that are tried, where it is not for any of the group
   * @throws {TunnelRefused}
   */
  async open(
    ask: Omit<Asked, "id">,
    signal?: AbortSignal,
    agents?: readonly Agent[],
  ): Promise<GatewayConnection> {
    const asked = { ...ask, id: ++this.#asked };
    const { observer, maxConnections, connectTimeoutMs } = this.#options;
    const startedMs = performance.now();
    const late = new AbortController();
    const timer = setTimeout(() => {
      late.abort(new NetError("timeout", `not connected within ${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
    const signals = [this.#stopped.signal, late.signal, ...(signal === undefined ? [] : [signal])];
    this.#taken++;
    const tried: { last: Agent | null } = { last: null };
    try {
      if (this.#draining) {
        throw new TunnelRefused(TunnelCode.RATE_LIMITED, "the gateway shuts down");
      }
      if (this.#taken > maxConnections) {
        throw new TunnelRefused(TunnelCode.RATE_LIMITED, "the gateway has all it can carry");
      }
      const found = await this.#try(asked, AbortSignal.any(signals), { agents, tried });
      const openedMs = performance.now();
      observer.opened(asked, { agent: found.agent, dialMs: openedMs - startedMs });
      return { ...found, asked, openedMs };
    } catch (error) {
      this.#free();
      const refused = refusedBy(error);
      const { code, message: reason } = refused;
      observer.refused(asked, { code, reason, agent: tried.last });
      throw refused;
    } finally {
      clearTimeout(timer);
    }
  }

  async #try(
    asked: Asked,
    signal: AbortSignal,
    { agents, tried }: { agents?: readonly Agent[]; tried: { last: Agent | null } },
  ) {
    let last: unknown = null;
    for (const agent of agents ?? this.agents.pick(asked.group, asked.front === "cluster")) {
      tried.last = agent;
      try {
        return { stream: await agent.link.open(asked.target, signal, asked), agent };
      } catch (error) {
        last = error;
        if (signal.aborted || !mayHelp(error)) break;
      }
    }
    throw signal.aborted ? signal.reason : last;
  }

  /**
   * Carries bytes between the client and the target to their end. Never rejects.
   *
   * @param idleTimeoutMs what counts where it is not that of all connections
   */
  async carry(
    connection: GatewayConnection,
    client: ByteStream,
    idleTimeoutMs: number = this.#options.idleTimeoutMs,
  ): Promise<RelayEnd> {
    const { sweeper, observer } = this.#options;
    const end = await relay({
      client,
      target: connection.stream,
      sweeper,
      idleTimeoutMs,
      signal: this.#stopped.signal,
      traffic: observer.traffic?.(connection.asked),
      onBug: (where, error) => observer.bug(where, error),
    });
    this.release(connection, end);
    return end;
  }

  /** The same, for a client that has to be told first; who can't be is gone. */
  async carryTo(
    connection: GatewayConnection,
    accept: () => Promise<ByteStream>,
  ): Promise<RelayEnd> {
    let client: ByteStream;
    try {
      client = await accept();
    } catch (error) {
      connection.stream.abort("the client is gone");
      const reason = messageOf(error);
      const end = { by: "client", reason, bytesToTarget: 0, bytesToClient: 0 } as const;
      this.release(connection, end);
      if (error instanceof NetError) return end;
      throw error;
    }
    return await this.carry(connection, client);
  }

  /** Tells of a connection that has ended. */
  release({ asked, agent, openedMs }: GatewayConnection, end: RelayEnd): void {
    this.#free();
    const durationMs = performance.now() - openedMs;
    this.#options.observer.closed(asked, { ...end, agent, durationMs });
  }

  #free(): void {
    if (--this.#taken === 0) this.#onIdle?.();
  }

  /** Opens no more; resolves once all connections have ended, or after `forMs`. */
  async drain(forMs: number): Promise<void> {
    this.#draining = true;
    if (this.#taken === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, forMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ends every connection, and then the link of every agent. */
  stop(reason = "the gateway shuts down"): void {
    this.#stopped.abort(reason);
    this.agents.close(reason);
  }
}

/** Whether another agent may do what this one did not. */
function mayHelp(error: unknown): boolean {
  if (!(error instanceof TunnelRefused)) return true;
  return error.code === TunnelCode.RATE_LIMITED || error.code === TunnelCode.INTERNAL_ERROR;
}

function refusedBy(error: unknown): TunnelRefused {
  if (error instanceof TunnelRefused) return error;
  const { kind, message } = typeof error === "string"
    ? new NetError("aborted", error)
    : toNetError(error);
  return new TunnelRefused(TunnelCode.CONNECTION_FAILED, `${kind}: ${message}`, error);
}
