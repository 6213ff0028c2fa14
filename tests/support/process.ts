// The proxy as a process of its own, watched from outside as an operator would: by its log, its
// metrics and what the kernel tells of it under /proc (Linux only).
import { makeCertificates } from "../../src/cli/certificates.ts";
import { collectGarbage } from "./inspector.ts";
import { until } from "./until.ts";

/** One line of the JSON log: `event` and its fields. */
export interface LogLine extends Record<string, unknown> {
  event: string;
}

export interface ProxyProcess extends AsyncDisposable {
  readonly pid: number;
  /** The UDP port of HTTP/3, on 127.0.0.1. */
  readonly port: number;
  /** "http://127.0.0.1:port" of the operators' server. */
  readonly admin: string;
  readonly caCerts: string[];
  readonly status: Promise<Deno.CommandStatus>;
  /** The last lines of the log, oldest first. */
  readonly log: readonly LogLine[];
  /** Waits for a line of the log that has not been asked for. */
  logged(event: string, test?: (line: LogLine) => boolean): Promise<LogLine>;
  /** One number of /metrics, by its name and labels as they stand there. */
  metric(series: string): Promise<number>;
  /** Resident memory now. */
  rssBytes(): number;
  /** Collects all garbage; returns what of V8's heap is still in use. Needs `inspect`. */
  collectGarbage(): Promise<number>;
  /** TCP sockets the process holds open to that port on this machine. */
  socketsTo(port: number): number;
  kill(signal: Deno.Signal): void;
}

export interface ProxyProcessOptions {
  backendPort: number;
  flags?: readonly string[];
  /** Lets the test have V8 collect its garbage. */
  inspect?: boolean;
}

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const LOG_LINES = 1000;
const KIB = 1024;

/** Starts `h3ws proxy` on free ports and waits until it listens. */
export async function startProxyProcess(options: ProxyProcessOptions): Promise<ProxyProcess> {
  const folder = await Deno.makeTempDir();
  const { caPem, certPem, keyPem } = await makeCertificates({
    hosts: ["localhost", "127.0.0.1"],
    days: 1,
  });
  await Deno.writeTextFile(`${folder}/cert.pem`, certPem);
  await Deno.writeTextFile(`${folder}/key.pem`, keyPem);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--unstable-net"],
      ...(options.inspect ? ["--inspect=127.0.0.1:0"] : []),
      ...[MAIN, "proxy", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"],
      ...["--cert", `${folder}/cert.pem`, "--key", `${folder}/key.pem`],
      ...["--backend", `ws://127.0.0.1:${options.backendPort}`, "--log-format", "json"],
      ...(options.flags ?? []),
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const log = new ProcessLog();
  const reading = log.read(child.stderr);
  let running = true;
  const status = child.status.finally(() => running = false);
  const stop = async () => {
    if (running) child.kill("SIGKILL");
    await status;
    await reading;
    await Deno.remove(folder, { recursive: true });
  };
  try {
    const listening = await log.wait("proxy.listening");
    const admin = `http://${listening.metrics}`;
    return {
      pid: child.pid,
      port: Number(String(listening.listen).split(":").at(-1)),
      admin,
      caCerts: [caPem],
      status,
      log: log.lines,
      logged: (event, test) => log.wait(event, test),
      metric: (series) => metric(admin, series),
      rssBytes: () => rssBytes(child.pid),
      collectGarbage: () => collectGarbage(log.inspector),
      socketsTo: (port) => socketsTo(child.pid, port),
      kill: (signal) => child.kill(signal),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The log of a process in JSON, and what else it writes. */
export class ProcessLog {
  readonly lines: LogLine[] = [];
  readonly #asked = new WeakSet<LogLine>();
  readonly #other: string[] = [];
  #ended = false;

  /** Where V8's inspector listens. */
  get inspector(): string {
    const line = this.#other.find((text) => text.startsWith("Debugger listening on "));
    if (line === undefined) throw new Error("The process has no inspector");
    return line.slice("Debugger listening on ".length);
  }

  async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      const texts = (rest + part).split("\n");
      rest = texts.pop()!;
      for (const text of texts) this.#take(text);
    }
    this.#ended = true;
  }

  #take(text: string): void {
    if (!text.startsWith("{")) {
      this.#other.push(text);
      return;
    }
    this.lines.push(JSON.parse(text));
    if (this.lines.length > LOG_LINES) this.lines.shift();
  }

  async wait(event: string, test: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    const find = () =>
      this.lines.find((line) => line.event === event && !this.#asked.has(line) && test(line));
    await until(`log line ${event}`, () => find() !== undefined || this.#ended);
    const line = find();
    if (line === undefined) {
      throw new Error(`The process ended without ${event}: ${this.#other.join("\n")}`);
    }
    this.#asked.add(line);
    return line;
  }
}

/** One number of `admin`/metrics. */
export async function metric(admin: string, series: string): Promise<number> {
  const response = await fetch(`${admin}/metrics`, { headers: { connection: "close" } });
  const text = await response.text();
  const line = text.split("\n").find((line) => line.startsWith(`${series} `));
  if (line === undefined) throw new Error(`/metrics has no ${series}`);
  return Number(line.slice(series.length + 1));
}

function rssBytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * KIB;
}

/** `proc(5)`: the process's descriptors by inode, and the kernel's table of TCP sockets. */
function socketsTo(pid: number, port: number): number {
  const inodes = new Set<string>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      const target = Deno.readLinkSync(`/proc/${pid}/fd/${name}`);
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // Closed since the folder was read.
    }
  }
  const remote = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return Deno.readTextFileSync(`/proc/${pid}/net/tcp`).split("\n").slice(1).filter((row) => {
    const columns = row.trim().split(/\s+/);
    return columns[2]?.endsWith(remote) && inodes.has(columns[9]);
  }).length;
}
