// Each shell is run with its script and asked what it would complete.
import assert from "node:assert/strict";
import { lazyCommands, run } from "../../src/cli/args.ts";
import { completionsCommand } from "../../src/cli/completions.ts";
import { loadCommands } from "../../src/cli/main.ts";
import { hasTerminals, OnTerminal } from "../support/terminal.ts";
import { TestIo, withFolder } from "./support.ts";

async function scriptOf(shell: string): Promise<string> {
  const io = new TestIo();
  assert.equal(
    await run(["completions", shell], { commands: [completionsCommand(loadCommands)] }, io),
    0,
    io.stderr,
  );
  return io.stdout;
}

/** Whether a shell is there. */
function has(shell: string): boolean {
  try {
    return new Deno.Command(shell, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

/** Declares a test that is skipped where its shell is not there, and says so. */
function shellTest(shell: string, name: string, body: () => Promise<void>, needs = true): void {
  const missing = !has(shell) ? `no ${shell}` : needs ? null : "no Python with terminals";
  const why = missing === null ? "" : ` (skipped: ${missing})`;
  Deno.test(`completions ${shell}: ${name}${why}`, { ignore: missing !== null }, body);
}

async function output(command: string, args: string[], cwd?: string): Promise<string> {
  const env = { HOME: cwd ?? "/nonexistent" };
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd, env }).output();
  const told = new TextDecoder().decode(stderr);
  assert.ok(success, told);
  assert.equal(told, "");
  return new TextDecoder().decode(stdout);
}

const COMMANDS = await loadCommands();
const commands = COMMANDS.map(({ name }) => name);

const ROWS: [line: string, want: string[]][] = [
  ["h3ws ", [...commands, "help"]],
  ["h3ws c", ["certs", "check", "completions", "connect"]],
  ["h3ws --log-l", ["--log-level"]],
  ["h3ws proxy --log-l", ["--log-level"]],
  ["h3ws connect --http", ["--http1.1", "--http2", "--http3"]],
  ["h3ws connect --no", ["--no-check", "--no-color"]],
  ["h3ws bench --http ", ["1.1", "2", "3", "auto"]],
  ["h3ws proxy --log-level d", ["debug"]],
  ["h3ws --log-level d", ["debug"]],
  ["h3ws completions ", ["bash", "fish", "zsh"]],
  ["h3ws completions f", ["fish"]],
  ["h3ws help ser", []],
  ["h3ws help sch", ["schema"]],
  ["h3ws bench --ca a-fi", ["a-file.pem"]],
  ["h3ws check a-fi", ["a-file.pem"]],
  ["h3ws certs --dir a-", ["a-folder"]],
  ["h3ws connect -s ", []],
];

/** Asks for each row what `complete` says, in a folder with a file and a folder. */
async function askAll(
  shell: string,
  complete: (script: string, line: string, folder: string) => Promise<string>,
): Promise<void> {
  await withFolder(async (folder) => {
    const script = `${folder}/script`;
    await Deno.writeTextFile(script, await scriptOf(shell));
    await Deno.writeTextFile(`${folder}/a-file.pem`, "");
    await Deno.mkdir(`${folder}/a-folder`);
    for (const [line, want] of ROWS) {
      const lines = (await complete(script, line, folder)).split("\n");
      const got = lines.filter((one) => one !== "").map((one) => one.replace(/\/?(?:\t.*)?$/, ""));
      assert.deepEqual([...new Set(got)].sort(), [...want].sort(), line);
    }
  });
}

shellTest("bash", "what can be said next, by compgen", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/script`, await scriptOf("bash"));
    await output("bash", ["-n", `${folder}/script`]);
  });
  await askAll("bash", (script, line, folder) => {
    const words = line.split(" ");
    const ask = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _h3ws; ` +
      `printf '%s\\n' "\${COMPREPLY[@]}"`;
    return output("bash", ["--norc", "-c", ask, "bash", script, ...words], folder);
  });
});

shellTest("bash", "a value behind = is the flag's", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/script`, await scriptOf("bash"));
    for (const [words, want] of [[["="], "auto\ntext\njson\n"], [["=", "j"], "json\n"]] as const) {
      const ask = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _h3ws; ` +
        `printf '%s\\n' "\${COMPREPLY[@]}"`;
      const line = ["h3ws", "proxy", "--log-format", ...words];
      const args = ["--norc", "-c", ask, "bash", `${folder}/script`, ...line];
      assert.equal(await output("bash", args), want);
    }
  });
});

shellTest(
  "fish",
  "what can be said next, by complete -C",
  () =>
    askAll("fish", (script, line, folder) =>
      output(
        "fish",
        ["-N", "-c", `source ${script}; complete -C ${JSON.stringify(line)}`],
        folder,
      )),
);

