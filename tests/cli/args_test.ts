import assert from "node:assert/strict";
import { type Handlers, run } from "../../src/cli/args.ts";
import { CommandError, defineCommand } from "../../src/cli/command.ts";
import { connectCommand } from "../../src/cli/connect.ts";
import { EXIT_CODES } from "../../src/cli/connect_end.ts";
import { KNOB_ROWS } from "../../src/cli/echo_knobs.ts";
import { VERSION } from "../../src/cli/version.ts";
import { plainFlag } from "../../src/config/flags.ts";
import { count, many } from "../../src/config/kinds.ts";
import type { ProxyConfig } from "../../src/config/proxy.ts";
import { TestIo, withFolder } from "./support.ts";

async function runFor(args: string[], handlers: Handlers = {}, env: Record<string, string> = {}) {
  const io = new TestIo(env);
  const code = await run(args, handlers, io);
  return { code, out: io.stdout, err: io.stderr };
}

/** What the proxy is started with. */
async function configFor(args: string[], env: Record<string, string> = {}): Promise<ProxyConfig> {
  let config: ProxyConfig | null = null;
  const result = await runFor(args, {
    proxy(given) {
      config = given.config;
      return Promise.resolve(0);
    },
  }, env);
  assert.deepEqual(result, { code: 0, out: "", err: "" });
  assert.ok(config !== null);
  return config;
}

Deno.test("args: no command before the flags is the proxy", async () => {
  const lines = [
    ["--listen", "127.0.0.1:1"],
    ["-listen", "127.0.0.1:1"],
    ["-listen=127.0.0.1:1"],
    ["proxy", "--listen", "127.0.0.1:1"],
  ];
  for (const args of lines) {
    assert.deepEqual((await configFor(args)).listen, { hostname: "127.0.0.1", port: 1 });
  }
  assert.equal((await configFor([])).listen.port, 443);
});

Deno.test("args: switches take a value as in Go, and the environment is read", async () => {
  const config = await configFor(["-debug", "-backend-insecure=false", "-metrics", ""], {
    H3WS_MAX_FRAME: "64KiB",
    H3WS_BACKEND_INSECURE: "true",
  });
  assert.equal(config.logLevel, "debug");
  assert.equal(config.backendInsecure, false);
  assert.equal(config.metrics, null);
  assert.equal(config.maxFrameBytes, 65536);
});

Deno.test("args: a variable with nearly the name of one is told of in one line, and hinders nothing", async () => {
  const env = { H3WS_MAX_FRAMES: "secret", H3WS_SERVICE_HOST: "10.0.0.1", H3WS_LISTEN: ":1" };
  const proxy = () => Promise.resolve(0);
  const want = "h3ws: H3WS_MAX_FRAMES: is not known; did you mean H3WS_MAX_FRAME?\n";
  assert.deepEqual(await runFor([], { proxy }, env), { code: 0, out: "", err: want });
  assert.equal((await runFor(["--version"], { proxy }, env)).err, "");
});

const USAGE: [args: string[], err: string][] = [
  [
    ["--max-frame", "12xx"],
    '--max-frame: "12xx" is not a size; ' +
    "allowed: bytes, or a number with KiB, MiB, GiB (64KiB, 1MiB)",
  ],
  [["--lisen", ":1"], "--lisen: is not known; did you mean --listen?"],
  [["--zzzzzzzz"], "--zzzzzzzz: is not known; allowed: what --help tells"],
  [["-x"], "-x: is not known; allowed: what --help tells"],
  [["sing"], 'command: "sing" is not known; allowed: proxy, echo, certs, check, schema, help'],
  [
    ["help", "sing"],
    'command: "sing" is not known; allowed: proxy, echo, certs, check, schema, help',
  ],
  [["echo", "x"], 'echo: "x" is not a flag; allowed: flags alone, see h3ws echo --help'],
  [["certs", "--days", "0"], '--days: "0" is out of range; allowed: 1 to 36500'],
];

Deno.test("args: a wrong command line is one line on stderr, exit code 2", async () => {
  for (const [args, err] of USAGE) {
    assert.deepEqual(await runFor(args), { code: 2, out: "", err: `h3ws: ${err}\n` });
  }
});

Deno.test("args: a wrong variable is told by its name", async () => {
  const { code, err } = await runFor([], {}, { H3WS_DRAIN: "soon" });
  assert.equal(code, 2);
  assert.match(err, /^h3ws: H3WS_DRAIN: "soon" is not a duration; allowed: .*\n$/);
});

Deno.test("args: what is wrong in the configuration file is one line on stderr, exit code 2", () =>
  withFolder(async (folder) => {
    const file = `${folder}/h3ws.yaml`;
    await Deno.writeTextFile(file, "read-timeout: soon\nlisten: 7\n");
    const { code, out, err } = await runFor(["--config", file]);
    assert.deepEqual([code, out], [2, ""]);
    const line =
      /^h3ws: \S+yaml:1:15: read-timeout: "soon" is not .*yaml:2:9: listen: "7" is .*\n$/;
    assert.match(err, line);
    // What does not fit together, too; that it can't be had is no fault of what was said.
    await Deno.writeTextFile(file, "tcp: off\nclient-ca: ca.pem\n");
    assert.equal((await runFor(["--config", file])).code, 2);
    await Deno.remove(file);
    assert.deepEqual(await runFor(["--config", file]), {
      code: 1,
      out: "",
      err: `h3ws: Cannot read ${file}: no such file\n`,
    });
  }));

