import { messageOf } from "../net/error.ts";
import { readText } from "./files.ts";

export interface FileWatchOptions {
  /** They are used together. */
  readonly files: readonly string[];
  /** What they are, where they can't be used: `cert.pem with key.pem`. */
  readonly subject: string;
  /** What stays in use then: `the old pair`. */
  readonly old: string;
  /** Takes what they hold now, or throws if it can't be used. */
  onChange(texts: readonly string[]): void;
  onError(message: string): void;
  onReloaded(): void;
  readonly intervalMs?: number;
  /** The text of a file. Default `readText` of a regular one. */
  readonly read?: (file: string) => Promise<string>;
}

/**
 * Looks at files again and again, for a watch of the file system misses what is swapped in by a
 * link or a mount. What is half written is tried again when it changes.
 */
export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #stamp: string;
  /** Why what they hold can't be used; empty if it is in use. */
  #unusable = "";
  /** What was told last; empty once all is well. */
  #told = "";
  #busy: Promise<void> | null = null;
  #stopped = false;

  /** @param current what is in use, by file */
  constructor(options: FileWatchOptions, current: readonly string[]) {
    this.#options = options;
    this.#stamp = stampOf(current);
    this.#timer = setInterval(() => {
      if (this.#busy === null) void this.check();
    }, options.intervalMs ?? 2_000);
  }

  /** Looks now, and tells of what is wrong where that is news; `aloud` tells it again. */
  check(aloud = false): Promise<void> {
    // One look at a time: what changes during one is seen by the next.
    const look = (this.#busy ?? Promise.resolve()).then(async () => {
      if (this.#stopped) return;
      const fault = await this.#look();
      if (this.#stopped) return;
      if (fault !== "" && (aloud || fault !== this.#told)) this.#options.onError(fault);
      this.#told = fault;
    }).finally(() => {
      if (this.#busy === look) this.#busy = null;
    });
    return this.#busy = look;
  }

  /** What is wrong with what they hold now; empty if it is in use. */
  async #look(): Promise<string> {
    const { files, subject, old, onChange, onReloaded, read = readRegular } = this.#options;
    const texts: string[] = [];
    try {
      for (const file of files) texts.push(await read(file));
    } catch (error) {
      return `${messageOf(error)}; ${old} stays`;
    }
    const stamp = stampOf(texts);
    if (this.#stopped) return "";
    if (stamp === this.#stamp) return this.#unusable;
    this.#stamp = stamp;
    try {
      onChange(texts);
      this.#unusable = "";
      onReloaded();
    } catch (error) {
      this.#unusable = `Cannot use ${subject}: ${messageOf(error)}; ${old} stays`;
    }
    return this.#unusable;
  }

  /**
   * From now on it looks no more, and what is being read comes to nothing. Resolves once that is
   * read: a file may keep it waiting for ever.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#busy;
  }
}

function readRegular(file: string): Promise<string> {
  return readText(file, { regular: true });
}

function stampOf(texts: readonly string[]): string {
  return JSON.stringify(texts);
}
