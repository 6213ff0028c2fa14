// Gateways and agents as processes of their own, watched from outside as an operator would.
import { makeCertificates } from "../../src/cli/certificates.ts";
import { type LogLine, ProcessLog } from "./process.ts";

export interface TunnelProcess extends AsyncDisposable {
  readonly pid: number;
  /** "http://127.0.0.1:port" of the operators' server. */
  readonly admin: string;
  /** The first line of its log. */
  readonly started: LogLine;
  readonly status: Promise<Deno.CommandStatus>;
  readonly log: readonly LogLine[];
  /** Waits for a line of the log that has not been asked for. */
  logged(event: string, test?: (line: LogLine) => boolean): Promise<LogLine>;
  /** What it wrote on stdout so far. */
  stdout(): string;
  kill(signal: Deno.Signal): void;
}

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

export interface TunnelProcessOptions {
  flags: readonly string[];
  env?: Record<string, string>;
  cwd?: string;
}

/** Starts `h3ws gateway` and waits until it listens. */
export function startGateway(options: TunnelProcessOptions): Promise<TunnelProcess> {
  return start("gateway", "gateway.listening", options);
}

/** Starts `h3ws proxy`, by a file with a gateway in it, and waits until both listen. */
export function startProxy(options: TunnelProcessOptions): Promise<TunnelProcess> {
  return start("proxy", "proxy.listening", options);
}

/** Starts `h3ws agent`; a link need not stand. */
export function startAgent(options: TunnelProcessOptions): Promise<TunnelProcess> {
  return start("agent", "agent.started", options);
}

async function start(
  command: string,
  first: string,
  { flags, env, cwd }: TunnelProcessOptions,
): Promise<TunnelProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--unstable-net", MAIN, command, "--log-format", "json"],
      ...["--metrics", "127.0.0.1:0", ...flags],
    ],
    ...{ env, cwd, stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  const log = new ProcessLog();
  let out = "";
  const reading = Promise.all([
    log.read(child.stderr),
    (async () => {
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) out += text;
    })(),
  ]);
  let running = true;
  const status = child.status.finally(() => running = false);
  const stop = async () => {
    if (running) child.kill("SIGKILL");
    await status;
    await reading;
  };
  try {
    const started = await log.wait(first);
    return {
      ...{ pid: child.pid, admin: `http://${started.metrics}`, started, status, log: log.lines },
      logged: (event, test) => log.wait(event, test),
      stdout: () => out,
      kill: (signal) => child.kill(signal),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The port of an address that a line of the log tells. */
export function portOf(address: unknown): number {
  return Number(String(address).split(":").at(-1));
}

export interface Reached {
  /** curl's exit code. */
  readonly code: number;
  readonly text: string;
}

/** What curl gets through a gateway's SOCKS5. */
export async function curl(
  { started }: TunnelProcess,
  { user = "", url }: { user?: string; url: string },
): Promise<Reached> {
  const at = user === "" ? "" : `${user}@`;
  const { code, stdout, stderr } = await new Deno.Command("curl", {
    args: ["-sS", "--max-time", "20", "-x", `socks5h://${at}${started.socks}`, url],
  }).output();
  return { code, text: new TextDecoder().decode(code === 0 ? stdout : stderr) };
}

/** An HTTP server that says hello, and its port. */
export async function withHello(run: (port: number) => Promise<void>): Promise<void> {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("hello\n"),
  );
  try {
    await run(server.addr.port);
  } finally {
    await server.shutdown();
  }
}

/** Writes `ca.pem`, `cert.pem` and `key.pem` of localhost into a folder. */
export async function writePair(folder: string): Promise<void> {
  const hosts = ["localhost", "127.0.0.1"];
  const { caPem, certPem, keyPem } = await makeCertificates({ hosts, days: 1 });
  await Deno.writeTextFile(`${folder}/ca.pem`, caPem);
  await Deno.writeTextFile(`${folder}/cert.pem`, certPem);
  await Deno.writeTextFile(`${folder}/key.pem`, keyPem);
}
