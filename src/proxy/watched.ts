import type { Content } from "../ingress/offer.ts";
import type { Sweeper, Swept } from "../net/sweeper.ts";
import type { Field } from "../protocol/wire/field.ts";

/** Content that is given up once nothing of it has passed for `afterMs`, however long it is. */
export class WatchedContent implements Content, Swept {
  /** Resolves when it is given up. */
  readonly stalled: Promise<void>;
  readonly #content: Content;
  readonly #sweeper: Sweeper;
  readonly #afterMs: number;
  /** Parts that came, up to the last sweep too, and when that was last more than before. */
  #parts = 0;
  #seenParts = 0;
  #sinceMs = performance.now();
  #stall!: () => void;

  constructor(content: Content, { sweeper, afterMs }: { sweeper: Sweeper; afterMs: number }) {
    this.#content = content;
    this.#sweeper = sweeper;
    this.#afterMs = afterMs;
    this.stalled = new Promise((resolve) => this.#stall = resolve);
    sweeper.add(this);
  }

  get length(): number | null {
    return this.#content.length;
  }

  get trailers(): readonly Field[] {
    return this.#content.trailers;
  }

  async read(): Promise<Uint8Array | null> {
    const part = await this.#content.read();
    this.#parts++;
    return part;
  }

  cancel(): void {
    this.#sweeper.delete(this);
    this.#content.cancel();
  }

  sweep(nowMs: number): void {
    if (this.#parts !== this.#seenParts) {
      this.#seenParts = this.#parts;
      this.#sinceMs = nowMs;
    } else if (nowMs - this.#sinceMs >= this.#afterMs) {
      this.cancel();
      this.#stall();
    }
  }
}
