// What README.md says is so: its tables are those of the source, its commands are known.
import assert from "node:assert/strict";
import { render } from "../../scripts/readme.ts";
import { ROOT } from "../../scripts/project.ts";
import type { Command } from "../../src/cli/command.ts";
import { loadCommands } from "../../src/cli/main.ts";
import { normalizeArgs } from "../../src/cli/normalize.ts";
import { readFlags } from "../../src/config/flags.ts";
import { createLog, type LogRecord, silentLog } from "../../src/observe/log.ts";
import { createObserver } from "../../src/observe/observer.ts";
import { Registry } from "../../src/observe/registry.ts";
import { TestIo, withFolder } from "../cli/support.ts";
import { sessionEnd, sessionStart } from "../observe/sessions.ts";

const COMMANDS = await loadCommands();
const readme = await Deno.readTextFile(`${ROOT}README.md`);

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

Deno.test("README: h3ws check finds its configuration files right", async () => {
  const samples = [...readme.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, text]) => text);
  assert.equal(samples.length, 4);
  for (const sample of samples) {
    await withFolder(async (folder) => {
      const file = `${folder}/h3ws.yaml`;
      await Deno.writeTextFile(file, sample);
      const io = new TestIo();
      const check = COMMANDS.find(({ name }) => name === "check")!;
      const code = await check.run({ file, files: "off" }, io);
      assert.deepEqual([code, io.stderr], [0, ""]);
    });
  }
});

Deno.test("README: the fields of /stats are those that it has", () => {
  const observer = createObserver({ registry: new Registry(), log: silentLog });
  const [, table] = /`\/stats` has these:\n\n([^]*?)\n\n/.exec(readme)!;
  const fields = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
  assert.deepEqual(fields, Object.keys(observer.stats()));
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
  observer.rejected({
    reason: "path",
    status: 404,
    path: "/x",
    client: "127.0.0.1:1",
    message: "not here",
  });
  observer.failed("session", "x", "127.0.0.1:1");
  observer.connectionOpened("3");
  observer.connectionClosed("3", { code: 0, reason: "", byPeer: true, durationMs: 1 });
  observer.prerequestClose("no_h3_stream_activity");
  observer.handshakeFailed({ kind: "tls", message: "no TLS", remote: "127.0.0.1:1" });
  observer.bug("x", new Error("y"));
  const rows = logRows();
  for (const { rawMessage, level, properties } of records) {
    const fields = Object.keys(properties);
    assert.deepEqual(rows.get(String(rawMessage)), { level, fields }, String(rawMessage));
  }
  assert.equal(new Set(records.map(({ rawMessage }) => rawMessage)).size, 9);
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
      assert.match(
        readme,
        new RegExp(`^#+ ${target.slice(1).replaceAll("-", "[ -]")}$`, "im"),
        target,
      );
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
