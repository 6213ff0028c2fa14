import type { Agent, Agents } from "./agents.ts";

/** A flow of datagrams that has a place. */
export interface PlacedFlow {
  /** Whether both sides talk: it was answered, and its client sent more than one datagram. */
  readonly isSettled: boolean;
  /** Ends it. */
  abort(): void;
}

/** Whose places they are. */
export interface PlacedAt {
  readonly group: string;
  /** Only those, where it is not for any of the group. */
  readonly agents?: readonly Agent[];
}

/** Anybody can send datagrams, from ports without number: the rest is for connections by TCP. */
const SHARE = 1 / 4;
/** Where the agents are those of other gateways, which do not say what they take. */
const UNKNOWN_PLACES = 250;

/** What flows may take of the agents, all that lead to the same ones together. */
export class UdpPlaces {
  readonly #agents: Agents;
  readonly #taken = new Map<string | Agent, Set<PlacedFlow>>();

  constructor(agents: Agents) {
    this.#agents = agents;
  }

  /**
   * Takes a place, if there is none that of the oldest flow that is not settled. Gives what gives it
   * back; `null` where there is none.
   */
  take(at: PlacedAt, flow: PlacedFlow): (() => void) | null {
    const { group, agents = this.#agents.of(group) } = at;
    const key = at.agents?.[0] ?? group;
    const taken = this.#taken.get(key) ?? new Set();
    if (taken.size >= placesOf(agents)) {
      const oldest = oldestUnsettled(taken);
      if (oldest === null) return null;
      taken.delete(oldest);
      oldest.abort();
    }
    taken.add(flow);
    this.#taken.set(key, taken);
    return () => {
      taken.delete(flow);
      if (taken.size === 0 && this.#taken.get(key) === taken) this.#taken.delete(key);
    };
  }
}

/** The first, in the order in which they came, that may go for another; `null` for none. */
export function oldestUnsettled<F extends PlacedFlow>(flows: Iterable<F>): F | null {
  for (const flow of flows) if (!flow.isSettled) return flow;
  return null;
}

function placesOf(agents: readonly Agent[]): number {
  if (agents.length === 0) return UNKNOWN_PLACES;
  const streams = agents.reduce((sum, { maxStreams }) => sum + maxStreams, 0);
  return Math.max(1, Math.floor(streams * SHARE));
}