shellTest("zsh", "what can be said next, by Tab", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/script`, await scriptOf("zsh"));
    await output("zsh", ["-n", `${folder}/script`]);
    await Deno.writeTextFile(`${folder}/a-file.pem`, "");
    await using terminal = OnTerminal.run(["zsh", "-f", "-i"], { HOME: folder, PS1: "% " });
    await terminal.type(`cd ${folder}; autoload -U compinit; compinit -D -u; source ./script\r`);
    await terminal.type("bindkey -e; unsetopt beep; print rea''dy\r");
    await terminal.shows("ready");
    const unique: [typed: string, want: string][] = [
      ["h3ws compl\tf\t", "h3ws completions fish"],
      ["h3ws proxy --log-le\td\t", "h3ws proxy --log-level debug"],
      ["h3ws --log-le\td\t", "h3ws --log-level debug"],
      ["h3ws connect --no-ch\t--ca a-\t", "h3ws connect --no-check --ca a-file.pem"],
      ["h3ws help sch\t", "h3ws help schema"],
    ];
    for (const [typed, want] of unique) {
      await terminal.type(`${typed}\x01print -r -- '[\x05]'\r`);
      // zsh takes its blank away again where nothing follows.
      await terminal.shows(new RegExp(`\\n\\[${want.replaceAll(".", "\\.")} ?\\]`));
    }
  });
}, hasTerminals());

/** What the help of a command says that may be written: each flag, with its words if it takes some. */
async function helpOf(name: string): Promise<Map<string, string[] | null>> {
  const io = new TestIo();
  const own = new Set(lazyCommands({}).map(({ name }) => name));
  const handlers = { commands: COMMANDS.filter(({ name }) => !own.has(name)) };
  assert.equal(await run([name, "--help"], handlers, io), 0, io.stderr);
  const rows = io.stdout.matchAll(/^ {2}(?:(-\S), )?--([a-z][\w.-]*)(?: <([^>]+)>)? /gm);
  const flags = new Map<string, string[] | null>();
  for (const [, short, long, value] of rows) {
    const words = value?.includes("|") ? value.split("|") : null;
    flags.set(`--${long}`, words);
    if (short !== undefined) flags.set(short, words);
  }
  assert.ok(flags.has("-h") && flags.has("--version"), name);
  return flags;
}

interface Ask {
  words: string[];
  want: string[];
}

/** Each flag of each command, and each value that the help names. */
async function allAsks(): Promise<Ask[]> {
  const asks: Ask[] = [];
  for (const name of commands) {
    const flags = await helpOf(name);
    asks.push({ words: [name, "-"], want: [...flags.keys()] });
    for (const [flag, words] of flags) {
      // What stands for any text (<off|url>) is no word.
      const said = words?.filter((word) => !NOUNS.has(word));
      if (said !== undefined) asks.push({ words: [name, flag, ""], want: said });
    }
  }
  assert.ok(asks.length > commands.length + 10);
  return asks;
}

const NOUNS = new Set(["address", "url", "port"]);

function checkAsks(asks: readonly Ask[], answers: string): void {
  const lines = answers.split("\n").slice(0, -1);
  assert.equal(lines.length, asks.length);
  asks.forEach(({ words, want }, i) => {
    const got = lines[i].split(" ").filter((word) => word !== "");
    assert.deepEqual(got.sort(), [...want].sort(), words.join(" "));
  });
}

shellTest("bash", "every flag and word that the help of each command names", async () => {
  const asks = await allAsks();
  const script = asks.map(({ words }) =>
    `COMP_WORDS=(h3ws ${
      words.map((word) => `'${word}'`).join(" ")
    }); COMP_CWORD=${words.length}; ` +
    'COMPREPLY=(); _h3ws; echo "${COMPREPLY[@]}"'
  );
  const args = ["--norc", "-c", `${await scriptOf("bash")}\n${script.join("\n")}`];
  checkAsks(asks, await output("bash", args));
});

shellTest("fish", "every flag and word that the help of each command names", async () => {
  const asks = await allAsks();
  const script = asks.map(({ words }) =>
    `echo (complete -C 'h3ws ${words.join(" ")}' | string replace -r '\\t.*' '')`
  );
  checkAsks(
    asks,
    await output("fish", ["-N", "-c", `${await scriptOf("fish")}\n${script.join("\n")}`]),
  );
});

Deno.test("completions zsh: every flag and word that the help of each command names", async () => {
  const script = await scriptOf("zsh");
  for (const name of commands) {
    const flags = await helpOf(name);
    const block = new RegExp(`^    ${name}\\)\\n([^]*?);;$`, "m").exec(script)?.[1];
    assert.ok(block !== undefined, name);
    const got = [...block.matchAll(/'(?:\([^)]*\))?\*?(-[\w.-]+)\[|(?<=[{,])(-[\w.-]+)(?=[,}])/g)];
    assert.deepEqual(
      new Set(got.map(([, one, other]) => one ?? other)),
      new Set(flags.keys()),
      name,
    );
  }
});

Deno.test("completions: a shell that is not known is told, exit code 2", async () => {
  const io = new TestIo();
  assert.equal(
    await run(["completions", "tcsh"], { commands: [completionsCommand(loadCommands)] }, io),
    2,
  );
  assert.equal(io.stderr, 'h3ws: --shell: "tcsh" is not known; allowed: bash, zsh, fish\n');
});
