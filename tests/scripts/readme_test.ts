// What README.md says is so: its tables are those of the source, its commands and its program run.
import assert from "node:assert/strict";
import { render } from "../../scripts/readme.ts";
import { ROOT, run } from "../../scripts/project.ts";
import { makeCertificates } from "../../src/cli/certificates.ts";
import type { Command } from "../../src/cli/command.ts";
import { startEcho } from "../../src/cli/echo_server.ts";
import { COMMANDS } from "../../src/cli/main.ts";
import { normalizeArgs } from "../../src/cli/normalize.ts";
import { readFlags } from "../../src/config/flags.ts";
import { createLog, type LogRecord } from "../../src/observe/log.ts";
import { createObserver } from "../../src/observe/observer.ts";
import { Registry } from "prom-client";
import { withFolder } from "../cli/support.ts";
import { sessionEnd, sessionStart } from "../observe/sessions.ts";
import { within } from "../support/within.ts";

const readme = await Deno.readTextFile(`${ROOT}README.md`);
const PATIENCE_MS = 60_000;

/** The code block behind `<!-- tested: NAME -->`. */
function tested(name: string): string {
  const [, code] =
    new RegExp(`<!-- tested: ${name} -->\n\n\`\`\`\\w+\n([^]*?)\`\`\``).exec(readme) ??
      assert.fail(`README.md has no block "${name}"`);
  return code;
}

