import type { CancelSignal } from "../net/cancel.ts";

export interface TurnsOptions {
  /** At once. */
  most: number;
  /** Who comes above that is sent away. */
  maxWaiting: number;
}

type Settle = (hasTurn: boolean) => void;

/** Where several do the same: so many at once, and networks by turns. */
export class Turns {
  #free: number;
  readonly #maxWaiting: number;
  /** Those who wait, by network; the network that is next comes first. */
  readonly #waiting = new Map<string, Settle[]>();
  #size = 0;

  constructor({ most, maxWaiting }: TurnsOptions) {
    this.#free = most;
    this.#maxWaiting = maxWaiting;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#size;
  }

  /**
   * `false` where it is none: too many wait, or nobody waits any more by `signal`. Whoever has one
   * gives it back by `free`.
   */
  async take(network: string, signal: CancelSignal | null = null): Promise<boolean> {
    if (signal?.aborted) return false;
    if (this.#free > 0) {
      this.#free--;
      return true;
    }
    if (this.#size >= this.#maxWaiting && !this.#makeRoom(network)) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#queue(network, resolve);
    const leave = () => this.#leave(network, resolve);
    signal?.addEventListener("abort", leave);
    try {
      return await promise;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  free(): void {
    const next = this.#waiting.entries().next().value;
    if (next === undefined) return void this.#free++;
    const [network, [settle, ...others]] = next;
    this.#waiting.delete(network);
    if (others.length > 0) this.#waiting.set(network, others);
    this.#size--;
    settle(true);
  }

  #queue(network: string, settle: Settle): void {
    const own = this.#waiting.get(network);
    if (own === undefined) this.#waiting.set(network, [settle]);
    else own.push(settle);
    this.#size++;
  }

  /** The last of the network that has the most goes, where that has more than the other would. */
  #makeRoom(network: string): boolean {
    let most = network;
    for (const other of this.#waiting.keys()) {
      if (this.#count(other) > this.#count(most)) most = other;
    }
    if (this.#count(most) <= this.#count(network) + 1) return false;
    this.#leave(most, this.#waiting.get(most)!.at(-1)!);
    return true;
  }

  #count(network: string): number {
    return this.#waiting.get(network)?.length ?? 0;
  }

  #leave(network: string, settle: Settle): void {
    const own = this.#waiting.get(network);
    const at = own?.indexOf(settle) ?? -1;
    // It has its turn already.
    if (own === undefined || at < 0) return;
    own.splice(at, 1);
    if (own.length === 0) this.#waiting.delete(network);
    this.#size--;
    settle(false);
  }
}
