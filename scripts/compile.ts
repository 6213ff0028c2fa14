// deno-lint-ignore-file no-console
/**
 * `deno task compile [--target TARGET] [--output FILE]`: one executable, made from the same bundle
 * as the npm package.
 *
 * `deno compile` embeds the bundle in `denort`, which it downloads from Deno's releases. Where
 * they can't be reached, DENORT_BIN names a denort; a full deno does too, but only to prove that
 * graph and embedding work: what comes out then starts as deno, not as h3ws.
 */

import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.ts";
import {
  DENO_VERSION,
  formatSize,
  main,
  ROOT,
  run,
  runDeno,
  ScriptError,
  VERSION,
} from "./project.ts";

/** The five targets of a release. */
export const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
] as const;

export interface CompileOptions {
  output: string;
  /** One of `TARGETS`; this machine's by default. */
  target?: string;
}

/** Writes the bundle and the executable around it. */
export async function compile({ output, target }: CompileOptions): Promise<void> {
  await Deno.mkdir(`${ROOT}dist`, { recursive: true });
  const source = `${ROOT}dist/h3ws.js`;
  await bundle({ output: source });
  const flags = ["-A", "--unstable-net", "--no-config", "--no-lock", "--output", output];
  if (target !== undefined) flags.push("--target", target);
  try {
    await runDeno(["compile", ...flags, source]);
  } catch (error) {
    throw explain(error, target ?? Deno.build.target);
  }
  await checkEmbedded(output, source);
}

/** Deno tells a failed download by text only: it names the file that it could not get. */
function explain(error: unknown, target: string): unknown {
  if (!(error instanceof ScriptError)) return error;
  if (!/error sending request for url \(\S*denort|Setting up base binary/.test(error.message)) {
    return error;
  }
  return new ScriptError(
    `Cannot download denort ${DENO_VERSION} for ${target}, the base of the executable: run this ` +
      `where Deno's releases can be reached, or set DENORT_BIN to a denort that is here already`,
  );
}

async function checkEmbedded(output: string, source: string): Promise<void> {
  const executable = await readFile(output);
  if (!executable.includes(await readFile(source))) {
    throw new ScriptError(`${output} does not hold the bundle`);
  }
}

/** What there is to say of an executable that was made for this machine. */
async function describe(output: string): Promise<string> {
  const { stdout, stderr } = await run(output, ["--version"]);
  if (stdout.trim().endsWith(VERSION)) return "starts as h3ws " + VERSION;
  if (stdout.startsWith("deno ") && Deno.env.has("DENORT_BIN")) {
    return "holds the bundle, but starts as deno: DENORT_BIN is a full deno, not a denort";
  }
  throw new ScriptError(`${output} --version printed "${stdout.trim()}"\n${stderr.trim()}`);
}

if (import.meta.main) {
  await main(async () => {
    const { values } = parseArgs({
      args: Deno.args,
      options: { target: { type: "string" }, output: { type: "string" } },
    });
    const { target } = values;
    if (target !== undefined && !(TARGETS as readonly string[]).includes(target)) {
      throw new ScriptError(`--target: "${target}" is none of ${TARGETS.join(", ")}`);
    }
    const suffix = (target ?? Deno.build.target).includes("windows") ? ".exe" : "";
    const output = values.output ?? `${ROOT}dist/h3ws${suffix}`;
    await compile({ output, target });
    const size = formatSize((await Deno.stat(output)).size);
    const native = target === undefined || target === Deno.build.target;
    console.log(`${output} (${size}): ${native ? await describe(output) : `for ${target}`}`);
  });
}
