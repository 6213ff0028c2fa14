// A program of the tests: each line of its stdin is a command, each line of its stdout an event, both
// JSON. It ends with its stdin.
import { within } from "../support/within.ts";

export interface PeerEvent {
  event: string;
}

/** A script in this folder, or what runs by itself. */
type Program = { python: string; program: string } | { executable: string };

export type PeerOptions = Program & {
  /** For errors. */
  name: string;
  /** Files for it, by their names, in the folder where it runs; they follow `args`. */
  files?: Record<string, string>;
  args?: string[];
  /** Behind the files. */
  more?: string[];
};

export class PeerProcess<E extends PeerEvent> implements AsyncDisposable {
  readonly #name: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #folder: string;
  readonly #reading: Promise<void>;
  readonly #events: E[] = [];
  #ended = false;
  #left: Promise<void> | null = null;
  #wake = Promise.withResolvers<void>();

  private constructor(
    child: Deno.ChildProcess,
    { name, folder }: { name: string; folder: string },
  ) {
    this.#child = child;
    this.#name = name;
    this.#folder = folder;
    this.#input = child.stdin.getWriter();
    this.#reading = this.#read();
  }

  static async spawn<E extends PeerEvent>(options: PeerOptions): Promise<PeerProcess<E>> {
    const { name, files = {}, args = [], more = [] } = options;
    const folder = await Deno.makeTempDir();
    for (const [file, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${file}`, text);
    }
    const [executable, ...first] = commandOf(options);
    const paths = Object.keys(files).map((file) => `${folder}/${file}`);
    const child = new Deno.Command(executable, {
      args: [...first, ...args, ...paths, ...more],
      cwd: folder,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    return new PeerProcess<E>(child, { name, folder });
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const part of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + part).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#events.push(JSON.parse(line));
      this.#woken();
    }
    this.#ended = true;
    this.#woken();
  }

  #woken(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** The next event for which `isIt` holds that was not taken yet; `what` stands in errors. */
  async event(what: string, isIt: (event: E) => boolean): Promise<E> {
    for (;;) {
      const index = this.#events.findIndex(isIt);
      if (index >= 0) return this.#events.splice(index, 1)[0];
      const told = () => JSON.stringify(this.#events).slice(0, 1_000);
      if (this.#ended) throw new Error(`${this.#name} ended without ${what}; it told ${told()}`);
      await within(`${what} from ${this.#name}, which told ${told()}`, this.#wake.promise);
    }
  }

  async do(what: string, args: Record<string, unknown> = {}): Promise<void> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify({ do: what, ...args }) + "\n"));
  }

  /** Ends it at once, or whatever else the signal does. */
  kill(signal: Deno.Signal = "SIGKILL"): void {
    this.#child.kill(signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#left ??= this.#leave();
  }

  async #leave(): Promise<void> {
    // It ends by itself with its stdin, unless it has ended already.
    await this.#input.close().catch(() => {});
    await within(`the end of ${this.#name}`, this.#child.status).catch(() => this.kill());
    await this.#reading;
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function commandOf(program: Program): string[] {
  if ("executable" in program) return [program.executable];
  const script = new URL(`./${program.program}`, import.meta.url).pathname;
  // -B: no __pycache__ beside the tests.
  return [program.python, "-B", "-u", script];
}
