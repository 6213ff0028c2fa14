// The demo as a user starts it: a process of its own.
import assert from "node:assert/strict";
import { connectWebSocket } from "../../src/client/connect.ts";
import { H3Client } from "../../src/client/h3_client.ts";
import { run } from "../../src/cli/args.ts";
import { demoCommand } from "../../src/cli/demo.ts";
import type { LoadReport } from "../../src/cli/load.ts";
import { programName } from "../../src/cli/program.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { TestIo } from "./support.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PATIENCE_MS = 60_000;
const METRIC_MS = 20_000;

const STEPS = [
  "certificates   a CA and a leaf for localhost, 127.0.0.1",
  "echo backend   ws://127.0.0.1:",
  "proxy          https://localhost:",
  "metrics        http://127.0.0.1:",
  "QUIC           connected: TLS 1.3, ALPN h3",
  "SETTINGS       the server announces ENABLE_CONNECT_PROTOCOL = 1",
  "GET /healthz   200 over HTTP/3",
  "CONNECT /ws    200",
  'text           "hello over HTTP/3" came back',
  "binary         64 KiB came back, byte for byte",
  "Ping           answered by the backend, once",
  'Close          4001 from the backend, "demo is over"',
];

function checkSteps(text: string): void {
  const lines = text.split("\n").slice(0, STEPS.length);
  for (const [i, line] of lines.entries()) {
    const [, number, step] = /^ *(\d+)\. +\d+ ms {2}(.*)$/.exec(line) ?? assert.fail(line);
    assert.equal(Number(number), i + 1);
    assert.ok(step.startsWith(STEPS[i]), `${step}, not ${STEPS[i]}`);
  }
}

interface Demo {
  /** All that it printed up to the last line of how to try it. */
  text: string;
  kill(signal: Deno.Signal): void;
  /** What it printed after that, once it has ended. */
  rest(): Promise<string>;
  status: Promise<Deno.CommandStatus>;
}

/** `deno task demo`, which is what the README says; ended when `body` is over. */
async function withDemo(args: string[], body: (demo: Demo) => Promise<void>): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "demo", ...args],
    cwd: ROOT,
    env: { npm_command: "" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const readUntil = async (end: string) => {
    let text = "";
    while (end === "" || !text.includes(end)) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
    }
    return text;
  };
  let running = true;
  const status = child.status.finally(() => running = false);
  try {
    const text = await within("the demo", readUntil("Ctrl+C\n"), PATIENCE_MS);
    const kill = (signal: Deno.Signal) => child.kill(signal);
    await body({ text, kill, rest: () => within("its end", readUntil("")), status });
  } finally {
    // The task hands it on; a SIGKILL would leave the demo itself behind.
    if (running) child.kill("SIGTERM");
    await status;
    await reader.cancel();
  }
}

function found(text: string, pattern: RegExp): string {
  return pattern.exec(text)?.[1] ?? assert.fail(`no ${pattern} in ${text}`);
}

const ANY_PORT = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
const ignore = Deno.build.os === "windows";

Deno.test("demo: shows its steps, serves on, tells how to try it; SIGINT drains it, exit 0", {
  ignore,
}, async () => {
  await withDemo(ANY_PORT, async (demo) => {
    const { text } = demo;
    checkSteps(text);
    const port = Number(found(text, /https:\/\/localhost:(\d+)\/ws/));
    const caFile = found(text, /--ca (\S+)/);
    const caCerts = [await Deno.readTextFile(caFile)];
    checkChromium(text, port);
    const metrics = found(text, /(http:\S+\/metrics)/);
    await untilMetric(metrics, "h3ws_proxy_accepted_total 1");
    await checkBench(found(text, /^ {2}(deno task start bench .*)$/m));
    // Long before their idle timeout: a client that ends tells so.
    await untilMetric(metrics, 'h3ws_proxy_active_connections{http="3"} 0');

    const client = await H3Client.connect({ hostname: "localhost", port, caCerts });
    const head = { method: "GET", scheme: "https", path: "/", protocol: null, fields: [] };
    const page = await client.fetch({ ...head, authority: `localhost:${port}` });
    assert.equal(page.status, 200);
    assert.match(
      new TextDecoder().decode(page.body),
      /new WebSocket\("wss:\/\/" \+ location\.host/,
    );
    const url = `wss://localhost:${port}/ws`;
    const socket = await connectWebSocket(url, { connection: client });
    await socket.send("still there?");
    assert.equal(await socket.receive(), "still there?");

    // As at a terminal, where it comes from there and from the task.
    demo.kill("SIGINT");
    demo.kill("SIGINT");
    assert.equal(await within("the end of the socket", socket.receive()), null);
    assert.equal((await socket.closed).code, 1001);
    client.close();
    await client.closed;
    assert.equal(await demo.rest(), "\nDraining: every socket gets Close 1001.\n");
    assert.equal((await demo.status).code, 0);
    await assert.rejects(Deno.stat(caFile), Deno.errors.NotFound);
  });
});

function checkChromium(text: string, port: number): void {
  const command = found(text, /^ {2}(chromium (?:.* \\\n)+.*)$/m);
  const flags = command.split(/ \\\n +/).flatMap((line, i) => i === 0 ? line.split(" ") : [line]);
  const hash = found(command, /spki-list=(\S+)/);
  assert.equal(Uint8Array.fromBase64(hash).length, 32);
  for (
    const flag of [
      "--enable-quic",
      `--origin-to-force-quic-on=localhost:${port}`,
      "--enable-features=EnableWebsocketsOverHttp3",
      `--ignore-certificate-errors-spki-list=${hash}`,
      '--host-resolver-rules="MAP localhost 127.0.0.1"',
      `https://localhost:${port}/`,
    ]
  ) assert.ok(flags.includes(flag), `${flag} is not in ${flags}`);
}

function untilMetric(url: string, line: string): Promise<void> {
  return until(line, async () => {
    const response = await fetch(url, { headers: { connection: "close" } });
    return (await response.text()).split("\n").includes(line);
  }, METRIC_MS);
}

async function checkBench(command: string): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", `${command} --connections 2 --duration 200ms --json`.replace(/^deno/, '"$DENO"')],
    cwd: ROOT,
    env: { DENO: Deno.execPath() },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const report: LoadReport = JSON.parse(new TextDecoder().decode(stdout));
  assert.deepEqual([report.http, report.sockets, report.errors], ["3", 2, 0]);
}

