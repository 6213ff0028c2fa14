import { Command as Parser, CommanderError, Option } from "commander";
import { misspeltVariables, variablesLikeOurs } from "../config/environment.ts";
import { UsageError } from "../config/error.ts";
import { ConfigFileError } from "../config/file_fault.ts";
import type { Flag, FlagValues } from "../config/flags.ts";
import { addValue, shownValue } from "../config/kinds.ts";
import {
  type Command,
  CommandError,
  ExitCode,
  type LazyCommand,
  type Listed,
  type Note,
} from "./command.ts";
import type { Configured } from "./configured.ts";
import { type Io, processIo } from "./io.ts";
import { LISTED } from "./listed.ts";
import { isSwitch, normalizeArgs } from "./normalize.ts";
import { VERSION } from "./version.ts";

/** What the command line starts. */
export interface Handlers {
  /** `h3ws proxy`: serves until the process is asked to end; returns the exit code. */
  readonly proxy?: (configured: Configured, io: Io) => Promise<number>;
  /** Further commands. */
  readonly commands?: readonly (Command | LazyCommand)[];
}

/**
 * Runs one command line, without the program's name, and returns the exit code: 0 for fine, 1 for
 * failed, 2 for a wrong command line, variable or configuration file. What is wrong is told in one line on stderr; nothing is
 * thrown.
 */
export async function run(
  args: readonly string[],
  handlers: Handlers = {},
  io: Io = processIo(),
): Promise<number> {
  try {
    return await dispatch(args, lazyCommands(handlers), io);
  } catch (error) {
    io.err(`h3ws: ${explain(error)}\n`);
    return isUsage(error) ? ExitCode.USAGE : ExitCode.FAILED;
  }
}

/** Whether it is about what was said, not about what is there. */
function isUsage(error: unknown): boolean {
  return error instanceof UsageError || error instanceof ConfigFileError ||
    error instanceof CommanderError;
}

function explain(error: unknown): string {
  if (error instanceof CommanderError) return explainCommander(error);
  if (!(error instanceof Error)) return String(error);
  // Of a bug of ours, where it is matters more than one line.
  if (isBug(error)) return error.stack ?? error.message;
  return error.message.replaceAll(/\s*\n\s*/g, " ");
}

function isBug(error: Error): boolean {
  return error instanceof TypeError || error instanceof RangeError ||
    error instanceof ReferenceError || error instanceof SyntaxError;
}

// "error: unknown option '--lisen'\n(Did you mean --listen?)"
function explainCommander({ message }: CommanderError): string {
  const [fault, hint = "allowed: what --help tells"] = message.split("\n");
  return fault.replace(/^error: unknown option '(.*)'$/, "$1: is not known") +
    `; ${hint.replace(/^\(Did you mean (.*)\?\)$/, "did you mean $1?")}`;
}

/** All commands in the order of the help. */
export function lazyCommands({ proxy = notThere, commands = [] }: Handlers): LazyCommand[] {
  return [
    { ...LISTED.proxy, load: async () => (await import("./proxy.ts")).proxyCommand(proxy) },
    { ...LISTED.echo, load: async () => (await import("./echo.ts")).echoCommand },
    ...commands.map((command) =>
      "load" in command ? command : { ...command, load: () => Promise.resolve(command) }
    ),
    { ...LISTED.certs, load: async () => (await import("./certs.ts")).certsCommand },
    { ...LISTED.check, load: async () => (await import("./check.ts")).checkCommand },
    { ...LISTED.schema, load: async () => (await import("./schema.ts")).schemaCommand },
  ];
}

function notThere(): Promise<number> {
  throw new CommandError("proxy: not in this build");
}

const HELP_OR_VERSION = /^(?:-h|-V|--?help|--?version)$/;

async function dispatch(
  args: readonly string[],
  commands: readonly LazyCommand[],
  io: Io,
): Promise<number> {
  let code: number = ExitCode.OK;
  const { line, command } = await readLine(args, commands);
  const parser = makeParser(
    command === null ? commands : [command],
    io,
    async (command, values) => {
      for (const line of await misspelt(command, commands, io)) io.err(`h3ws: ${line}\n`);
      code = await command.run(values, io);
    },
  );
  try {
    await parser.parseAsync(line, { from: "user" });
  } catch (error) {
    // --help and --version end the same way as an error does.
    if (!(error instanceof CommanderError) || error.exitCode !== 0) throw error;
  }
  return code;
}

/** A variable may be meant for another command than the one at hand. */
async function misspelt(
  command: Command,
  commands: readonly LazyCommand[],
  { env }: Io,
): Promise<string[]> {
  const own = variablesOf([command]);
  if (variablesLikeOurs(env).every((name) => own.includes(name))) return [];
  return misspeltVariables(env, variablesOf(await Promise.all(commands.map((one) => one.load()))));
}

function variablesOf(commands: readonly Command[]): string[] {
  const flags = commands.flatMap((command) => Object.values(command.flags));
  return flags.flatMap(({ env }) => env ?? []);
}

