/**
 * The tunnels that are measured beside each other, each as it is started by its user: both ends on
 * this machine, and where a connection through it begins.
 */

import { ROOT } from "../project.ts";
import { startSshd } from "../../tests/support/sshd.ts";
import { writePair } from "../../tests/support/tunnel_process.ts";
import { freePort } from "../../tests/tunnel/processes.ts";
import { until } from "../../tests/support/until.ts";
import { processTable, withDescendants } from "./processes.ts";

/** One column of the table. */
export interface Way {
  readonly name: string;
  /** Where clients connect. */
  readonly at: string;
  /** Whether they ask for the target by SOCKS5; else the port is the target's. */
  readonly socks: boolean;
  /** The processes of both ends. */
  readonly pids: readonly number[];
}

/** A tunnel that runs until it is disposed of. */
export interface Tunnel extends AsyncDisposable {
  readonly ways: readonly Way[];
}

/** Programs that run until the stack they are put on is disposed of. */
function spawn(stack: AsyncDisposableStack, path: string, args: string[]): number {
  const child = new Deno.Command(path, {
    ...{ args, stdin: "null", stdout: "null", stderr: "inherit" },
  }).spawn();
  stack.defer(async () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await child.status;
  });
  return child.pid;
}

async function folderOn(stack: AsyncDisposableStack): Promise<string> {
  const folder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  return folder;
}

async function accepts(port: number): Promise<boolean> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => null);
  conn?.close();
  return conn !== null;
}

/** Starts what `start` starts; all of it goes again when a part fails. */
async function tunnel(
  start: (stack: AsyncDisposableStack) => Promise<readonly Way[]>,
): Promise<Tunnel> {
  await using starting = new AsyncDisposableStack();
  const ways = await start(starting);
  const stack = starting.move();
  return { ways, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/**
 * `h3ws gateway` and `h3ws agent` by that transport, with SOCKS5 and a forwarded port. They log
 * warnings alone: the others tell nothing of each connection either.
 */
export function startOurs(transport: "quic" | "ws", target: string): Promise<Tunnel> {
  return tunnel(async (stack) => {
    const folder = await folderOn(stack);
    await writePair(folder);
    const [listen, socks, forward, metrics] = [freePort(), freePort(), freePort(), freePort()];
    const main = ["run", "-A", "--no-check", "--unstable-net", `${ROOT}main.ts`];
    const log = ["--log-level", "warning"];
    const start = (...args: string[]) => spawn(stack, Deno.execPath(), [...main, ...args, ...log]);
    const gateway = start(
      ...["gateway", "--listen", `127.0.0.1:${listen}`, "--metrics", "off", "--anonymous"],
      ...["--cert", `${folder}/cert.pem`, "--key", `${folder}/key.pem`, "--user", "ann:secret"],
      ...["--socks", `127.0.0.1:${socks}`, "--forward", `127.0.0.1:${forward}=${target}`],
    );
    await until("the gateway", () => accepts(socks));
    const agent = start(
      ...["agent", `wss://localhost:${listen}`, "--ca", `${folder}/ca.pem`],
      ...["--user", "ann:secret", "--allow", "127.0.0.1", "--transport", transport],
      ...["--metrics", `127.0.0.1:${metrics}`],
    );
    await until(`the link by ${transport}`, async () => {
      const answer = await fetch(`http://127.0.0.1:${metrics}/readyz`).catch(() => null);
      await answer?.body?.cancel();
      return answer?.status === 200;
    });
    const pids = [gateway, agent];
    return [
      { name: `h3ws ${transport}`, at: `127.0.0.1:${socks}`, socks: true, pids },
      { name: `h3ws ${transport} port`, at: `127.0.0.1:${forward}`, socks: false, pids },
    ];
  });
}

/** `ssh -N -R PORT`: the server listens for SOCKS5, the client connects. */
export function startSsh(sshd: string): Promise<Tunnel> {
  return tunnel(async (stack) => {
    const server = stack.use(await startSshd(sshd));
    const port = freePort();
    const way = ["-N", "-R", `127.0.0.1:${port}`, "-o", "ExitOnForwardFailure=yes"];
    const client = spawn(stack, "ssh", [...way, ...server.login]);
    await until("the tunnel of ssh", () => accepts(port));
    const pids = [client, ...withDescendants(server.pid, await processTable())];
    return [{ name: "ssh -R", at: `127.0.0.1:${port}`, socks: true, pids }];
  });
}

/** A forwarded port of rathole over TCP, which encrypts nothing, or by Noise. */
export function startRathole(path: string, target: string, noise: boolean): Promise<Tunnel> {
  return tunnel(async (stack) => {
    const folder = await folderOn(stack);
    const [control, port] = [freePort(), freePort()];
    const keys = noise ? await noiseKeys(path) : null;
    const transport = (key: string) =>
      keys === null ? "" : `[ROLE.transport]\ntype = "noise"\n[ROLE.transport.noise]\n${key}\n`;
    const files = {
      server: `[server]
bind_addr = "127.0.0.1:${control}"
default_token = "secret"
[server.services.target]
bind_addr = "127.0.0.1:${port}"
${transport(`local_private_key = "${keys?.secret}"`)}`,
      client: `[client]
remote_addr = "127.0.0.1:${control}"
default_token = "secret"
[client.services.target]
local_addr = "${target}"
${transport(`remote_public_key = "${keys?.open}"`)}`,
    };
    const pids: number[] = [];
    for (const [role, text] of Object.entries(files)) {
      const file = `${folder}/${role}.toml`;
      await Deno.writeTextFile(file, text.replaceAll("ROLE", role));
      pids.push(spawn(stack, path, [`--${role}`, file]));
    }
    await until("the port of rathole", () => accepts(port));
    const name = noise ? "rathole noise" : "rathole plain";
    return [{ name, at: `127.0.0.1:${port}`, socks: false, pids }];
  });
}

/** What `rathole --genkey` prints: two headings with a key in Base64 below each. */
async function noiseKeys(path: string): Promise<{ secret: string; open: string }> {
  const { stdout } = await new Deno.Command(path, { args: ["--genkey"] }).output();
  const [, secret, , open] = new TextDecoder().decode(stdout).trim().split(/\s*\n\s*/);
  return { secret, open };
}
