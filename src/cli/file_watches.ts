import type { Log } from "../observe/log.ts";
import { FileWatch, type FileWatchOptions } from "./file_watch.ts";
import { onHangup } from "./signals.ts";

/** Files that are used together, and what they held when they were read. */
export type Watched = FileWatchOptions & { readonly current: readonly string[] };

/** Has a process use what its files hold: soon after they change, and at once on SIGHUP. */
export class FileWatches {
  readonly #watches: readonly FileWatch[];
  readonly #release: () => void;
  /** Lines that were logged. */
  #lines = 0;
  #rereading: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(log: Log, all: readonly Watched[]) {
    const files = all.flatMap(({ files }) => files);
    this.#watches = all.map(({ current, onReloaded, onError, ...options }) =>
      new FileWatch({
        ...options,
        onReloaded: () => {
          this.#lines++;
          onReloaded();
        },
        onError: (message) => {
          this.#lines++;
          onError(message);
        },
      }, current)
    );
    const asked = () => {
      this.#rereading = this.#rereading.then(async () => {
        if (this.#stopped) return;
        const before = this.#lines;
        for (const watch of this.#watches) await watch.check(true);
        if (this.#stopped || this.#lines > before) return;
        log.info("files.unchanged", { files: files.join(", ") });
      });
    };
    this.#release = onHangup({ asked });
  }

  /** Nothing is reloaded from now on. A SIGHUP does nothing, and ends nothing until `release`. */
  stop(): void {
    this.#stopped = true;
    // Nobody waits: a pipe or a file system that is gone may hold a read for ever.
    for (const watch of this.#watches) void watch.stop();
  }

  /** A SIGHUP ends the process again. */
  release(): void {
    this.#release();
  }
}