/**
 * The command line with the command's name first and the flags in one form, and the command that it
 * is about; `null` for all of them.
 */
async function readLine(
  args: readonly string[],
  commands: readonly LazyCommand[],
): Promise<{ line: string[]; command: Command | null }> {
  const [first = "", ...rest] = args;
  if (HELP_OR_VERSION.test(first)) {
    return { line: [first.replace(/^-(?=\w{2})/, "--")], command: null };
  }
  const name = first === "" || first.startsWith("-") ? "proxy" : first;
  if (name === "help") {
    const [topic] = rest.map((topic) => commandNamed(topic, commands));
    return { line: [name, ...rest.slice(0, 1)], command: await topic?.load() ?? null };
  }
  const command = await commandNamed(name, commands).load();
  return { line: [name, ...normalizeArgs(name === first ? rest : args, command)], command };
}

/** Throws `UsageError` if there is none. */
function commandNamed(name: string, commands: readonly LazyCommand[]): LazyCommand {
  const command = commands.find((command) => command.name === name);
  if (command !== undefined) return command;
  const allowed = [...commands.map((command) => command.name), "help"].join(", ");
  throw new UsageError({ key: "command", value: name, problem: "is not known", allowed });
}

type Start = (command: Command, values: FlagValues) => Promise<void>;

/** Of those that are listed alone, the help tells no more. */
function makeParser(commands: readonly (Command | Listed)[], io: Io, start: Start): Parser {
  const parser = new Parser("h3ws")
    .description("WebSockets over HTTP/3, HTTP/2 and HTTP/1.1 in, ws:// and wss:// out.")
    .usage("[command] [flags]")
    .exitOverride()
    .helpCommand("help [command]", "tell the flags of a command")
    .configureOutput({
      writeOut: io.out,
      // What is wrong is thrown, and told in one place.
      writeErr: () => {},
      getOutHelpWidth: () => io.columns,
    })
    .configureHelp({
      optionTerm: (option) => option.flags.replace(" <switch>", ""),
      subcommandTerm: (command) => command.name(),
      styleTitle: (title) => title.replace("Options:", "Flags:"),
    });
  withVersion(parser);
  for (const command of commands) {
    if ("flags" in command) addCommand(parser, command, { columns: io.columns, start });
    else parser.command(command.name).summary(command.summary);
  }
  const examples = commands.flatMap((command) => command.examples.slice(0, 1));
  return parser.addHelpText(
    "after",
    `\n${section("Examples", examples)}\nh3ws <command> --help tells the flags of a command.`,
  );
}

interface Adding {
  readonly columns: number;
  readonly start: Start;
}

function addCommand(parser: Parser, command: Command, { columns, start }: Adding): void {
  const flags = Object.values(command.flags);
  const sub = parser.command(command.name)
    .summary(command.summary)
    .description(`${command.summary[0].toUpperCase()}${command.summary.slice(1)}.`)
    .usage(command.positional === undefined ? "[flags]" : `[flags] [${command.positional}]`)
    .allowExcessArguments(false);
  withVersion(sub);
  const options = flags.map((flag) => ({ flag, option: toOption(flag) }));
  for (const { option } of options) sub.addOption(option);
  sub.action(async (given: Record<string, string | undefined>) => {
    await start(
      command,
      Object.fromEntries(
        options.map(({ flag, option }) => [flag.name, given[option.attributeName()]]),
      ),
    );
  });
  const env = flags.find((flag) => flag.env !== null);
  const note = env === undefined ? "" : "\nEach flag can also stand in the environment, " +
    `--${env.name} as ${env.env}; the flag goes first.`;
  sub.addHelpText("after", () => {
    const tables = (command.notes ?? []).map((one) => `\n${table(one, sub, columns)}`).join("");
    return `${tables}\n${section("Examples", command.examples)}${note}`;
  });
}

/** As commander tells of flags. */
function table({ title, rows }: Note, parser: Parser, columns: number): string {
  const help = parser.createHelp();
  help.prepareContext({ helpWidth: columns });
  const width = Math.max(...rows.map(([term]) => term.length));
  const lines = rows.map(([term, meaning]) => help.formatItem(term, width, meaning, help));
  return `${title}:\n${lines.map((line) => `${line}\n`).join("")}`;
}

function withVersion(parser: Parser): void {
  parser.version(`h3ws ${VERSION}`, "-V, --version", "tell the version")
    .helpOption("-h, --help", "tell this");
}

function section(title: string, lines: readonly string[]): string {
  return `${title}:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

// After `normalizeArgs` each flag has a value, a switch as well.
function toOption(flag: Flag<unknown>): Option {
  const about = isSwitch(flag) || flag.default === ""
    ? flag.meaning
    : `${flag.meaning} (default ${flag.default})`;
  const short = flag.short === undefined ? "" : `-${flag.short}, `;
  const option = new Option(
    `${short}--${flag.name} <${shownValue(flag.kind) || "switch"}>`,
    about,
  );
  // Commander takes --no-check for the contrary of a --check.
  option.negate = false;
  return flag.kind.isMany ? option.argParser(addValue) : option;
}
