/** What can be started and stopped, again and again. */
export interface RunsOptions<T> {
  /** What it is called in errors: `The proxy`. */
  readonly name: string;
  /** Starts it; rejects where that fails, with nothing left. `stop` fires where it is not wanted. */
  readonly begin: (stop: AbortSignal) => Promise<T>;
  /** Ends what runs, and whatever is started after it. */
  readonly signal?: AbortSignal;
  /** Called when that fires. */
  readonly abort: () => void;
}

/** From one start to its end. */
interface Run<T> {
  readonly started: Promise<T>;
  readonly stop: AbortController;
  /** Once it has started. */
  running: T | null;
}

/** One run at a time of something. */
export class Runs<T> {
  readonly #options: RunsOptions<T>;
  #run: Run<T> | null = null;

  constructor(options: RunsOptions<T>) {
    this.#options = options;
  }

  /** What runs; `null` while nothing does, and while it starts. */
  get running(): T | null {
    return this.#run?.running ?? null;
  }

  /**
   * Resolves once it runs. Rejects with an `Error` while it runs, or starts, and where it was stopped
   * meanwhile, and as `begin` does.
   */
  async start(): Promise<void> {
    const { name, begin, signal, abort } = this.#options;
    if (this.#run !== null) throw new Error(`${name} is already running`);
    signal?.throwIfAborted();
    const stop = new AbortController();
    const started = begin(stop.signal);
    const run: Run<T> = this.#run = { started, stop, running: null };
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const running = await started;
      if (!stop.signal.aborted) run.running = running;
    } catch (error) {
      this.#over(run);
      if (!stop.signal.aborted) throw error;
    }
    if (stop.signal.aborted) throw new Error(`${name} was stopped before it had started`);
  }

  /** Ends what there is; nothing happens where nothing is. */
  async end(how: (running: T) => Promise<void>): Promise<void> {
    const run = this.#run;
    if (run === null) return;
    if (run.running === null) run.stop.abort();
    // That it could not start is told by `start`.
    const running = await run.started.catch(() => null);
    if (running !== null) await how(running);
    this.#over(run);
  }

  #over(run: Run<T>): void {
    if (this.#run !== run) return;
    this.#run = null;
    this.#options.signal?.removeEventListener("abort", this.#options.abort);
  }
}
