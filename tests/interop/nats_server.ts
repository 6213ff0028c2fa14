// A nats-server of a test.
import { until } from "../support/until.ts";

export interface NatsServerOptions {
  /** Lines of its configuration. */
  config?: string;
}

/** Runs until it is disposed of; may be killed and started again at the same port. */
export class NatsServer implements AsyncDisposable {
  readonly port: number;
  readonly #path: string;
  readonly #folder: string;
  #child: Deno.ChildProcess | null = null;

  private constructor(path: string, { port, folder }: { port: number; folder: string }) {
    this.#path = path;
    this.port = port;
    this.#folder = folder;
  }

  static async start(path: string, { config = "" }: NatsServerOptions = {}): Promise<NatsServer> {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const folder = await Deno.makeTempDir();
    await Deno.writeTextFile(`${folder}/nats.conf`, config);
    const server = new NatsServer(path, { port, folder });
    await server.start();
    return server;
  }

  /** As an operator gives it. */
  url(login = ""): URL {
    return new URL(`nats://${login}127.0.0.1:${this.port}`);
  }

  async start(): Promise<void> {
    const { port } = this;
    this.#child = new Deno.Command(this.#path, {
      args: ["-c", `${this.#folder}/nats.conf`, "-a", "127.0.0.1", "-p", `${port}`],
      ...{ stdin: "null", stdout: "null", stderr: "null" },
    }).spawn();
    await until("nats-server", async () => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => null);
      conn?.close();
      return conn !== null;
    });
  }

  /** Stops it without a word, or lets it go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child!.kill(signal);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    child?.kill("SIGKILL");
    await child?.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
