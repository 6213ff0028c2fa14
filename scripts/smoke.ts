// deno-lint-ignore-file no-console
/**
 * `H3WS_PROGRAM=dist/h3ws deno task smoke [--allow-skip]`: starts a built h3ws as a user would and
 * sends real traffic through it. H3WS_PROGRAM is an executable, or the bundle (`.js`).
 */

import { connect } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main, ROOT, run, type RunResult, ScriptError, VERSION } from "./project.ts";

const DEADLINE_MS = 20_000;

const suffix = Deno.build.os === "windows" ? ".exe" : "";
const bin = Deno.env.get("H3WS_PROGRAM") ?? `${ROOT}dist/h3ws${suffix}`;
const prefix = bin.endsWith(".js")
  ? [Deno.execPath(), "run", "-A", "--unstable-net", "--no-config", bin]
  : [bin];

function h3ws(args: string[]): Promise<RunResult> {
  const [command, ...rest] = [...prefix, ...args];
  return run(command, rest, { signal: AbortSignal.timeout(DEADLINE_MS) });
}

function start(args: string[]): Deno.ChildProcess {
  const [command, ...rest] = [...prefix, ...args];
  return new Deno.Command(command, { args: rest, stdin: "null", stdout: "null" }).spawn();
}

function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ScriptError(message);
}

/** Ports of the loopback that are free now. */
function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map((listener) => listener.addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}

/** Calls `ready` until it gives true. */
async function until(what: string, ready: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  while (!await ready()) {
    expect(performance.now() < end, `${what} was not ready after ${DEADLINE_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.on("connect", () => socket.destroy()).on("error", () => resolve(false));
  });
}

async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

interface Step {
  name: string;
  /** The commands that it needs; skipped where `--help` lists one of them not. */
  needs: string[];
  body: (folder: string) => Promise<void>;
}

const STEPS: Step[] = [
  { name: "--version", needs: [], body: checkVersion },
  { name: "a wrong flag is one line, exit 2", needs: [], body: checkUsage },
  { name: "demo", needs: ["demo"], body: checkDemo },
  { name: "certs", needs: ["certs"], body: checkCerts },
  {
    name: "bench -> proxy -> echo over HTTP/3",
    needs: ["echo", "proxy", "bench"],
    body: roundTrip,
  },
];

async function checkVersion(): Promise<void> {
  const { code, stdout } = await h3ws(["--version"]);
  expect(code === 0 && stdout.trim().endsWith(VERSION), `printed "${stdout.trim()}", exit ${code}`);
}

async function checkUsage(): Promise<void> {
  const { code, stderr } = await h3ws(["proxy", "--max-frame", "12xx"]);
  expect(code === 2, `exit ${code}`);
  expect(stderr.trim().split("\n").length === 1, `not one line: ${stderr}`);
}

async function checkDemo(): Promise<void> {
  const args = ["demo", "--once", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
  const { code, stdout, stderr } = await h3ws(args);
  expect(code === 0 && /^12\..* Close /m.test(stdout), `exit ${code}\n${stdout}${stderr}`);
}

async function checkCerts(folder: string): Promise<void> {
  const { code, stderr } = await h3ws(["certs", "--dir", folder]);
  expect(code === 0, stderr);
  for (const name of ["ca.pem", "cert.pem", "key.pem"]) await Deno.stat(join(folder, name));
}

/** Uses the files that `checkCerts` made. */
async function roundTrip(folder: string): Promise<void> {
  const [udp, backend, metrics] = freePorts(3);
  const echo = start(["echo", "--listen", `127.0.0.1:${backend}`]);
  const proxy = start([
    ...["proxy", "--listen", `127.0.0.1:${udp}`, "--backend", `ws://127.0.0.1:${backend}`],
    ...["--cert", join(folder, "cert.pem"), "--key", join(folder, "key.pem")],
    ...["--metrics", `127.0.0.1:${metrics}`, "--drain", "1s"],
  ]);
  try {
    await until("echo", () => listens(backend));
    await until("proxy", () => answersOk(`http://127.0.0.1:${metrics}/readyz`));
    const { code, stdout, stderr } = await h3ws([
      ...["bench", `wss://localhost:${udp}/ws`, "--ca", join(folder, "ca.pem")],
      ...["--connections", "2", "--streams", "4", "--size", "1KiB", "--duration", "2s", "--json"],
    ]);
    expect(code === 0, `bench: exit ${code}\n${stderr}`);
    const { errors } = JSON.parse(stdout);
    expect(errors === 0, `bench counted errors: ${stdout}`);
    const scraped = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
    expect(/^h3ws_proxy_accepted_total \d*[1-9]/m.test(scraped), `/metrics: ${scraped}`);
    proxy.kill("SIGTERM");
    const status = await proxy.status;
    // On Windows there is no SIGTERM: kill ends the process at once.
    expect(Deno.build.os === "windows" || status.code === 0, `proxy: exit ${status.code}`);
  } finally {
    for (const child of [proxy, echo]) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
      await child.status;
    }
  }
}

/** Runs all steps, to the last; gives how many failed and how many were skipped. */
async function smoke(folder: string): Promise<{ failed: number; skipped: number }> {
  const help = (await h3ws(["--help"])).stdout;
  const counts = { failed: 0, skipped: 0 };
  for (const { name, needs, body } of STEPS) {
    const missing = needs.filter((command) => !new RegExp(`^\\s+${command}\\b`, "m").test(help));
    if (missing.length > 0) {
      counts.skipped++;
      console.log(`${name} ... skipped: no command ${missing.join(", ")}`);
      continue;
    }
    try {
      await body(folder);
      console.log(`${name} ... ok`);
    } catch (error) {
      counts.failed++;
      console.log(`${name} ... FAILED: ${error instanceof Error ? error.message : error}`);
    }
  }
  return counts;
}

if (import.meta.main) {
  await main(async () => {
    const folder = await mkdtemp(join(tmpdir(), "h3ws-smoke-"));
    try {
      const { failed, skipped } = await smoke(folder);
      const passed = STEPS.length - failed - skipped;
      console.log(`${bin}: ${passed} passed, ${failed} failed, ${skipped} skipped`);
      if (failed > 0 || (skipped > 0 && !Deno.args.includes("--allow-skip"))) Deno.exit(1);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}
