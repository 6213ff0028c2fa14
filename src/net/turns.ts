/** One call at a time; who comes meanwhile waits, in the order of the calls. */
export class Turns {
  #taken = false;
  #waiting: (() => void)[] | null = null;

  /** `null` for who may begin at once, else what to await. Whoever began calls `done`. */
  take(): Promise<void> | null {
    if (this.#taken) return new Promise((resolve) => (this.#waiting ??= []).push(resolve));
    this.#taken = true;
    return null;
  }

  /** The next one's turn: nobody comes before it. */
  done(): void {
    const next = this.#waiting?.shift();
    if (next === undefined) this.#taken = false;
    else next();
  }
}
