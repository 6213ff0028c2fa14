import { UsageError, ValueError } from "./error.ts";
import { type Kind, shownValue } from "./kinds.ts";

/** One flag of a command. All that is said about it anywhere comes from here. */
export interface Flag<T> {
  /** Without dashes: `max-frame`. */
  readonly name: string;
  /** One character: `-s` says the same as `--subprotocol`. */
  readonly short?: string;
  /** The variable that it can stand in, or `null`. */
  readonly env: string | null;
  /** As it would be written. */
  readonly default: string;
  readonly kind: Kind<T>;
  /** For the help and the README: no full stop, no markup. */
  readonly meaning: string;
}

/** A command's flags by the name that each has in its config. */
export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

/** What a table's flags give. */
export type ConfigOf<T extends FlagTable> = {
  -readonly [K in keyof T]: T[K] extends Flag<infer Value> ? Value : never;
};

/** What was given on the command line, by flag name without dashes. A switch's is `true`. */
export type FlagValues = Readonly<Record<string, string | undefined>>;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a flag's value comes from: the later one goes first. */
export type Source = "default" | "env" | "flag";

/** The variable of a flag: `max-frame` is `H3WS_MAX_FRAME`. */
export function envName(flagName: string): string {
  return `H3WS_${flagName.toUpperCase().replaceAll("-", "_")}`;
}

/** A flag that can also stand in the environment. */
export function envFlag<T>(spec: Omit<Flag<T>, "env">): Flag<T> {
  return { ...spec, env: envName(spec.name) };
}

/** A flag for the command line alone. */
export function plainFlag<T>(spec: Omit<Flag<T>, "env">): Flag<T> {
  return { ...spec, env: null };
}

/** What is set, and where: a flag goes before the environment, and that before the default. */
export function givenFor<T>(
  flag: Flag<T>,
  values: FlagValues,
  env: Environment,
): { source: Source; key: string; text: string } {
  const text = values[flag.name];
  const key = `--${flag.name}`;
  if (text !== undefined) return { source: "flag", key, text };
  const fromEnv = flag.env === null ? undefined : env[flag.env];
  if (fromEnv !== undefined && (fromEnv !== "" || flag.kind.takesEmpty)) {
    return { source: "env", key: flag.env!, text: fromEnv };
  }
  return { source: "default", key, text: flag.default };
}

/** Whether a flag has a value of the user's, and not its default. */
export function isGiven(flag: Flag<unknown>, values: FlagValues, env: Environment): boolean {
  return givenFor(flag, values, env).source !== "default";
}

/** The value of one flag. Throws `UsageError`, which names the flag or the variable. */
export function readFlag<T>(flag: Flag<T>, values: FlagValues, env: Environment): T {
  const { key, text } = givenFor(flag, values, env);
  try {
    return flag.kind.parse(text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    const { value = text, problem, allowed } = error;
    throw new UsageError({ key, value, problem, allowed });
  }
}

/** The values of all flags of a table. Throws `UsageError` for the first that can't be used. */
export function readFlags<T extends FlagTable>(
  table: T,
  values: FlagValues,
  env: Environment = {},
): ConfigOf<T> {
  const config: Record<string, unknown> = {};
  for (const [field, flag] of Object.entries(table)) config[field] = readFlag(flag, values, env);
  return config as ConfigOf<T>;
}

/** A table's flags as a table in Markdown, for the README. */
export function flagTableMarkdown(table: FlagTable): string {
  const rows = Object.values(table).map(({ name, short, kind, env, default: text, meaning }) => {
    const value = shownValue(kind);
    const flag = value === "" ? `--${name}` : `--${name} <${value}>`;
    const flags = short === undefined ? code(flag) : `${code(`-${short}`)}, ${code(flag)}`;
    const shown = value === "" || text === "" ? "" : code(text);
    return [flags, ...(env === null ? [] : [code(env)]), shown, cell(meaning)];
  });
  const withEnv = Object.values(table).some(({ env }) => env !== null);
  const head = ["flag", ...(withEnv ? ["environment"] : []), "default", "meaning"];
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |\n`).join("");
}

function code(text: string): string {
  return "`" + cell(text) + "`";
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
