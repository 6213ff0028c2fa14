import type { Flag } from "../config/flags.ts";
import type { Command } from "./command.ts";
import { isSwitch } from "./normalize.ts";

/** What may stand for a value. */
export type Value =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "file" }
  | { readonly kind: "directory" }
  /** What no shell can foresee. */
  | { readonly kind: "any"; readonly noun: string };

export interface FlagSpec {
  readonly name: string;
  readonly short: string | null;
  readonly about: string;
  /** `null` for a switch. */
  readonly value: Value | null;
  readonly isMany: boolean;
}

export interface CommandSpec {
  readonly name: string;
  readonly about: string;
  readonly flags: readonly FlagSpec[];
  /** What may stand without a flag. */
  readonly positional: Value | null;
}

/** The command that flags alone are for. */
export const UNNAMED = "proxy";

const ALWAYS: readonly FlagSpec[] = [
  { name: "help", short: "h", about: "tell this", value: null, isMany: false },
  { name: "version", short: "V", about: "tell the version", value: null, isMany: false },
];

/** What a shell can complete, out of the tables of the help. */
export function specsOf(commands: readonly Command[]): CommandSpec[] {
  const names = [...commands.map(({ name }) => name), "help"];
  const specs = commands.map((command): CommandSpec => {
    const flags = Object.values(command.flags);
    const positional = flags.find(({ name }) => name === command.positional);
    return {
      name: command.name,
      about: command.summary,
      flags: [...flags.map(flagSpec), ...ALWAYS],
      positional: positional === undefined ? null : valueOf(positional),
    };
  });
  const help: CommandSpec = {
    ...{ name: "help", about: "tell the flags of a command", flags: ALWAYS },
    positional: { kind: "words", words: names },
  };
  return [...specs, help];
}

function flagSpec(flag: Flag<unknown>): FlagSpec {
  const { name, short = null, meaning: about, kind } = flag;
  const value = isSwitch(flag) ? null : valueOf(flag);
  return { name, short, about, value, isMany: kind.isMany ?? false };
}

function valueOf({ kind: { words, placeholder } }: Flag<unknown>): Value {
  if (words !== undefined) return { kind: "words", words };
  if (placeholder === "file" || placeholder === "directory") return { kind: placeholder };
  return { kind: "any", noun: placeholder };
}
