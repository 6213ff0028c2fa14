// The README's first commands, as on a fresh machine: a clone, an empty HOME, no Deno on the PATH.

import assert from "node:assert/strict";
import { join } from "node:path";
import { NPM } from "../../scripts/pack.ts";
import { ROOT, run } from "../../scripts/project.ts";
import { within } from "../support/within.ts";

const PATIENCE_MS = 120_000;

async function starts(command: string, ...args: string[]): Promise<boolean> {
  try {
    return (await run(command, args)).code === 0;
  } catch {
    return false;
  }
}

const windows = Deno.build.os === "windows";
const npm = !windows && await starts(NPM, "--version");
const pip = !windows && await starts("python3", "-c", "import ensurepip, venv");

/** Behind what git does not keep. */
const LEFT_OUT = new Set([".git", "dist", "node_modules", "coverage"]);

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory, isFile } of Deno.readDir(from)) {
    if (isDirectory && !LEFT_OUT.has(name)) await copy(join(from, name), join(to, name));
    if (isFile && !/\.(?:pem|log|tgz)$/.test(name)) {
      await Deno.copyFile(join(from, name), join(to, name)).catch((error) => {
        // Something that a test beside this one made for a moment.
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
  }
}

interface Machine {
  /** The clone. */
  cwd: string;
  env: Record<string, string>;
  /** Where else there is room. */
  base: string;
}

async function withMachine(body: (machine: Machine) => Promise<void>): Promise<void> {
  const base = await Deno.makeTempDir({ prefix: "h3ws-clone-" });
  try {
    const cwd = join(base, "h3ws");
    const home = join(base, "home");
    await copy(ROOT, cwd);
    await Deno.mkdir(home);
    const env: Record<string, string> = { ...Deno.env.toObject(), HOME: home, NO_COLOR: "1" };
    for (const name of Object.keys(env)) if (/^(?:DENO_|npm_)/.test(name)) delete env[name];
    await body({ cwd, env, base });
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

/** The line of the README's first block of commands that has `text` in it, without its comment. */
async function readmeLine(text: string): Promise<string> {
  const readme = await Deno.readTextFile(`${ROOT}README.md`);
  const lines = [...readme.matchAll(/`([^`\n]+)`|^([^`\n]+)$/gm)].map(([, code, line]) =>
    (code ?? line).replace(/ +#.*$/, "")
  );
  return lines.find((line) => line.includes(text)) ?? assert.fail(`README.md has no ${text}`);
}

/** Runs the demo until it serves, presses Ctrl+C as a terminal does, and waits for its end. */
async function tryDemo(command: string, { cwd, env }: Machine): Promise<string> {
  const child = new Deno.Command("sh", {
    args: ["-c", `exec ${command}`],
    cwd,
    env,
    clearEnv: true,
    // A process group of its own, for a terminal's signal goes to all of it.
    detached: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  let errors = "";
  let pressed = false;
  const reading = Promise.all([
    eachPart(child.stdout, async (part) => {
      text += part;
      if (pressed || !text.includes("Ctrl+C")) return;
      pressed = true;
      await signalGroup("INT", child.pid);
    }),
    eachPart(child.stderr, (part) => void (errors += part)),
  ]);
  try {
    await within(command, reading, PATIENCE_MS);
    assert.ok(pressed, errors);
  } finally {
    // Nothing of it is left, whatever happened; when all is well it has ended by itself.
    await signalGroup("KILL", child.pid);
    await child.status;
    await reading;
  }
  return text;
}

async function eachPart(
  stream: ReadableStream<Uint8Array>,
  take: (part: string) => Promise<void> | void,
): Promise<void> {
  for await (const part of stream.pipeThrough(new TextDecoderStream())) await take(part);
}

async function signalGroup(signal: "INT" | "KILL", pid: number): Promise<void> {
  const { code, stderr } = await run("sh", ["-c", `kill -s ${signal} -- -${pid}`]);
  assert.ok(code === 0 || stderr.includes("No such process"), stderr);
}

function checkDemo(text: string): void {
  assert.match(text, /^12\. .* Close {10}4001 from the backend, "demo is over"\n/m);
  assert.ok(text.endsWith("\nDraining: every socket gets Close 1001.\n"), text);
}

Deno.test(`README, in a clone with only Node: the demo${npm ? "" : " (skipped: no npm)"}`, {
  ignore: !npm,
}, () =>
  withMachine(async (machine) => {
    // The packages that the caller's npm has already are not downloaded again.
    machine.env.npm_config_cache = (await run(NPM, ["config", "get", "cache"])).stdout.trim();
    machine.env.npm_config_prefer_offline = "true";
    const text = await tryDemo(await readmeLine("npx -y deno@2.9.6 task demo"), machine);
    checkDemo(text);
    assert.match(text, /^ {2}npx -y deno@2\.9\.6 task start bench wss:/m);
  }));

Deno.test(`README, in a clone with only pip: the demo${pip ? "" : " (skipped: no venv)"}`, {
  ignore: !pip,
}, () =>
  withMachine(async (machine) => {
    const { base, cwd, env } = machine;
    const bin = join(base, "venv", "bin");
    const made = await run("python3", ["-m", "venv", join(base, "venv")]);
    assert.equal(made.code, 0, made.stderr);
    const install = (await readmeLine("pip install deno")).split(" ");
    assert.equal(install.shift(), "pip");
    const installed = await run(join(bin, "pip"), [...install, "--quiet"], { cwd });
    assert.equal(installed.code, 0, installed.stderr);
    env.PATH = `${bin}:/usr/bin:/bin`;
    checkDemo(await tryDemo(await readmeLine("deno task demo"), machine));
  }));