Deno.test("args: what a command could not do is one line on stderr, exit code 1", async () => {
  const failing = (error: unknown) => ({ proxy: () => Promise.reject(error) });
  assert.deepEqual(await runFor([], failing(new CommandError("Cannot listen:\n port in use"))), {
    code: 1,
    out: "",
    err: "h3ws: Cannot listen: port in use\n",
  });
  // A bug of ours is told with where it is.
  const bug = await runFor([], failing(new TypeError("x is not a function")));
  assert.equal(bug.code, 1);
  assert.match(bug.err, /^h3ws: TypeError: x is not a function\n +at /);
  assert.equal((await runFor([])).code, 1);
});

Deno.test("args: the exit code is the command's", async () => {
  assert.equal((await runFor([], { proxy: () => Promise.resolve(1) })).code, 1);
});

Deno.test("args: further commands have their flags read, and stand in the help", async () => {
  const given: number[] = [];
  const bench = defineCommand({
    name: "bench",
    summary: "measure a server",
    flags: { streams: plainFlag({ name: "streams", kind: count(), default: "7", meaning: "how" }) },
    examples: ["h3ws bench --streams 3"],
    run({ streams }) {
      given.push(streams);
      return Promise.resolve(0);
    },
  });
  const handlers = { commands: [bench] };
  assert.equal((await runFor(["bench"], handlers)).code, 0);
  assert.equal((await runFor(["bench", "-streams=3"], handlers)).code, 0);
  assert.deepEqual(given, [7, 3]);
  assert.match((await runFor(["--help"], handlers)).out, /bench +measure a server/);
});

Deno.test("args: a flag of many values has each that was given, and tells of the one that is wrong", async () => {
  const given: (readonly number[])[] = [];
  const command = defineCommand({
    name: "sum",
    summary: "sum up",
    flags: {
      of: plainFlag({ name: "of", short: "o", kind: many(count()), default: "", meaning: "what" }),
    },
    examples: ["h3ws sum -o 1 -o 2"],
    run({ of }) {
      given.push(of);
      return Promise.resolve(0);
    },
  });
  const handlers = { commands: [command] };
  for (const args of [[], ["-o", "3"], ["-o", "3", "--of=4", "-of", "3"]]) {
    assert.equal((await runFor(["sum", ...args], handlers)).code, 0);
  }
  assert.deepEqual(given, [[], [3], [3, 4, 3]]);
  assert.deepEqual(await runFor(["sum", "-o", "3", "-o", "x", "-o", "5"], handlers), {
    code: 2,
    out: "",
    err: 'h3ws: --of: "x" is not a whole number; allowed: a whole number, 1 or more\n',
  });
  assert.equal((await runFor(["sum", "-o", ""], handlers)).code, 2);
  assert.match((await runFor(["sum", "--help"], handlers)).out, /-o, --of <n> +what/);
});

Deno.test("args: --version", async () => {
  for (const args of [["--version"], ["-version"], ["-V"], ["proxy", "--version"]]) {
    assert.deepEqual(await runFor(args), { code: 0, out: `h3ws ${VERSION}\n`, err: "" });
  }
  assert.match(VERSION, /^\d+\.\d+\.\d+/);
});

Deno.test("args: --help has an example for each command", async () => {
  for (const args of [["--help"], ["-help"], ["-h"], ["help"]]) {
    const { code, out, err } = await runFor(args);
    assert.deepEqual([code, err], [0, ""]);
    for (const name of ["proxy", "echo", "certs"]) {
      assert.match(out, new RegExp(`^  ${name} {2,}`, "m"));
      assert.match(out, new RegExp(`^  h3ws ${name}`, "m"));
    }
  }
});

Deno.test("args: a command's --help has its flags, their defaults and examples", async () => {
  for (const args of [["proxy", "--help"], ["help", "proxy"], ["--listen", ":1", "--help"]]) {
    const { code, out } = await runFor(args);
    assert.equal(code, 0);
    assert.match(
      out,
      /^ {2}--listen <address> +UDP address of HTTP\/3, and TCP address of HTTP\/2/m,
    );
    assert.match(out, /^ {2}--debug +the same/m);
    assert.match(out, /^ {2}h3ws proxy --cert/m);
    assert.match(out, /--config as H3WS_CONFIG/);
    for (const line of out.split("\n")) assert.ok(line.length <= 100, line);
  }
  assert.doesNotMatch((await runFor(["echo", "--help"])).out, /H3WS_/);
});

const NOTES: [command: string, title: string, lines: string[]][] = [
  [
    "echo",
    "Knobs in the query of a WebSocket, as in ws://127.0.0.1:8080/?delay=250ms&close=4001&after=3:",
    KNOB_ROWS.map(({ example, meaning }) => `${example} ${meaning}`),
  ],
  ["connect", "Exit codes, by the code of the Close:", EXIT_CODES.map((row) => row.join(" "))],
];

for (const [command, title, lines] of NOTES) {
  Deno.test(`args: ${command} --help has a table behind its flags`, async () => {
    const { out } = await runFor([command, "--help"], { commands: [connectCommand] });
    const text = out.slice(out.indexOf("\nFlags:")).replaceAll(/\s+/g, " ");
    const places = [title, ...lines, "Examples:"].map((line) => text.indexOf(line));
    assert.ok(places.every((place, i) => place > (places[i - 1] ?? 0)), `${places}`);
    for (const line of out.split("\n")) assert.ok(line.length <= 100, line);
  });
}

Deno.test("args: a command's --help has the words of each flag that takes words", async () => {
  const { out } = await runFor(["proxy", "--help"]);
  for (
    const term of [
      ...["--tcp <on|off>", "--alt-svc <on|off|port>", "--plain-listen <off|address>"],
      ...["--backend-proxy-protocol <off|v1|v2>", "--log-format <auto|text|json>"],
      "--log-level <debug|info|warning|error|off>",
    ]
  ) {
    assert.ok(out.includes(`\n  ${term} `), term);
  }
  assert.doesNotMatch(out, /<word>/);
});
