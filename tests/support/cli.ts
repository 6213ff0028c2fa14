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
