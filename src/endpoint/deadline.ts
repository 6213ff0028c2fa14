/** One time at a time by which something must have come. */
export class Deadline {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Calls `late` after so many milliseconds, and what was called for before not at all. */
  set(afterMs: number, late: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(late, afterMs);
  }

  /** There is none any more. */
  clear(): void {
    clearTimeout(this.#timer);
  }
}
