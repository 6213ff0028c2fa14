import { startEcho } from "../../src/cli/echo_server.ts";
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

/** The echo of the demo, in the clear over HTTP/1.1. */
export async function withEcho(
  body: (echo: { port: number; url: string }) => Promise<void>,
): Promise<void> {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  try {
    await body({ port: echo.port, url: `ws://127.0.0.1:${echo.port}/` });
  } finally {
    await echo.close();
  }
}
