const DELAY_MS = 20;
const MAX_PENDING = 1024 * 1024;
const STALLED_MS = 100;

/** What lines are written to; `Deno.stderr` is one. */
export interface LineTarget {
  /** Resolves with how many bytes were taken. */
  write(bytes: Uint8Array): Promise<number>;
  /** The same, at once. */
  writeSync(bytes: Uint8Array): number;
}

export interface LineWriterOptions {
  target: LineTarget;
  /** Milliseconds that a line may wait for others to share its write. Default 20. */
  delayMs?: number;
  /** The most characters that wait; lines above that are dropped. Default 1 MiB. */
  maxPending?: number;
  /** Makes the line that tells how many were dropped, once there is room again. */
  dropped: (count: number) => string;
}

/**
 * Writes lines without ever waiting for their reader. Lines of many event-loop turns share one
 * write, one write is under way at a time, and what can't be held meanwhile is dropped and counted:
 * a terminal or a pipe that nobody reads must not stop the proxy. Errors of the target are ignored,
 * as there is nowhere to tell them.
 */
export class LineWriter {
  readonly #target: LineTarget;
  readonly #delayMs: number;
  readonly #maxPending: number;
  readonly #dropped: (count: number) => string;
  readonly #encoder = new TextEncoder();
  #pending = "";
  #drops = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #writing: Promise<void> | null = null;
  #writingSince = 0;

  constructor(options: LineWriterOptions) {
    this.#target = options.target;
    this.#delayMs = options.delayMs ?? DELAY_MS;
    this.#maxPending = options.maxPending ?? MAX_PENDING;
    this.#dropped = options.dropped;
  }

  /** Takes one line with its line feed. */
  push(line: string): void {
    if (this.#pending.length + line.length > this.#maxPending) {
      this.#drops++;
      return;
    }
    this.#pending += line;
    if (this.#timer === null && this.#writing === null) this.#arm();
  }

  /** Resolves when all lines so far are written. Waits for the reader: give it a time limit. */
  async flush(): Promise<void> {
    while (this.#writing !== null || this.#pending !== "" || this.#drops > 0) {
      await (this.#writing ?? this.#start());
    }
  }

  /**
   * Writes what is pending now, for a process about to end that can't wait. Does nothing while the
   * reader is stalled, as that would block.
   */
  flushSync(): void {
    if (this.#writing !== null && performance.now() - this.#writingSince > STALLED_MS) return;
    let bytes = this.#take();
    try {
      while (bytes.length > 0) bytes = bytes.subarray(this.#target.writeSync(bytes));
    } catch {
      // The reader is gone.
    }
  }

  #arm(): void {
    this.#timer = setTimeout(() => this.#start(), this.#delayMs);
  }

  #start(): Promise<void> {
    this.#writingSince = performance.now();
    this.#writing = this.#write(this.#take()).then(() => {
      this.#writing = null;
      if (this.#pending !== "" || this.#drops > 0) this.#arm();
    });
    return this.#writing;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      while (bytes.length > 0) bytes = bytes.subarray(await this.#target.write(bytes));
    } catch {
      // The reader is gone.
    }
  }

  #take(): Uint8Array {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    let text = this.#pending;
    this.#pending = "";
    if (this.#drops > 0) text += this.#dropped(this.#drops);
    this.#drops = 0;
    return this.#encoder.encode(text);
  }
}
