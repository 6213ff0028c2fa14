import type { Io } from "../../src/cli/io.ts";

/** An `Io` that keeps what is written, and is stopped by `stop`. */
export class TestIo implements Io {
  stdout = "";
  stderr = "";
  readonly env: Record<string, string>;
  readonly columns = 100;
  readonly #stopped = Promise.withResolvers<void>();

  constructor(env: Record<string, string> = {}) {
    this.env = env;
  }

  readonly out = (text: string): void => {
    this.stdout += text;
  };

  readonly err = (text: string): void => {
    this.stderr += text;
  };

  untilStopped(): Promise<void> {
    return this.#stopped.promise;
  }

  stop(): void {
    this.#stopped.resolve();
  }
}

/** Runs `body` with an empty folder that is gone afterwards. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
