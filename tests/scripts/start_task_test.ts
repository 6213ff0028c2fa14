// `deno task` runs in the clone and says in INIT_CWD where it was called: files are looked for there.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { run } from "../../scripts/project.ts";
import { withFolder } from "../cli/support.ts";

const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** Runs `h3ws` with these arguments as the task of the clone, from another folder. */
async function start(cwd: string, ...args: string[]) {
  const { INIT_CWD: _, ...env } = Deno.env.toObject();
  const line = ["task", "--quiet", "--config", CONFIG, "start", ...args];
  const clean = { ...env, NO_COLOR: "1" };
  return await run(Deno.execPath(), line, { cwd, env: clean, clearEnv: true });
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test("deno task start: certs writes where it was called, and what others name is there", async () => {
  await withFolder(async (folder) => {
    const cwd = `${folder}/my project`;
    await Deno.mkdir(cwd);
    const made = await start(cwd, "certs", "--client", "it's me");
    assert.equal(made.code, 0, made.stderr);
    for (const name of ["ca", "cert", "key", "client", "client-key"]) {
      assert.ok(await isThere(`${cwd}/${name}.pem`), name);
    }
    const file = "cert: cert.pem\nkey: key.pem\nbackend: ws://127.0.0.1:8080\n";
    await Deno.writeTextFile(`${cwd}/mine.yaml`, file);
    const checked = await start(cwd, "check", "mine.yaml");
    assert.deepEqual([checked.code, checked.stderr], [0, ""]);
  });
});

Deno.test("deno task start: hands on every argument as it is, and the exit code", async () => {
  await withFolder(async (folder) => {
    const { code, stderr } = await start(folder, "check", "no $HOME *.yaml");
    assert.equal(code, 1);
    assert.match(stderr, /no \$HOME \*\.yaml/);
  });
});
