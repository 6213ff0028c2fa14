import { UsageError } from "../config/error.ts";
import type { Flag } from "../config/flags.ts";
import type { Command } from "./command.ts";

const LONG_FLAG = /^--?([a-z][\w.-]+)(?:=([^]*))?$/i;
const SHORT_FLAG = /^-([a-z0-9])(?:=([^]*))?$/i;

/**
 * Brings a command's arguments into one form, `--name=value`, so that there is one way to read
 * them: a Go program's `-listen :443` and `-debug=false`, flags of one character, switches without
 * a value, and the one value that may stand without its flag.
 * Throws `UsageError` when a flag's value is missing, and for what is no flag.
 */
export function normalizeArgs(args: readonly string[], command: Command): string[] {
  const all = Object.values(command.flags);
  const flags = new Map(all.map((flag) => [flag.name, flag]));
  const normal: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [, short, ofShort] = SHORT_FLAG.exec(args[i]) ?? [];
    const known = short && all.find((flag) => flag.short === short);
    const match = known ? ["", known.name, ofShort] : LONG_FLAG.exec(args[i]);
    if (match === null) {
      normal.push(short ? `-${short}` : alone(args[i], normal, command));
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

/** What stands alone is the value of the command's positional flag, if that has none yet. */
function alone(value: string, before: readonly string[], command: Command): string {
  const { name, positional } = command;
  const flag = `--${positional}=`;
  if (positional === undefined || /^-/.test(value)) {
    const allowed = `flags alone, see h3ws ${name} --help`;
    throw new UsageError({ key: name, value, problem: "is not a flag", allowed });
  }
  const isMany = Object.values(command.flags)
    .some((one) => one.name === positional && one.kind.isMany);
  if (!isMany && before.some((one) => one.startsWith(flag))) {
    const allowed = `flags and one ${positional}, see h3ws ${name} --help`;
    throw new UsageError({ key: name, value, problem: `is one ${positional} too many`, allowed });
  }
  return flag + value;
}

function missing(flag: Flag<unknown>): never {
  throw new UsageError({
    key: `--${flag.name}`,
    value: null,
    problem: "has no value",
    allowed: flag.kind.allowed,
  });
}
