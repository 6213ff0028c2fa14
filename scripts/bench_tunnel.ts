// deno-lint-ignore-file no-console
/**
 * `deno task bench:tunnel [--rounds 3] [--seconds 2] [--rathole PATH] [--sshd PATH]`: what a tunnel
 * costs, beside OpenSSH's reverse SOCKS and rathole's forwarded port, measured in turn in one run.
 *
 * CPU is that of all processes of both ends together, as /proc tells it (Linux only). The load is a
 * program in Go of its own, for one in TypeScript would take as much CPU as the tunnel, of which a
 * small machine has none to spare. A tunnel that is not installed is left out, and said so.
 */

import { parseArgs } from "node:util";
import { startOurs, startRathole, startSsh, type Tunnel, type Way } from "./bench_tunnel/ways.ts";
import { type Result, tableOf, type Work } from "./bench_tunnel/table.ts";
import { main, ROOT, run, ScriptError } from "./project.ts";

/** What the load is told, and how many connections do it at once. */
const WORKS: Readonly<Record<Work, { work: string; count: number }>> = {
  connect: { work: "connect", count: 8 },
  echo: { work: "echo", count: 16 },
  alone: { work: "echo", count: 1 },
  down: { work: "down", count: 4 },
  up: { work: "up", count: 4 },
};

interface Load {
  /** The executable. */
  readonly path: string;
  /** The target's address. */
  readonly target: string;
  readonly seconds: number;
}

async function buildLoad(folder: string): Promise<string> {
  const path = `${folder}/load`;
  const cwd = `${ROOT}scripts/bench_tunnel/load`;
  const { code, stderr } = await run("go", ["build", "-o", path, "."], { cwd }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new ScriptError("The load is a program in Go, and there is no go on the PATH");
  });
  if (code !== 0) throw new ScriptError(`go build failed: ${stderr.trim()}`);
  return path;
}

/** The target behind all tunnels; it ends with its stdin. */
async function startTarget(path: string): Promise<AsyncDisposable & { address: string }> {
  const child = new Deno.Command(path, {
    args: ["target"],
    ...{ stdin: "piped", stdout: "piped", stderr: "inherit" },
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await lines.read();
  const stop = async () => {
    await child.stdin.close();
    await child.status;
    await lines.cancel();
  };
  return { address: value.trim(), [Symbol.asyncDispose]: stop };
}

async function measure({ path, target, seconds }: Load, way: Way, work: Work): Promise<Result> {
  const { work: name, count } = WORKS[work];
  const { code, stdout, stderr } = await run(path, [
    ...["run", "-work", name, "-n", `${count}`, "-seconds", `${seconds}`, "-at", way.at],
    ...["-target", target, "-pids", way.pids.join(), ...(way.socks ? ["-socks"] : [])],
  ]);
  if (code !== 0) throw new ScriptError(`${way.name}: ${stderr.trim()}`);
  const result: Result = JSON.parse(stdout);
  if (result.errors > 0) console.error(`${way.name}, ${work}: ${result.errors}: ${result.error}`);
  return result;
}

/** Starts it, or says why not. */
async function tryStart(what: string, start: () => Promise<Tunnel>): Promise<Tunnel | null> {
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.error(`${what} is not there and is left out: ${error.message}`);
    return null;
  }
}

/** All that are there, those by SOCKS5 before those by a port of the target's. */
async function startAll(
  stack: AsyncDisposableStack,
  { target, sshd, rathole }: { target: string; sshd: string; rathole: string },
): Promise<Way[]> {
  const starts: [string, () => Promise<Tunnel>][] = [
    ["h3ws by QUIC", () => startOurs("quic", target)],
    ["h3ws by WebSocket", () => startOurs("ws", target)],
    ["OpenSSH", () => startSsh(sshd)],
    ["rathole", () => startRathole(rathole, target, false)],
    ["rathole by Noise", () => startRathole(rathole, target, true)],
  ];
  const ways: Way[] = [];
  for (const [what, start] of starts) {
    const tunnel = await tryStart(what, start);
    if (tunnel !== null) ways.push(...stack.use(tunnel).ways);
  }
  return ways.toSorted((a, b) => Number(b.socks) - Number(a.socks));
}

/** Every work through every tunnel in turn, so many times. */
async function measureAll(load: Load, ways: readonly Way[], rounds: number) {
  const columns = new Map<string, Record<Work, Result[]>>();
  for (const { name } of ways) {
    columns.set(name, { connect: [], echo: [], alone: [], down: [], up: [] });
  }
  for (let round = 1; round <= rounds; round++) {
    console.error(`round ${round} of ${rounds}`);
    for (const work of Object.keys(WORKS) as Work[]) {
      for (const way of ways) columns.get(way.name)![work].push(await measure(load, way, work));
    }
  }
  return columns;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new ScriptError(`--${name}: "${text}" is no number above 0`);
}

if (import.meta.main) {
  await main(async () => {
    const { values } = parseArgs({
      options: {
        rounds: { type: "string", default: "3" },
        seconds: { type: "string", default: "2" },
        rathole: { type: "string", default: "rathole" },
        sshd: { type: "string", default: "/usr/sbin/sshd" },
      },
    });
    const [rounds, seconds] = (["rounds", "seconds"] as const).map((name) =>
      positive(name, values[name])
    );
    if (Deno.build.os !== "linux") throw new ScriptError("It reads /proc, which Linux alone has");
    await using stack = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir();
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    const path = await buildLoad(folder);
    const { address: target } = stack.use(await startTarget(path));
    const { sshd, rathole } = values;
    const ways = await startAll(stack, { target, sshd, rathole });
    console.log(tableOf(await measureAll({ path, target, seconds }, ways, rounds)));
  });
}
