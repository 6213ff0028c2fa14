// The network of packet_path.py, where this process is in a network namespace that it may change.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

type Child = ChildProcessByStdio<Writable, Readable, null>;

const NETWORK = new URL("packet_path.py", import.meta.url).pathname;
const PYTHON = Deno.env.get("H3WS_PYTHON") || "python3";

/** The command as root of a network namespace of its own. */
export function inNamespace(command: readonly string[]): string[] {
  return ["unshare", "-rn", ...command];
}

/** Why there can be no such network here; `null` where there can. */
export async function whyNoPackets(): Promise<string | null> {
  const [command, ...args] = inNamespace([PYTHON, NETWORK, "1", "0"]);
  try {
    const child = new Deno.Command(command, { args, stdin: "null", stderr: "piped" });
    const { success, stderr } = await child.output();
    if (success) return null;
    return new TextDecoder().decode(stderr).trim().split("\n").at(-1)!;
  } catch (error) {
    return String(error);
  }
}

export class PacketPath implements AsyncDisposable {
  /** Where the server listens. */
  readonly near = "10.77.0.1";
  /** Where clients find it. */
  readonly hostname: string;
  /** TCP's own handshake is seen. */
  readonly hiddenTrips = 0;
  readonly #child: Child;
  readonly #answers: AsyncIterator<string>;

  private constructor(child: Child, answers: AsyncIterator<string>, hostname: string) {
    this.#child = child;
    this.#answers = answers;
    this.hostname = hostname;
  }

  /** Resolves when there is a way to that port. */
  static async start(port: number, delayMs: number): Promise<PacketPath> {
    const args = ["-u", NETWORK, `${port}`, `${delayMs}`];
    const child = spawn(PYTHON, args, { stdio: ["pipe", "pipe", "inherit"] });
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value, done } = await answers.next();
    if (done) throw new Error("packet_path.py could not make its network");
    return new PacketPath(child, answers, JSON.parse(value));
  }

  async #do<T>(...command: unknown[]): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`packet_path.py ended at ${command}`);
    return JSON.parse(value);
  }

  reset(): Promise<void> {
    return this.#do("reset");
  }

  trips(): Promise<number> {
    return this.#do("trips");
  }

  loseShare(share: number, seed: number): Promise<void> {
    return this.#do("share", share, seed);
  }

  loseNext(): Promise<void> {
    return this.#do("next");
  }

  lost(): Promise<number[]> {
    return this.#do("lost");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.stdin.end();
    await ended;
  }
}
