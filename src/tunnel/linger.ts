import type { ByteStream } from "../net/byte_stream.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";

/** How long a side may still speak that nobody listens to. */
const LINGER_MS = 2_000;

/** How long it may take nothing of what was written to it before. */
const STUCK_MS = 15_000;

/**
 * Waits for a side that got FIN, and nothing will come of what it says, to end by itself. Gives it
 * up (`over`) when it has taken all that was written, or takes nothing of it.
 */
export class Linger {
  readonly #stream: ByteStream;
  readonly #sweeper: Sweeper;
  readonly #over: () => void;
  #deadline: Deadline | null;

  constructor(stream: ByteStream, sweeper: Sweeper, over: () => void) {
    this.#stream = stream;
    this.#sweeper = sweeper;
    this.#over = over;
    this.#deadline = new Deadline(sweeper, LINGER_MS, () => void this.#look(Infinity));
  }

  /** What it has not taken must be less than at the last look. */
  async #look(before: number): Promise<void> {
    const unsent = await this.#unsent();
    if (this.#deadline === null) return;
    if (unsent === 0 || unsent >= before) return this.#over();
    this.#deadline = new Deadline(this.#sweeper, STUCK_MS, () => void this.#look(unsent));
  }

  async #unsent(): Promise<number> {
    try {
      return await this.#stream.unsent?.() ?? 0;
    } catch {
      return 0;
    }
  }

  /** It has ended. */
  clear(): void {
    this.#deadline?.clear();
    this.#deadline = null;
  }
}
