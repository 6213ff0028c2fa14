// deno-lint-ignore-file no-console
/**
 * `deno task pack`: the npm package around the bundle, in dist/npm/ and as dist/h3ws-VERSION.tgz.
 * Its `bin` starts the bundle on the `deno` package of npm, so that `npx h3ws demo` is one command.
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundleInParts } from "./bundle.ts";
import { DENO_VERSION, formatSize, main, ROOT, run, ScriptError, VERSION } from "./project.ts";

/** `npm` is a script on Windows, which can't be started by its bare name. */
export const NPM = Deno.build.os === "windows" ? "npm.cmd" : "npm";

/** The package.json of the published package. */
export function manifest(): Record<string, unknown> {
  return {
    name: "h3ws",
    version: VERSION,
    description: "WebSocket over HTTP/3 in, ws:// and wss:// out",
    keywords: ["websocket", "http3", "quic", "proxy", "rfc9220"],
    license: "MIT",
    type: "module",
    bin: { h3ws: "bin/h3ws.js" },
    files: ["bin", "dist"],
    engines: { node: ">=18" },
    dependencies: { deno: DENO_VERSION },
  };
}

/** Builds `DIRECTORY/npm/` and packs it; gives the path of the tarball. */
export async function pack(directory: string): Promise<string> {
  const folder = join(directory, "npm");
  await Deno.mkdir(join(folder, "bin"), { recursive: true });
  // Parts of another time must not be packed with these.
  await Deno.remove(join(folder, "dist"), { recursive: true }).catch(() => {});
  await bundleInParts(join(folder, "dist"));
  await Deno.copyFile(join(ROOT, "scripts/npm/h3ws.js"), join(folder, "bin", "h3ws.js"));
  await Deno.chmod(join(folder, "bin", "h3ws.js"), 0o755);
  for (const name of ["README.md", "LICENSE"]) {
    await Deno.copyFile(join(ROOT, name), join(folder, name));
  }
  const json = JSON.stringify(manifest(), null, 2) + "\n";
  await Deno.writeTextFile(join(folder, "package.json"), json);
  const packed = await run(NPM, ["pack", "--pack-destination", directory], { cwd: folder })
    .catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new ScriptError("npm is not installed: `npm pack` makes the package");
    });
  if (packed.code !== 0) throw new ScriptError(`npm pack failed:\n${packed.stderr.trim()}`);
  return join(directory, `h3ws-${VERSION}.tgz`);
}

if (import.meta.main) {
  await main(async () => {
    const { values } = parseArgs({
      args: Deno.args,
      options: { dir: { type: "string", default: join(ROOT, "dist") } },
    });
    const file = await pack(values.dir);
    console.log(`${file} (${formatSize((await Deno.stat(file)).size)})`);
  });
}
