import { Command as Parser, CommanderError, Option } from "commander";
import { misspeltVariables } from "../config/environment.ts";
import { UsageError } from "../config/error.ts";
import { ConfigFileError } from "../config/file_fault.ts";
import type { Flag, FlagValues } from "../config/flags.ts";
import { addValue, shownValue } from "../config/kinds.ts";
import { proxyFlags } from "../config/proxy.ts";
import { configure, type Configured } from "./configured.ts";
import { certsCommand } from "./certs.ts";
import { checkCommand } from "./check.ts";
import { type Command, CommandError, ExitCode, type Note } from "./command.ts";
import { echoCommand } from "./echo.ts";
import { type Io, processIo } from "./io.ts";
import { isSwitch, normalizeArgs } from "./normalize.ts";
import { schemaCommand } from "./schema.ts";
import { VERSION } from "./version.ts";

/** What the command line starts. */
export interface Handlers {
  /** `h3ws proxy`: serves until the process is asked to end; returns the exit code. */
  readonly proxy?: (configured: Configured, io: Io) => Promise<number>;
  /** Further commands. */
  readonly commands?: readonly Command[];
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
    return await dispatch(args, commandsOf(handlers), io);
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
export function commandsOf({ proxy, commands = [] }: Handlers): Command[] {
  const proxyCommand: Command = {
    name: "proxy",
    summary:
      "take WebSockets over HTTP/3, HTTP/2 and HTTP/1.1 to a ws:// or wss:// backend (also without its name)",
    flags: proxyFlags,
    examples: [
      "h3ws proxy --cert cert.pem --key key.pem --backend ws://127.0.0.1:8080",
      "h3ws --plain-listen :8080 --requests --path '^/' --backend ws://127.0.0.1:3000",
      "h3ws proxy --config h3ws.yaml",
      "h3ws --listen :8443 --path '^/rooms/[^/]+$' --backend wss://chat.example/ws",
    ],
    async run(values, io) {
      const configured = await configure(values, io.env);
      if (proxy === undefined) throw new CommandError("proxy: not in this build");
      return await proxy(configured, io);
    },
  };
  return [proxyCommand, echoCommand, ...commands, certsCommand, checkCommand, schemaCommand];
}

const HELP_OR_VERSION = /^(?:-h|-V|--?help|--?version)$/;

async function dispatch(
  args: readonly string[],
  commands: readonly Command[],
  io: Io,
): Promise<number> {
  let code: number = ExitCode.OK;
  const parser = makeParser(commands, io, async (command, values) => {
    for (const line of misspeltVariables(io.env, variablesOf(commands))) io.err(`h3ws: ${line}\n`);
    code = await command.run(values, io);
  });
  try {
    await parser.parseAsync(commanderLine(args, commands), { from: "user" });
  } catch (error) {
    // --help and --version end the same way as an error does.
    if (!(error instanceof CommanderError) || error.exitCode !== 0) throw error;
  }
  return code;
}

/** A variable may be meant for another command than the one at hand. */
function variablesOf(commands: readonly Command[]): string[] {
  const flags = commands.flatMap((command) => Object.values(command.flags));
  return flags.flatMap(({ env }) => env ?? []);
}

/** The command line with the command's name first and the flags in one form. */
function commanderLine(args: readonly string[], commands: readonly Command[]): string[] {
  const [first = "", ...rest] = args;
  if (HELP_OR_VERSION.test(first)) return [first.replace(/^-(?=\w{2})/, "--")];
  const name = first === "" || first.startsWith("-") ? "proxy" : first;
  if (name === "help") {
    for (const topic of rest) commandNamed(topic, commands);
    return [name, ...rest.slice(0, 1)];
  }
  const command = commandNamed(name, commands);
  return [name, ...normalizeArgs(name === first ? rest : args, command)];
}

/** Throws `UsageError` if there is none. */
function commandNamed(name: string, commands: readonly Command[]): Command {
  const command = commands.find((command) => command.name === name);
  if (command !== undefined) return command;
  const allowed = [...commands.map((command) => command.name), "help"].join(", ");
  throw new UsageError({ key: "command", value: name, problem: "is not known", allowed });
}

type Start = (command: Command, values: FlagValues) => Promise<void>;

function makeParser(commands: readonly Command[], io: Io, start: Start): Parser {
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
  for (const command of commands) addCommand(parser, command, { columns: io.columns, start });
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
