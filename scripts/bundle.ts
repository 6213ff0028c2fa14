// deno-lint-ignore-file no-console
/**
 * `deno task bundle [--minify] [--output FILE]`: h3ws and all its dependencies in one JavaScript
 * file, dist/h3ws.js, which runs as `deno run -A --unstable-net dist/h3ws.js`.
 */

import { parseArgs } from "node:util";
import { formatSize, main, ROOT, run, runDeno, ScriptError, VERSION } from "./project.ts";

export interface BundleOptions {
  /** The file to write; its folder must exist or be `dist/`. */
  output: string;
  /** Half the size, but stack traces that nobody can read. */
  minify?: boolean;
}

/** Writes the bundle and proves that it starts. */
export async function bundle({ output, minify = false }: BundleOptions): Promise<void> {
  const flags = ["--quiet", "--platform", "deno", "--output", output];
  if (minify) flags.push("--minify", "--keep-names");
  await runDeno(["bundle", ...flags, `${ROOT}main.ts`]);
  if (minify) await restoreRequire(output);
  await checkVersion(output);
}

/**
 * `deno bundle` gives CommonJS dependencies a `require` for `node:` modules, but finds the place
 * for it only where the output is not minified.
 */
async function restoreRequire(output: string): Promise<void> {
  const code = await Deno.readTextFile(output);
  const line = `import { createRequire as $createRequire } from "node:module";` +
    `const require = $createRequire(import.meta.url);\n`;
  await Deno.writeTextFile(output, line + code);
}

async function checkVersion(output: string): Promise<void> {
  const args = ["run", "-A", "--unstable-net", "--no-config", output, "--version"];
  const { stdout, stderr } = await run(Deno.execPath(), args);
  if (!stdout.trim().endsWith(VERSION)) {
    throw new ScriptError(
      `The bundle does not start: --version printed "${stdout.trim()}", ` +
        `not ${VERSION}\n${stderr.trim()}`,
    );
  }
}

if (import.meta.main) {
  await main(async () => {
    const { values } = parseArgs({
      args: Deno.args,
      options: {
        minify: { type: "boolean" },
        output: { type: "string", default: `${ROOT}dist/h3ws.js` },
      },
    });
    await Deno.mkdir(`${ROOT}dist`, { recursive: true });
    await bundle(values);
    console.log(`${values.output} (${formatSize((await Deno.stat(values.output)).size)})`);
  });
}
