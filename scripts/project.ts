// deno-lint-ignore-file no-console
/** What all scripts share: where the project is, its version, and how a command is run. */

import { fileURLToPath } from "node:url";
import deno from "../deno.json" with { type: "json" };

/** The folder of the project, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** The version of h3ws. */
export const VERSION = deno.version;

/** The Deno that h3ws is built for, tested on and shipped with. */
export const DENO_VERSION = "2.9.6";

export interface RunOptions {
  cwd?: string;
  /** Added to this process's environment, or all of it with `clearEnv`. */
  env?: Record<string, string>;
  clearEnv?: boolean;
  /** Ends the command when it aborts. */
  signal?: AbortSignal;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end and gives what it printed; throws when it cannot be started. */
export async function run(
  command: string,
  args: string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const result = await new Deno.Command(command, {
    args,
    stdin: "null",
    cwd: options.cwd ?? ROOT,
    env: options.env,
    clearEnv: options.clearEnv,
    signal: options.signal,
  }).output();
  const decoder = new TextDecoder();
  return {
    code: result.code,
    stdout: decoder.decode(result.stdout),
    stderr: decoder.decode(result.stderr),
  };
}

/** Runs this very Deno; throws a `ScriptError` with what it printed when it fails. */
export async function runDeno(args: string[], options: RunOptions = {}): Promise<string> {
  const env = { NO_COLOR: "1", ...options.env };
  const { code, stdout, stderr } = await run(Deno.execPath(), args, { ...options, env });
  if (code !== 0) {
    throw new ScriptError(`deno ${args[0]} failed (exit ${code}):\n${stderr.trim()}`);
  }
  return stdout;
}

/** A failure whose message says all: `main` prints it without a stack. */
export class ScriptError extends Error {
  override name = "ScriptError";
}

/** Runs a script's body; a `ScriptError` becomes its message on stderr and exit code 1. */
export async function main(body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}

/** `1.4 MB`, `812 kB`. */
export function formatSize(bytes: number): string {
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}