/** The command lines of `h3ws` in blocks of code, without comments. */
function commandLines(): string[] {
  const blocks = [...readme.matchAll(/^```(?:sh|ini)\n([^]*?)^```$/gm)].map(([, block]) => block);
  const lines = blocks.join("").replaceAll(/\\\n\s*/g, "").split("\n");
  return lines.map((line) => line.replace(/^ExecStart=\/usr\/local\/bin\//, ""))
    .filter((line) => line.startsWith("h3ws "))
    .map((line) => line.replace(/ *(?:&|#).*$/, ""));
}

function parse(line: string): void {
  const [, name, ...args] = line.split(" ");
  const command = COMMANDS.find((command) => command.name === name);
  assert.ok(command !== undefined, line);
  checkFlags(command, args);
}

function checkFlags(command: Command, args: string[]): void {
  const values = Object.fromEntries(
    normalizeArgs(args, command).map((arg) => /^--([^=]+)=(.*)$/.exec(arg)!.slice(1)),
  );
  for (const name of Object.keys(values)) {
    assert.ok(Object.values(command.flags).some((flag) => flag.name === name), `--${name}`);
  }
  readFlags(command.flags, values);
}

Deno.test("README: the tables of flags and metrics are those of the source", async () => {
  const want = await render(readme);
  assert.equal(readme, want, "deno run -A scripts/readme.ts writes them");
});

Deno.test("README: every command line is one that h3ws takes, and so are those of the help", () => {
  const lines = commandLines();
  assert.ok(lines.length >= 5, `${lines}`);
  lines.forEach(parse);
  const [, json] = /^CMD (.*)$/m.exec(readme)!;
  checkFlags(COMMANDS.find(({ name }) => name === "proxy")!, JSON.parse(json));
  for (const { examples } of COMMANDS) {
    assert.ok(examples.length > 0);
    for (const example of examples) {
      const line = example.replaceAll("'", "");
      parse(/^h3ws -/.test(line) ? line.replace("h3ws", "h3ws proxy") : line);
    }
  }
});

interface Started {
  child: Deno.ChildProcess;
  output: Promise<string>;
}

/** Resolves with what came first on stdout or stderr; what follows is read and dropped. */
function start(args: string[], cwd: string): Started {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--config", `${ROOT}deno.json`, `${ROOT}main.ts`, ...args],
    cwd,
    env: { H3WS_METRICS: "127.0.0.1:0" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const drain = async (stream: ReadableStream<Uint8Array>, first: (text: string) => void) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) first(text);
    first("");
  };
  const output = new Promise<string>((resolve) => {
    void drain(child.stdout, resolve);
    void drain(child.stderr, (text) => /proxy\.listening|^h3ws: /.test(text) && resolve(text));
  });
  return { child, output };
}

/** Ports of the loopback that are free now. */
function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  for (const listener of listeners) listener.close();
  return listeners.map(({ addr }) => addr.port);
}

/** Runs the lines of a block in a folder of their own, at ports that are free. */
async function runLines(lines: readonly string[]): Promise<void> {
  await withFolder(async (folder) => {
    const background: Deno.ChildProcess[] = [];
    try {
      for (const line of lines) {
        const [command, ...args] = line.replace(/ *&$/, "").split(" ");
        if (command !== "h3ws") {
          const { success, stderr } = await new Deno.Command(command, { args, cwd: folder })
            .output();
          assert.ok(success, `${line}: ${new TextDecoder().decode(stderr)}`);
          continue;
        }
        const { child, output } = start(args, folder);
        if (line.endsWith("&")) {
          background.push(child);
          assert.match(await within(line, output, PATIENCE_MS), /proxy\.listening|Echo server on/);
        } else {
          const { code } = await within(line, child.status, PATIENCE_MS);
          assert.equal(code, 0, `${line}: ${await output}`);
        }
      }
    } finally {
      for (const child of background) child.kill("SIGTERM");
      for (const child of background) await child.status;
    }
  });
}

/** The lines of a tested block without comments, at ports of the loopback that are free. */
function linesOf(name: string): string[] {
  const [udp, tcp] = freePorts(2);
  return tested(name).trim().split("\n").map((line) =>
    line.replace(/ *#.*$/, "").replaceAll("8443", `${udp}`).replaceAll("8080", `${tcp}`)
      .replace("--listen :", "--listen 127.0.0.1:")
  );
}

Deno.test("README: the way to one's own backend works, line by line", async () => {
  const lines = linesOf("own backend");
  assert.equal(lines.length, 4);
  await runLines(lines);
});

Deno.test("README: connect talks to an echo, line by line", async () => {
  const lines = linesOf("connect");
  assert.equal(lines.length, 3);
  await runLines(lines);
});

function hasCurl(): boolean {
  try {
    return new Deno.Command("curl", { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

Deno.test("README: the way to client certificates works, line by line, and only with one", {
  ignore: !hasCurl(),
}, async () => {
  const lines = linesOf("client certificates");
  assert.equal(lines.length, 3);
  await runLines(lines);
  const without = lines.with(2, lines[2].replace("--cert client.pem --key client-key.pem ", ""));
  await assert.rejects(runLines(without), /curl.*: /);
});

Deno.test("README: the library's program runs, in a project of its own", async () => {
  const pair = await makeCertificates({ hosts: ["localhost"], days: 1 });
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  try {
    await withFolder(async (folder) => {
      const config = tested("library config").replace('"../h3ws"', JSON.stringify(ROOT));
      await Deno.writeTextFile(`${folder}/deno.json`, config);
      const program = tested("library").replace("8080", `${echo.port}`);
      await Deno.writeTextFile(`${folder}/program.ts`, program);
      await Deno.writeTextFile(`${folder}/ca.pem`, pair.caPem);
      await Deno.writeTextFile(`${folder}/cert.pem`, pair.certPem);
      await Deno.writeTextFile(`${folder}/key.pem`, pair.keyPem);
      const { code, stdout, stderr } = await run(
        Deno.execPath(),
        ["run", "--check", "-A", "program.ts"],
        { cwd: folder, env: { NO_COLOR: "1" }, signal: AbortSignal.timeout(PATIENCE_MS) },
      );
      assert.equal(code, 0, stderr);
      const closed = `{ code: 1000, reason: "bye", wasClean: true, by: "us" }`;
      assert.equal(stdout, `hello\n${closed}\ntrue\n`);
    });
  } finally {
    await echo.close();
  }
});

/** The rows of the table of log events: event, level and fields. */
function logRows(): Map<string, { level: string; fields: string[] }> {
  const rows = readme.matchAll(/^\| `([a-z_.]+)` +\| (debug|info|warning|error) +\| (.*) \|$/gm);
  return new Map(
    [...rows].map(([, event, level, fields]) => {
      return [event, { level, fields: [...fields.matchAll(/`(\w+)`/g)].map(([, name]) => name) }];
    }),
  );
}

Deno.test("README: the log's events and fields are those that the observer writes", () => {
  const records: LogRecord[] = [];
  const log = createLog((record) => records.push(record), { level: "debug" });
  const observer = createObserver({ registry: new Registry(), log });
  observer.sessionOpened(sessionStart());
  observer.sessionClosed(sessionEnd());
  observer.rejected("path", 404, "/x", "127.0.0.1:1");
  observer.failed("session", "x", "127.0.0.1:1");
  observer.connectionOpened("3");
  observer.connectionClosed("3", { code: 0, reason: "", byPeer: true, durationMs: 1 });
  observer.prerequestClose("no_h3_stream_activity");
  observer.bug("x", new Error("y"));
  const rows = logRows();
  for (const { rawMessage, level, properties } of records) {
    const fields = Object.keys(properties);
    assert.deepEqual(rows.get(String(rawMessage)), { level, fields }, String(rawMessage));
  }
  assert.equal(new Set(records.map(({ rawMessage }) => rawMessage)).size, 8);
});

Deno.test("README: no event of the log is left out, and none invented", async () => {
  const found = new Map<string, string>();
  for (const folder of ["observe", "cli", "proxy", "ingress", "net", "client"]) {
    for (const { name } of Deno.readDirSync(`${ROOT}src/${folder}`)) {
      const source = await Deno.readTextFile(`${ROOT}src/${folder}/${name}`);
      const calls = source.matchAll(
        /(?:log\.(debug|info|warning|error)|record)\(\s*(?:"(warning)", )?"([a-z_.]+)"/g,
      );
      for (const [, level, other, event] of calls) found.set(event, level ?? other);
    }
  }
  const rows = new Map([...logRows()].map(([event, { level }]) => [event, level]));
  assert.deepEqual(new Map([...found].sort()), new Map([...rows].sort()));
});

Deno.test("README: its links lead somewhere, and no path of one machine is in it", async () => {
  for (const [, target] of readme.matchAll(/\]\(([^)]+)\)/g)) {
    if (target.startsWith("#")) {
      assert.match(readme, new RegExp(`^#+ ${target.slice(1)}$`, "im"), target);
    } else {
      await Deno.stat(`${ROOT}${target}`);
    }
  }
  for (const file of ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"]) {
    const text = await Deno.readTextFile(`${ROOT}${file}`);
    assert.doesNotMatch(text, /\/(?:work|root|home|tmp|Users)\//, file);
    assert.ok(!text.includes(ROOT), file);
  }
});

Deno.test("README: its tasks are in deno.json", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  for (const file of ["README.md", "CONTRIBUTING.md"]) {
    const text = await Deno.readTextFile(`${ROOT}${file}`);
    for (const [, name] of text.matchAll(/\bdeno(?:@[\d.]+)? task ([a-z:]+)/g)) {
      assert.ok(name in tasks, `${file}: ${name}`);
    }
  }
});
