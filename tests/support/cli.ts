import { within } from "./within.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** What a command line that ends by itself gave. */
export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `h3ws` as a process of its own, to its end. */
export async function runCli(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<CliResult> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-net", MAIN, ...args],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    // One that starts serving against all expectation must not hold the test for ever.
    signal: AbortSignal.timeout(30_000),
  });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** `h3ws` as a process of its own, with its stdin and stdout at hand. */
export interface StartedCli extends AsyncDisposable {
  readonly child: Deno.ChildProcess;
  /** Lines of stdout, one after the other; `null` at its end. */
  line(): Promise<string | null>;
  type(text: string): Promise<void>;
  typeBytes(bytes: Uint8Array): Promise<void>;
  /** Ends its stdin. */
  endInput(): Promise<void>;
  /** Reads no more of its stdout. */
  closeOutput(): Promise<void>;
  /** What came on stderr so far. */
  readonly stderr: string;
  code(): Promise<number>;
}

/** Starts `h3ws`, for a test to talk to. */
export function startCli(args: readonly string[], env: Record<string, string> = {}): StartedCli {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-net", MAIN, ...args],
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const lines = linesOf(child.stdout);
  let stderr = "";
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) stderr += text;
  })();
  const line = async () => {
    const { done, value } = await within("a line of stdout", lines.next());
    return done ? null : value;
  };
  return {
    child,
    line,
    type: (text) => writer.write(new TextEncoder().encode(text)),
    typeBytes: (bytes) => writer.write(bytes),
    endInput: () => writer.close(),
    closeOutput: async () => void await lines.return(undefined),
    get stderr() {
      return stderr;
    },
    async code() {
      const { code } = await within("the end of the process", child.status);
      await reading;
      return code;
    },
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await child.status;
      await reading;
      await lines.return(undefined);
      await writer.close().catch(() => {});
    },
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "") yield rest;
}