/** Holds a port unless somebody else does. */
function hold(listen: () => { close(): void }): () => void {
  try {
    const held = listen();
    return () => held.close();
  } catch (error) {
    assert.ok(error instanceof Deno.errors.AddrInUse);
    return () => {};
  }
}

Deno.test("demo: where its default ports are taken it serves at free ones, and says so", {
  ignore,
}, async () => {
  const udp = { transport: "udp", hostname: "127.0.0.1", port: 8443 } as const;
  const releases = [
    hold(() => Deno.listenDatagram(udp)),
    hold(() => Deno.listen({ hostname: "127.0.0.1", port: 9090 })),
  ];
  try {
    await withDemo([], async ({ text, kill, status }) => {
      checkSteps(text);
      const port = found(text, /https:\/\/localhost:(\d+)\/ws .*; 8443 is taken\)$/m);
      assert.notEqual(port, "8443");
      const metrics = found(text, /(http:\S+\/metrics) \(9090 is taken\)$/m);
      checkChromium(text, Number(port));
      await untilMetric(metrics, "h3ws_proxy_accepted_total 1");
      kill("SIGTERM");
      assert.equal((await status).code, 0);
    });
  } finally {
    for (const release of releases) release();
  }
});

async function demoOnce(...args: string[]) {
  const io = new TestIo();
  const code = await run(["demo", "--once", ...args], { commands: [demoCommand] }, io);
  return { code, out: io.stdout, err: io.stderr };
}

Deno.test("demo: a port that was asked for and is taken is one line, exit code 1", async () => {
  const udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const listen = `127.0.0.1:${(udp.addr as Deno.NetAddr).port}`;
    const first = await demoOnce("--listen", listen, "--metrics", "off");
    assert.equal(first.code, 1);
    assert.match(first.err, new RegExp(`^h3ws: Cannot listen on UDP ${listen}: .*in use.*\\n$`));
    const metrics = `127.0.0.1:${tcp.addr.port}`;
    const second = await demoOnce("--listen", "127.0.0.1:0", "--metrics", metrics);
    assert.equal(second.code, 1);
    assert.match(second.err, new RegExp(`^h3ws: Cannot listen on TCP ${metrics}: .*in use.*\\n$`));
  } finally {
    udp.close();
    tcp.close();
  }
});

Deno.test("demo: --once ends after the round trip, whatever it listens at", async () => {
  for (const listen of ["127.0.0.1:0", "0.0.0.0:0", ":0", "localhost:0"]) {
    const { code, out, err } = await demoOnce("--listen", listen, "--metrics", "off");
    assert.deepEqual([code, err], [0, ""], listen);
    assert.match(out, /^11\. .* Close {10}4001 from the backend, "demo is over"\n$/m);
  }
});

Deno.test("demo: its command lines begin as it was started", () => {
  const source = "file:///somewhere/main.ts";
  const bundle = "file:///somewhere/dist/h3ws.js";
  const npx = { npm_command: "exec" };
  assert.equal(programName({}, source), "deno task start");
  assert.equal(programName(npx, source), `npx -y deno@${Deno.version.deno} task start`);
  assert.equal(programName({}, bundle), "h3ws");
  assert.equal(programName(npx, bundle), "npx h3ws");
});
