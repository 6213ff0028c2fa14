// deno-lint-ignore-file no-console
/**
 * `deno task bundle [--minify] [--output FILE]`: h3ws and all its dependencies in one JavaScript
 * file, dist/h3ws.js, which runs as `deno run -A --unstable-net dist/h3ws.js`.
 */

import { join } from "node:path";
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
  await toAscii(output);
  await checkVersion(output);
}

/**
 * The same as `h3ws.js` in a folder, with the parts beside it that not every command needs: each
 * that is loaded stays in memory.
 */
export async function bundleInParts(folder: string): Promise<void> {
  const flags = ["--quiet", "--platform", "deno", "--code-splitting", "--outdir", folder];
  await runDeno(["bundle", ...flags, `${ROOT}main.ts`]);
  await Deno.rename(join(folder, "main.js"), join(folder, "h3ws.js"));
  for await (const { name } of Deno.readDir(folder)) await toAscii(join(folder, name));
  await checkVersion(join(folder, "h3ws.js"));
}

/**
 * V8 takes ASCII as it stands in the file, and else makes a copy: with two bytes for each character
 * where one alone needs them. In JavaScript the escape means the same in a string, a regular
 * expression and a name, and nothing in a comment.
 */
async function toAscii(file: string): Promise<void> {
  const escape = (_: string, slashes: string, unit: string) => {
    // A character that is escaped already is itself.
    const before = slashes.slice(slashes.length % 2);
    return `${before}\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  };
  const text = await Deno.readTextFile(file);
  // Without the flag u: by UTF-16 units, as the escapes are.
  await Deno.writeTextFile(file, text.replaceAll(/(\\*)([^\0-\x7f])/g, escape));
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
