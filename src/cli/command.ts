import {
  type ConfigOf,
  type FlagTable,
  type FlagValues,
  isGiven,
  readFlags,
} from "../config/flags.ts";
import type { Io } from "./io.ts";

/** A table of the help. */
export interface Note {
  readonly title: string;
  readonly rows: readonly (readonly [term: string, meaning: string])[];
}

/** What the help of all commands tells of each. */
export interface Listed {
  readonly name: string;
  readonly summary: string;
  /** Whole command lines, the plainest first. */
  readonly examples: readonly string[];
}

/** A command of which no more than that is there until it is asked for: most run one of them. */
export interface LazyCommand extends Listed {
  load(): Promise<Command>;
}

/** One command of `h3ws`: its help, its flags and what it does come from here. */
export interface Command extends Listed {
  readonly flags: FlagTable;
  /** The name of the flag whose value may stand alone: `h3ws bench URL`. */
  readonly positional?: string;
  /** What the help tells behind the flags. */
  readonly notes?: readonly Note[];
  /**
   * Runs it with what was given on the command line; returns the exit code.
   * Throws `UsageError` or `ConfigFileError` (exit code 2), or `CommandError` (1), for one line on
   * stderr.
   */
  run(values: FlagValues, io: Io): Promise<number>;
}

/** What a command could not do, through no fault of ours: one line for the user, exit code 1. */
export class CommandError extends Error {
  override name = "CommandError";
}

/** Why an address can't be had that somebody else listens at; what to do follows. */
export const IN_USE = "the address is in use";

export const ExitCode = { OK: 0, FAILED: 1, USAGE: 2 } as const;

/** Makes a command that gets its flags read, and asks by `given` which of them were given. */
export function defineCommand<T extends FlagTable>(
  spec: Omit<Command, "flags" | "run"> & {
    readonly flags: T;
    run(config: ConfigOf<T>, io: Io, given: (field: keyof T) => boolean): Promise<number>;
  },
): Command {
  const { flags } = spec;
  return {
    ...spec,
    run(values, io) {
      const given = (field: keyof T) => isGiven(flags[field], values, io.env);
      return spec.run(readFlags(flags, values, io.env), io, given);
    },
  };
}
