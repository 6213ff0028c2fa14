import { NetError } from "../net/error.ts";
import { TunnelCode } from "../protocol/tunnel/code.ts";
import type { GatewayLink } from "./link.ts";
import type { PortClaims } from "./open_ports.ts";
import { TunnelRefused } from "./target.ts";
import type { Pass } from "./users.ts";

/** How the next agent of a group is chosen. */
export type AgentBalance = "round-robin" | "least-sessions" | "failover";

/** An agent that is connected now. */
export interface Agent {
  /** The name that it gave itself; one link of each name is kept. */
  readonly id: string;
  readonly group: string;
  readonly user: string;
  /** "ip:port" that it came from. */
  readonly remote: string;
  readonly link: GatewayLink;
  /** Connections through it at once, as it says itself. */
  readonly maxStreams: number;
  readonly sinceMs: number;
  /** What it was let in by. */
  readonly pass?: Pass;
  /** The ports of the gateway that it has. */
  readonly ports: PortClaims;
}

/** Where agents are that are linked to other gateways. */
export interface Elsewhere {
  /** Gateways that have agents of the group, as if each were one. */
  find(group: string): Agent[];
  /** The groups that have agents here are other ones now. */
  changed(): void;
}

/** All agents of a gateway, by group. */
export class Agents {
  readonly #groups = new Map<string, Agent[]>();
  readonly #turns = new Map<string, number>();
  readonly #balance: AgentBalance;
  /** Who is asked where no agent of a group is here. */
  elsewhere: Elsewhere | null = null;

  constructor(balance: AgentBalance) {
    this.#balance = balance;
  }

  /**
   * Takes up an agent until its link is over. The newest of an id wins: whatever became of the
   * older one, its place is free at once.
   */
  add(agent: Agent): void {
    const others = this.#groups.get(agent.group) ?? [];
    const stale = others.filter(({ id, user }) => id === agent.id && user === agent.user);
    const kept = others.filter((other) => !stale.includes(other));
    this.#groups.set(agent.group, [...kept, agent]);
    if (others.length === 0) this.elsewhere?.changed();
    for (const { link } of stale) link.close("replaced by a newer connection of the same agent");
    void agent.link.over.then(() => this.#delete(agent));
  }

  #delete(agent: Agent): void {
    const left = (this.#groups.get(agent.group) ?? []).filter((other) => other !== agent);
    if (left.length > 0) return void this.#groups.set(agent.group, left);
    this.#groups.delete(agent.group);
    this.#turns.delete(agent.group);
    this.elsewhere?.changed();
  }

  /** All of them. */
  list(): Agent[] {
    return [...this.#groups.values()].flat();
  }

  /** The groups that have one. */
  get groups(): string[] {
    return [...this.#groups.keys()];
  }

  /** Those of a group that are here. */
  of(group: string): readonly Agent[] {
    return this.#groups.get(group) ?? [];
  }

  /** Whether a group has one. */
  has(group: string): boolean {
    return this.#groups.has(group);
  }

  /**
   * Those of a group in the order in which they are tried; those that are full are not among them,
   * nor those that drain while there are others.
   * Where the group has none here, and not `hereOnly`, they are elsewhere.
   *
   * @throws {TunnelRefused} when there is none
   */
  pick(group: string, hereOnly = false): Agent[] {
    const agents = this.#groups.get(group);
    if (agents === undefined) {
      const found = hereOnly ? [] : this.elsewhere?.find(group) ?? [];
      if (found.length > 0) return found;
      const message = group === "" ? "no agent is connected" : `no agent of group ${group}`;
      throw new TunnelRefused(TunnelCode.CONNECTION_FAILED, message, noneThere(message));
    }
    const free = agents.filter(({ link, maxStreams }) => link.streams < maxStreams);
    if (free.length === 0) {
      throw new TunnelRefused(TunnelCode.RATE_LIMITED, "every agent has all it can carry");
    }
    const staying = free.filter(({ link }) => !link.isDraining);
    return this.#ordered(group, staying.length > 0 ? staying : free);
  }

  #ordered(group: string, agents: Agent[]): Agent[] {
    if (this.#balance === "failover") return agents;
    const turn = this.#turns.get(group) ?? 0;
    this.#turns.set(group, turn + 1);
    const first = turn % agents.length;
    const turned = [...agents.slice(first), ...agents.slice(0, first)];
    if (this.#balance === "round-robin") return turned;
    return turned.sort((a, b) => a.link.streams - b.link.streams);
  }

  /** Ends the links of those that are not wanted any more. */
  close(reason: string, which: (agent: Agent) => boolean = () => true): void {
    for (const agent of this.list().filter(which)) {
      // Nobody is to be asked while its Close is waited for.
      this.#delete(agent);
      agent.link.close(reason);
    }
  }
}

function noneThere(message: string): NetError {
  return new NetError("unreachable", message);
}
