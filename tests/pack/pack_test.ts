// The npm package, installed from its tarball in an empty folder with an empty HOME.

import assert from "node:assert/strict";
import { join } from "node:path";
import { NPM, pack } from "../../scripts/pack.ts";
import { DENO_VERSION, ROOT, run, VERSION } from "../../scripts/project.ts";

const NPX = Deno.build.os === "windows" ? "npx.cmd" : "npx";

async function findNpmCache(): Promise<string | null> {
  try {
    return (await run(NPM, ["config", "get", "cache"])).stdout.trim();
  } catch {
    return null;
  }
}

const npmCache = await findNpmCache();
const noNpm = npmCache === null;
const why = noNpm ? " (skipped: npm is not installed)" : "";

interface Sandbox {
  /** The empty folder of the user, who then installs the package in it. */
  folder: string;
  env: Record<string, string>;
  tarball: string;
}

/** Packs h3ws; gives an empty folder and an environment that knows no other Deno. */
async function withSandbox(body: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  const base = await Deno.makeTempDir({ prefix: "h3ws-pack-" });
  try {
    const tarball = await pack(join(base, "dist"));
    const folder = join(base, "user");
    const home = join(base, "home");
    await Deno.mkdir(folder);
    await Deno.mkdir(home);
    // The packages that the caller's npm has already are not downloaded again.
    const env: Record<string, string> = { ...Deno.env.toObject(), HOME: home, USERPROFILE: home };
    for (const name of Object.keys(env)) if (name.startsWith("DENO_")) delete env[name];
    env.npm_config_cache = npmCache!;
    await body({ folder, env, tarball });
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

async function install({ folder, env, tarball }: Sandbox, ...flags: string[]): Promise<void> {
  const args = ["install", "--prefer-offline", "--no-audit", "--no-fund", ...flags, tarball];
  const { code, stderr } = await run(NPM, args, { cwd: folder, env, clearEnv: true });
  assert.equal(code, 0, stderr);
}

/** Without what npm itself says of its own configuration. */
function ofProgram(stderr: string): string {
  return stderr.split("\n").filter((line) => !line.startsWith("npm warn ")).join("\n");
}

Deno.test(`npx h3ws demo and --version after npm install in an empty folder${why}`, {
  ignore: noNpm,
}, () =>
  withSandbox(async (sandbox) => {
    await install(sandbox);
    const { folder: cwd, env } = sandbox;
    const version = await run(NPX, ["h3ws", "--version"], { cwd, env, clearEnv: true });
    assert.equal(ofProgram(version.stderr), "");
    assert.match(version.stdout.trim(), new RegExp(`${VERSION.replaceAll(".", "\\.")}$`));
    assert.equal(version.code, 0);

    const demo = ["h3ws", "demo", "--once", "--listen", "127.0.0.1:0", "--metrics", "off"];
    const shown = await run(NPX, demo, { cwd, env, clearEnv: true });
    assert.match(shown.stdout, /^11\. .* Close {10}4001 from the backend, "demo is over"\n$/m);
    assert.deepEqual([shown.code, ofProgram(shown.stderr)], [0, ""]);

    // A project around it that Deno would read is left alone.
    await Deno.writeTextFile(join(cwd, "deno.json"), `{ "imports": 1 }`);
    const beside = await run(NPX, ["h3ws", "--version"], { cwd, env, clearEnv: true });
    assert.equal(beside.stdout, version.stdout);

    const usage = await run(NPX, ["h3ws", "--no-such-flag"], { cwd, env, clearEnv: true });
    assert.equal(usage.code, 2, usage.stderr);
    const left = [...Deno.readDirSync(cwd)].map(({ name }) => name).sort();
    assert.deepEqual(left, ["deno.json", "node_modules", "package-lock.json", "package.json"]);
  }));

Deno.test(`npx h3ws --version where install scripts are blocked${why}`, {
  ignore: noNpm,
}, () =>
  withSandbox(async (sandbox) => {
    await install(sandbox, "--ignore-scripts");
    const { folder: cwd, env } = sandbox;
    const { code, stdout, stderr } = await run(NPX, ["h3ws", "--version"], {
      cwd,
      env,
      clearEnv: true,
    });
    assert.equal(ofProgram(stderr), "");
    assert.match(stdout, new RegExp(VERSION.replaceAll(".", "\\.")));
    assert.equal(code, 0);
  }));

/** A package whose bundle is `source` and whose Deno is the one that runs this test. */
async function withLauncher(source: string, body: (bin: string) => Promise<void>): Promise<void> {
  const base = await Deno.makeTempDir({ prefix: "h3ws-launcher-" });
  try {
    for (const folder of ["bin", "dist", "node_modules/deno"]) {
      await Deno.mkdir(join(base, folder), { recursive: true });
    }
    const bin = join(base, "bin", "h3ws.js");
    await Deno.copyFile(join(ROOT, "scripts/npm/h3ws.js"), bin);
    await Deno.writeTextFile(join(base, "package.json"), `{ "type": "module" }`);
    await Deno.writeTextFile(join(base, "dist", "h3ws.js"), source);
    const deno = `exports.runInstall = () => ${JSON.stringify(Deno.execPath())};`;
    await Deno.writeTextFile(join(base, "node_modules/deno/install_api.cjs"), deno);
    await body(bin);
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

Deno.test(`the launcher passes on arguments, standard streams and exit code${why}`, {
  ignore: noNpm,
}, () =>
  withLauncher(
    `console.log(JSON.stringify(Deno.args));
     await Deno.stdin.readable.pipeTo(Deno.stdout.writable, { preventClose: true });
     console.error(typeof Deno.connectQuic);
     Deno.exit(7);`,
    async (bin) => {
      const child = new Deno.Command("node", {
        args: [bin, "a b", "--c=", "", "*"],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode("from stdin"));
      await writer.close();
      const { code, stdout, stderr } = await child.output();
      const decoder = new TextDecoder();
      assert.equal(decoder.decode(stdout), `["a b","--c=","","*"]\nfrom stdin`);
      assert.equal(decoder.decode(stderr), "function\n");
      assert.equal(code, 7);
    },
  ));

const noSignals = Deno.build.os === "windows";
const signalWhy = noSignals ? " [not on windows]" : why;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.test(`the launcher forwards ${signal} once and keeps the exit code${signalWhy}`, {
    ignore: noSignals || noNpm,
  }, () =>
    withLauncher(
      `let count = 0;
       Deno.addSignalListener("${signal}", () => {
         count++;
         setTimeout(() => { console.log(count); Deno.exit(5); }, 300);
       });
       console.log("ready");
       setInterval(() => {}, 1000);`,
      async (bin) => {
        const child = new Deno.Command("node", { args: [bin], stdin: "null", stdout: "piped" })
          .spawn();
        const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
        assert.equal((await reader.read()).value, "ready\n");
        child.kill(signal);
        assert.equal((await reader.read()).value, "1\n");
        await reader.cancel();
        assert.equal((await child.status).code, 5);
      },
    ));
}

Deno.test(
  `the launcher ends by the signal that ended Deno${signalWhy}`,
  {
    ignore: noSignals || noNpm,
  },
  () =>
    withLauncher(`Deno.kill(Deno.pid, "SIGKILL"); await new Promise(() => {});`, async (bin) => {
      const command = new Deno.Command("node", { args: [bin], stdin: "null" });
      assert.equal((await command.output()).signal, "SIGKILL");
    }),
);

Deno.test(
  `the launcher says in one line that there is no Deno${why}`,
  { ignore: noNpm },
  () =>
    withLauncher("", async (bin) => {
      await Deno.writeTextFile(
        join(bin, "../../node_modules/deno/install_api.cjs"),
        `exports.runInstall = () => { throw new Error("Unsupported architecture mips.") };`,
      );
      const { code, stderr } = await run("node", [bin]);
      assert.equal(stderr, "h3ws: cannot start Deno: Unsupported architecture mips.\n");
      assert.equal(code, 1);
    }),
);

Deno.test("one version of Deno in the scripts, CI, the workflows and the README", async () => {
  const files = [".ci/run", ".github/workflows/ci.yml", ".github/workflows/release.yml"];
  for (const file of [...files, "README.md"]) {
    const text = await Deno.readTextFile(join(ROOT, file));
    for (
      const [found, version] of text.matchAll(
        /\bdeno(?:@|[- ]version:? *"?|_VERSION(?:=|: ))v?(\d+\.\d+\.\d+)/gi,
      )
    ) {
      assert.equal(version, DENO_VERSION, `${file}: ${found}`);
    }
    assert.ok(text.includes(DENO_VERSION), `${file} names Deno ${DENO_VERSION}`);
  }
});
