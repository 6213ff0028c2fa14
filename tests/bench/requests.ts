// deno-lint-ignore-file no-console
/**
 * What a plain request costs a proxy: GET of 1 KiB from a fast backend over kept connections, 50 at
 * once. It takes `wrk` (HTTP/1.1) and `h2load` (HTTP/2) from PATH, and prints CPU microseconds for
 * each request, of the proxy's process alone. Linux.
 *
 *     deno run -A tests/bench/requests.ts [--seconds 5] [--reps 3] [--caddy PATH]
 *
 * Others stand beside it: `--caddy` names a Caddy binary, which then is measured in the same run.
 */
import { parseArgs } from "node:util";
import { makeCertificates } from "../../src/cli/certificates.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    reps: { type: "string", default: "3" },
    caddy: { type: "string" },
    port: { type: "string", default: "18440" },
  },
});
const SECONDS = Number(values.seconds);
const BASE = Number(values.port);
const ANSWER = new TextEncoder().encode(
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n${"x".repeat(1024)}`,
);
const HERTZ = 100;

/** Answers each head with the same bytes; it is no HTTP server, for it must cost nothing. */
async function backend(listener: Deno.TcpListener): Promise<void> {
  for await (const conn of listener) {
    conn.setNoDelay(true);
    (async () => {
      const buffer = new Uint8Array(16 * 1024);
      for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
        let at = 0;
        while (at < ANSWER.length) at += await conn.write(ANSWER.subarray(at));
      }
    })().catch(() => {}).finally(() => conn.close());
  }
}

interface Target {
  name: string;
  start(folder: string, backendPort: number): Deno.ChildProcess;
}

const own: Target = {
  name: "h3ws",
  start: (folder, backendPort) =>
    spawn(Deno.execPath(), [
      ...["run", "-A", "--unstable-net", "main.ts", "proxy", "--requests", "--path", "^/"],
      ...["--listen", `127.0.0.1:${BASE}`, "--plain-listen", `127.0.0.1:${BASE + 1}`],
      ...["--cert", `${folder}/cert.pem`, "--key", `${folder}/key.pem`],
      ...["--backend", `ws://127.0.0.1:${backendPort}`, "--metrics", "off"],
    ]),
};

const caddy = (path: string): Target => ({
  name: "caddy",
  start(folder, backendPort) {
    const site = `reverse_proxy 127.0.0.1:${backendPort}`;
    Deno.writeTextFileSync(
      `${folder}/Caddyfile`,
      `{
	admin off
	auto_https off
	http_port ${BASE + 1}
	servers {
		protocols h1 h2 h2c h3
	}
	log {
		level ERROR
	}
}
https://:${BASE} {
	bind 127.0.0.1
	tls ${folder}/cert.pem ${folder}/key.pem
	${site}
}
http://:${BASE + 1} {
	bind 127.0.0.1
	${site}
}
`,
    );
    return spawn(path, ["run", "--config", `${folder}/Caddyfile`, "--adapter", "caddyfile"]);
  },
});

function spawn(path: string, args: string[]): Deno.ChildProcess {
  return new Deno.Command(path, { args, stdout: "null", stderr: "null" }).spawn();
}

/** CPU microseconds of a process so far, user and system. */
function cpuUs(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13);
  return (Number(user) + Number(system)) * 1e6 / HERTZ;
}

const LOADS: Record<string, (seconds: number) => [string, string[]]> = {
  h1: (s) => ["wrk", ["-t1", "-c50", `-d${s}s`, `http://127.0.0.1:${BASE + 1}/x`]],
  h1s: (s) => ["wrk", ["-t1", "-c50", `-d${s}s`, `https://127.0.0.1:${BASE}/x`]],
  h2: (s) => [
    "h2load",
    ["-c5", "-m10", "-t1", "-D", String(s), "--warm-up-time=0", `https://127.0.0.1:${BASE}/x`],
  ],
};

async function load(kind: string, seconds: number): Promise<number> {
  const [command, args] = LOADS[kind](seconds);
  const { stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
  const text = new TextDecoder().decode(stdout);
  const done = /(\d+) requests in/.exec(text) ??
    /requests: \d+ total, \d+ started, (\d+) done/.exec(text);
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? /(\d+) failed/.exec(text)?.[1];
  if (done === null) throw new Error(`${command} said:\n${text}`);
  if (Number(bad ?? 0) > 0) console.warn(`${kind}: ${bad} failed`);
  return Number(done[1]);
}

async function ready(port: number): Promise<void> {
  for (let left = 100;; left--) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function median(numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

const folder = await Deno.makeTempDir({ prefix: "h3ws-bench-" });
const { certPem, keyPem } = await makeCertificates({ hosts: ["localhost", "127.0.0.1"], days: 1 });
await Deno.writeTextFile(`${folder}/cert.pem`, certPem);
await Deno.writeTextFile(`${folder}/key.pem`, keyPem);
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
void backend(listener);
const targets = [own, ...(values.caddy ? [caddy(values.caddy)] : [])];
const results = new Map<string, number[]>();
for (let rep = 0; rep < Number(values.reps); rep++) {
  for (const target of targets) {
    const child = target.start(folder, (listener.addr as Deno.NetAddr).port);
    await ready(BASE);
    await ready(BASE + 1);
    for (const kind of Object.keys(LOADS)) {
      await load(kind, 1);
      const before = cpuUs(child.pid);
      const count = await load(kind, SECONDS);
      const each = (cpuUs(child.pid) - before) / count;
      console.log(
        `${target.name} ${kind}: ${each.toFixed(1)} us, ${Math.round(count / SECONDS)}/s`,
      );
      results.set(`${kind} ${target.name}`, [
        ...(results.get(`${kind} ${target.name}`) ?? []),
        each,
      ]);
    }
    child.kill("SIGTERM");
    await child.status;
  }
}
for (const [key, each] of [...results].sort()) {
  console.log(`${key}: median ${median(each).toFixed(1)} us a request`);
}
await Deno.remove(folder, { recursive: true });
Deno.exit(0);
