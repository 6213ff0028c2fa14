import type { ByteStream } from "../net/byte_stream.ts";
import { Cancel, type CancelSignal } from "../net/cancel.ts";
import { messageOf, NetError } from "../net/error.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import { type Agent, type AgentBalance, Agents } from "./agents.ts";
import { type Place, type Throttle, throttleBy, TunnelLimits } from "./limits.ts";
import type { LinkEnd } from "./link.ts";
import type { Asked, GatewayObserver } from "./observer.ts";
import { type IdleTimes, relay, type RelayEnd, type Traffic } from "./relay.ts";
import { full, mayHelp, refusedBy } from "./refusals.ts";
import { targetText, TunnelRefused } from "./target.ts";
import type { Pass } from "./users.ts";

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
  /** Fires when it may not go on; its reason says why. `carry` ends it then. */
  readonly signal: CancelSignal;
  /** Holds a chunk up before it goes on; `carry` asks it. */
  readonly throttle?: Throttle;
}

/** A connection that is open, or being opened. */
interface Taken {
  readonly asked: Asked;
  readonly ended: Cancel;
  readonly places: Place[];
  /** The end of its pass. */
  deadline: Deadline | null;
  stream: ByteStream | null;
}

/** Connects through agents: what all its fronts, and the routes of a proxy, go by. */
export class Gateway {
  readonly agents: Agents;
  readonly #options: GatewayOptions;
  #limits = new TunnelLimits();
  #asked = 0;
  readonly #taken = new Map<number, Taken>();
  #draining = false;
  /** Called when the last connection has ended. */
  readonly #onIdle: (() => void)[] = [];
  #stopped: string | null = null;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.agents = new Agents(options.balance);
  }

  /** Connections that are open, and being opened. */
  get connections(): number {
    return this.#taken.size;
  }

  get sweeper(): Sweeper {
    return this.#options.sweeper;
  }

  /** From now on connections are limited so. */
  limit(limits: TunnelLimits): void {
    this.#limits = limits;
  }

  /** Takes up an agent that has said who it is, until its link is over. */
  take(agent: Agent): void {
    const { observer } = this.#options;
    const { link, pass } = agent;
    observer.agentConnected(agent);
    this.agents.add(agent);
    agent.ports.hold(agent);
    const deadline = this.#whenOver(pass, (reason) => link.close(reason));
    void link.over.then((end: LinkEnd) => {
      deadline?.clear();
      observer.agentGone(agent, end);
    });
    // It may have been so since it was let in.
    if (pass?.isOver) link.close(whyOver(pass));
    else if (this.#stopped !== null) link.close(this.#stopped);
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
    signal?: CancelSignal,
    agents?: readonly Agent[],
  ): Promise<GatewayConnection> {
    const asked = { ...ask, id: ++this.#asked };
    const { observer, sweeper, connectTimeoutMs } = this.#options;
    const startedMs = performance.now();
    observer.asked?.(asked);
    const taken = this.#take(asked);
    const { ended } = taken;
    const giveUp = () => ended.abort(signal!.reason);
    const deadline = new Deadline(sweeper, connectTimeoutMs, () => {
      ended.abort(new NetError("timeout", `not connected within ${connectTimeoutMs} ms`));
    });
    signal?.addEventListener("abort", giveUp, { once: true });
    const tried: { last: Agent | null } = { last: null };
    try {
      if (signal?.aborted) giveUp();
      const { stream, agent } = await this.#try(taken, { agents, tried });
      taken.stream = stream;
      if (ended.aborted) {
        stream.abort();
        throw ended.reason;
      }
      const openedMs = performance.now();
      observer.opened(asked, { agent, dialMs: openedMs - startedMs });
      const throttle = throttleBy(taken.places);
      return { stream, agent, asked, openedMs, signal: ended, throttle };
    } catch (error) {
      this.#free(asked);
      const refused = refusedBy(error);
      const { code, message: reason } = refused;
      observer.refused(asked, { code, reason, agent: tried.last });
      throw refused;
    } finally {
      deadline.clear();
      signal?.removeEventListener("abort", giveUp);
    }
  }

  #take(asked: Asked): Taken {
    const ended = new Cancel();
    const taken: Taken = { asked, ended, places: [], deadline: null, stream: null };
    this.#taken.set(asked.id, taken);
    taken.deadline = this.#whenOver(asked.pass, (reason) => endOf(taken, reason));
    return taken;
  }

  /** Why no connection can be had now. */
  #check({ asked: { pass }, ended }: Taken): void {
    if (pass?.isOver) throw new TunnelRefused(TunnelCode.AUTH_FAILED, whyOver(pass));
    if (this.#draining || this.#stopped !== null) throw full("the gateway shuts down");
    const { maxConnections } = this.#options;
    if (this.#taken.size > maxConnections) throw full("the gateway has all it can carry");
    if (ended.aborted) throw ended.reason;
  }

  async #try(
    taken: Taken,
    { agents, tried }: { agents?: readonly Agent[]; tried: { last: Agent | null } },
  ) {
    const { asked, places, ended: signal } = taken;
    const { observer } = this.#options;
    const { user, group, target, front } = asked;
    const limits = this.#limits;
    this.#check(taken);
    if (user !== "") places.push(await limits.enter("user", user, asked.limits));
    places.push(await limits.enter("target", targetText(target)));
    let last: unknown = null;
    for (const agent of agents ?? this.agents.pick(group, front === "cluster")) {
      if (tried.last !== null) {
        observer.retried?.(asked, { agent: tried.last, reason: messageOf(last) });
      }
      tried.last = agent;
      const before = places.length;
      try {
        // Another gateway limits its agents itself.
        const isHere = agent.link.transport !== "nats";
        if (isHere) places.push(await limits.enter("agent", keyOf(agent)));
        if (signal.aborted) throw signal.reason;
        return { stream: await agent.link.open(target, signal, asked), agent };
      } catch (error) {
        for (const place of places.splice(before)) place.leave();
        last = error;
        if (signal.aborted || !mayHelp(error)) break;
      }
    }
    throw signal.aborted ? signal.reason : last;
  }

  /**
   * Carries bytes between the client and the target to their end. Never rejects.
   *
   * @param idle what counts where it is not that of all connections
   */
  carry(
    connection: GatewayConnection,
    client: ByteStream,
    idle: IdleTimes = this.#options,
  ): Promise<RelayEnd> {
    const { sweeper, observer } = this.#options;
    const { stream: target, signal, throttle } = connection;
    const carried = relay({
      ...{ client, target, sweeper, idle, signal, throttle },
      traffic: this.traffic(connection),
      onBug: (where, error) => observer.bug(where, error),
    });
    return carried.then((end) => {
      this.release(connection, end);
      return end;
    });
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
    // Not awaited: nothing of this is kept for as long as it lasts.
    return this.carry(connection, client);
  }

  /** Where the bytes of a connection are counted; `carry` does so. */
  traffic({ asked }: GatewayConnection): Traffic {
    return this.#options.observer.traffic?.(asked) ?? { bytesToTarget: 0, bytesToClient: 0 };
  }

  /** Tells of a connection that has ended. */
  release({ asked, agent, openedMs }: GatewayConnection, end: RelayEnd): void {
    this.#free(asked);
    const durationMs = performance.now() - openedMs;
    this.#options.observer.closed(asked, { ...end, agent, durationMs });
  }

  #free({ id }: Asked): void {
    const taken = this.#taken.get(id);
    if (taken === undefined) return;
    this.#taken.delete(id);
    taken.deadline?.clear();
    for (const place of taken.places) place.leave();
    if (this.#taken.size === 0) { for (const tell of this.#onIdle.splice(0)) tell(); }
  }

  #whenOver(pass: Pass | undefined, over: (reason: string) => void): Deadline | null {
    if (pass === undefined || pass.expiresAtMs === Infinity) return null;
    const leftMs = Math.max(0, pass.expiresAtMs - Date.now());
    return new Deadline(this.#options.sweeper, leftMs, () => over(whyOver(pass)));
  }

  /** Ends agents and connections whose users are gone or changed, or whose time is up. */
  endOver(): void {
    for (const { pass, link } of this.agents.list()) if (pass?.isOver) link.close(whyOver(pass));
    for (const taken of [...this.#taken.values()]) {
      const { pass } = taken.asked;
      if (pass?.isOver) endOf(taken, whyOver(pass));
    }
  }

  /** Opens no more; resolves once all connections have ended, or after `forMs`. */
  async drain(forMs: number): Promise<void> {
    this.#draining = true;
    if (this.#taken.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, forMs);
      this.#onIdle.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Ends every connection, and then the link of every agent. */
  stop(reason = "the gateway shuts down"): void {
    this.#stopped = reason;
    for (const taken of [...this.#taken.values()]) endOf(taken, reason);
    this.agents.close(reason);
  }
}

function whyOver({ expiresAtMs }: Pass): string {
  return Date.now() >= expiresAtMs ? "its time is up" : "its user is gone or was changed";
}

/** Whoever carries it hears of it by its signal, all others by its stream. */
function endOf({ ended, stream }: Taken, reason: string): void {
  ended.abort(new NetError("aborted", reason));
  stream?.abort(reason);
}

function keyOf({ user, group, id }: Agent): string {
  return JSON.stringify([user, group, id]);
}
