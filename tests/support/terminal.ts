// A command on a terminal of its own, by Python's pty: what is typed, and what the screen shows.
import { until } from "./until.ts";
import { within } from "./within.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const HELPER = new URL("terminal.py", import.meta.url).pathname;
const PYTHON = Deno.env.get("H3WS_PYTHON") || "python3";

/** Whether there is a Python that has terminals. */
export function hasTerminals(): boolean {
  try {
    return new Deno.Command(PYTHON, { args: ["-c", "import pty"], stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

export class OnTerminal implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  #raw = "";
  #from = 0;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#reading = this.#read();
  }

  /** Starts `h3ws` with these arguments. */
  static start(args: readonly string[], env: Record<string, string> = {}): OnTerminal {
    return OnTerminal.run([Deno.execPath(), "run", "-A", "--unstable-net", MAIN, ...args], env);
  }

  /** Starts any command. */
  static run(line: readonly string[], env: Record<string, string> = {}): OnTerminal {
    const command = new Deno.Command(PYTHON, {
      args: [HELPER, ...line],
      env: { TERM: "xterm", ...env },
      stdin: "piped",
      stdout: "piped",
    });
    return new OnTerminal(command.spawn());
  }

  async #read(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.#raw += text;
    }
  }

  /** All that the screen was sent. */
  get raw(): string {
    return this.#raw;
  }

  async type(keys: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(keys));
  }

  /** Waits until the screen is sent that, colours apart, behind what was waited for before. */
  async shows(what: string | RegExp): Promise<void> {
    const test = () => {
      const rest = uncolored(this.#raw).slice(this.#from);
      const at = typeof what === "string" ? rest.indexOf(what) : rest.search(what);
      if (at < 0) return false;
      this.#from += at + 1;
      return true;
    };
    try {
      await until(`${what} on the screen`, test);
    } catch (error) {
      throw new Error(`${(error as Error).message}, not ${JSON.stringify(this.#raw.slice(-500))}`);
    }
  }

  /** The exit code, once it has ended. */
  async code(): Promise<number> {
    const { code } = await within("the end of what runs on the terminal", this.#child.status);
    await this.#reading;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#reading;
    await this.#writer.close().catch(() => {});
  }
}

function uncolored(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/\x1b\[[0-9;]*m/g, "");
}
