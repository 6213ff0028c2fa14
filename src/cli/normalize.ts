import { UsageError } from "../config/error.ts";
import type { Flag } from "../config/flags.ts";
import type { Command } from "./command.ts";

const LONG_FLAG = /^--?([a-z][\w-]+)(?:=([^]*))?$/i;
const SHORT_FLAG = /^-[a-z]$/i;

/**
 * Brings a command's arguments into one form, `--name=value`, so that there is one way to read
 * them: a Go program's `-listen :443` and `-debug=false`, and switches without a value.
 * Throws `UsageError` when a flag's value is missing, and for what is no flag.
 */
export function normalizeArgs(args: readonly string[], command: Command): string[] {
  const flags = new Map(Object.values(command.flags).map((flag) => [flag.name, flag]));
  const normal: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const match = LONG_FLAG.exec(args[i]);
    if (match === null) {
      if (!SHORT_FLAG.test(args[i])) throw notAFlag(args[i], command);
      normal.push(args[i]);
      continue;
    }
    const [, name, value] = match;
    const flag = flags.get(name);
    // Help, version, or a mistake: none has a value, and what comes behind does not matter.
    if (flag === undefined) return [...normal, `--${name}`];
    if (value !== undefined) normal.push(`--${name}=${value}`);
    else if (isSwitch(flag)) normal.push(`--${name}=true`);
    else normal.push(`--${name}=${args[++i] ?? missing(flag)}`);
  }
  return normal;
}

/** Whether the flag stands alone, without a value. */
export function isSwitch(flag: Flag<unknown>): boolean {
  return flag.kind.placeholder === "";
}

function notAFlag(value: string, { name }: Command): UsageError {
  const allowed = `flags alone, see h3ws ${name} --help`;
  return new UsageError({ key: name, value, problem: "is not a flag", allowed });
}

function missing(flag: Flag<unknown>): never {
  throw new UsageError({
    key: `--${flag.name}`,
    value: null,
    problem: "has no value",
    allowed: flag.kind.allowed,
  });
}
