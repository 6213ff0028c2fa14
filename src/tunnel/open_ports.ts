import { NetError } from "../net/error.ts";
import type { OpenPort, RefusedPort } from "../protocol/tunnel/auth.ts";
import type { Agent } from "./agents.ts";
import {
  type ForwardPort,
  forwardPort,
  type ForwardPortOptions,
  type ForwardTo,
} from "./forward_port.ts";
import type { GatewayObserver } from "./observer.ts";
import type { TunnelTarget } from "./target.ts";
import type { UdpFlowsOptions } from "./udp_flows.ts";
import type { PortRange, User } from "./users.ts";

export interface OpenPortsOptions extends UdpFlowsOptions, Pick<ForwardPortOptions, "onRefused"> {
  /** Where the ports are. */
  hostname: string;
  /** Those that may be opened by users of whom nothing else is said. */
  ranges: readonly PortRange[];
  observer?: Pick<GatewayObserver, "portOpened" | "portRefused">;
}

/** What an agent has of the ports that it asked for. */
export interface PortClaims {
  readonly refused: readonly RefusedPort[];
  /** From now on they lead to this agent, until its link is gone. */
  hold(agent: Agent): void;
  /** Gives them up. */
  release(): void;
}

interface Claim {
  agent: Agent | null;
  readonly group: string;
  readonly target: TunnelTarget;
}

interface Opened {
  readonly user: string;
  /** Why it can't be opened, once that is known; `null` where it is. */
  readonly listening: Promise<string | null>;
  /** As soon as it listens. */
  front: ForwardPort | null;
  /** The newest last. */
  readonly claims: Claim[];
}

/** The ports of the gateway that agents have asked for, each for a service of its own. */
export class OpenPorts {
  readonly #options: OpenPortsOptions;
  readonly #opened = new Map<string, Opened>();

  constructor(options: OpenPortsOptions) {
    this.#options = options;
  }

  /** How many are open. */
  get size(): number {
    return this.#opened.size;
  }

  /** Opens what this user's agents may have. The newest that asks for a port has it. */
  async claim(asked: readonly OpenPort[], user: User, group: string): Promise<PortClaims> {
    const { observer } = this.#options;
    const refused: RefusedPort[] = [];
    const claims = new Map<string, Claim>();
    for (const port of asked) {
      const { protocol, remotePort, localHost, localPort } = port;
      const target = { protocol, host: localHost, port: localPort };
      const claim: Claim = { agent: null, group, target };
      const message = claims.has(keyOf(port))
        ? `${keyOf(port)} is asked for twice`
        : await this.#add(port, user, claim);
      const info = { protocol, port: remotePort, user: user.name, group };
      if (message !== null) {
        observer?.portRefused?.({ ...info, reason: message });
        refused.push({ protocol, remotePort, message });
      } else {
        observer?.portOpened?.({ ...info, target });
        claims.set(keyOf(port), claim);
      }
    }
    const release = () => this.#release(claims);
    const hold = (agent: Agent) => {
      for (const claim of claims.values()) claim.agent = agent;
      void agent.link.over.then(release);
    };
    return { refused, hold, release };
  }

  /** Why not; `null` where it is open. */
  async #add(port: OpenPort, user: User, claim: Claim): Promise<string | null> {
    const { ranges } = this.#options;
    const { remotePort } = port;
    const key = keyOf(port);
    const isAllowed = (user.openPorts ?? ranges).some(([first, last]) =>
      remotePort >= first && remotePort <= last
    );
    if (!isAllowed) {
      return `${key} may not be opened by ${user.name}: the gateway's --open-ports, or open_ports ` +
        "of the user, must name it";
    }
    const opened = this.#opened.get(key);
    if (opened === undefined) return await this.#open(port, user, claim);
    if (opened.user !== user.name) return `${key} is in use by another user`;
    opened.claims.push(claim);
    return await opened.listening;
  }

  #open(port: OpenPort, user: User, claim: Claim): Promise<string | null> {
    const { hostname } = this.#options;
    const { protocol, remotePort } = port;
    const key = keyOf(port);
    const claims = [claim];
    const listen = async (): Promise<string | null> => {
      const route = () => newestOf(claims);
      const where = { protocol, listen: { hostname, port: remotePort } };
      try {
        const front = await forwardPort({ ...this.#options, ...where, route });
        if (this.#opened.get(key) === opened) opened.front = front;
        else front.close();
        return null;
      } catch (error) {
        if (!(error instanceof NetError)) throw error;
        if (this.#opened.get(key) === opened) this.#opened.delete(key);
        if (error.kind === "in_use") return `${key} is in use at the gateway`;
        return `${key} can't be opened: ${error.kind}`;
      }
    };
    // What it gives comes no sooner than in the next turn.
    const listening = Promise.resolve().then(listen);
    const opened: Opened = { user: user.name, listening, front: null, claims };
    this.#opened.set(key, opened);
    return listening;
  }

  #release(claims: Map<string, Claim>): void {
    for (const [key, claim] of claims) {
      const opened = this.#opened.get(key);
      const at = opened?.claims.indexOf(claim) ?? -1;
      if (opened === undefined || at < 0) continue;
      opened.claims.splice(at, 1);
      if (opened.claims.length > 0) continue;
      this.#opened.delete(key);
      opened.front?.close();
    }
    claims.clear();
  }

  /** Frees all. */
  close(): void {
    for (const { front } of this.#opened.values()) front?.close();
    this.#opened.clear();
  }
}

/** The newest that has a link: one that is taken a moment later has none yet. */
function newestOf(claims: readonly Claim[]): ForwardTo | null {
  const claim = claims.findLast(({ agent }) => agent !== null);
  if (claim === undefined) return null;
  const { agent, group, target } = claim;
  return { group, target, agents: [agent!] };
}

function keyOf({ protocol, remotePort }: OpenPort): string {
  return `${protocol} port ${remotePort}`;
}
