export type Side = "client" | "server";

/**
 * Counts round trips by what follows what, not by a clock. Whatever a client sends is one round
 * above the last that it heard of; a server's answers are of the round that it heard of. A delay
 * between the two keeps what belongs to one flight together.
 */
export class Rounds {
  #heard = { client: 0, server: 0 };
  #epoch = 0;

  /** How many came back to the client since the last `reset`. */
  get trips(): number {
    return this.#heard.client;
  }

  /** Begins anew; what is on its way does not count. */
  reset(): void {
    this.#heard = { client: 0, server: 0 };
    this.#epoch++;
  }

  /** Something leaves that side: what is given is called when it comes to the other. */
  leaves(from: Side): () => void {
    const epoch = this.#epoch;
    const round = from === "client" ? this.#heard.client + 1 : this.#heard.server;
    const to = from === "client" ? "server" : "client";
    return () => {
      if (epoch === this.#epoch) this.#heard[to] = Math.max(this.#heard[to], round);
    };
  }
}
