import { quote } from "./error.ts";
import { allowedMistakes, nearestOf } from "./nearest.ts";

/** Where something stands in a file; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong in a configuration file. */
export interface FileFault extends Place {
  readonly file: string;
  /** The way to it: `routes[0].limits.max-frame`; empty for the file as a whole. */
  readonly key: string;
  /** As it was written, or `null` where there is none, or none that may be shown. */
  readonly value: string | null;
  /** Follows the value in a sentence: `is not a size`. */
  readonly problem: string;
  /** What would do, in words; `null` where that is plain. */
  readonly allowed: string | null;
}

/** `h3ws.yaml:3:14: routes[0].limits.max-frame: "12xx" is not a size; allowed: bytes, or ...` */
export function faultLine(fault: FileFault): string {
  const { file, line, column, key, value, problem, allowed } = fault;
  const subject = value === null ? problem : `${quote(value)} ${problem}`;
  const hint = allowed === null
    ? ""
    : `; ${allowed.startsWith("did you") ? "" : "allowed: "}${allowed}`;
  return `${file}:${line}:${column}: ${key === "" ? "" : `${key}: `}${subject}${hint}`;
}

/** A configuration file that can't be used. The message has a line for each fault. */
export class ConfigFileError extends Error {
  override name = "ConfigFileError";
  /** In the order of the file; at least one. */
  readonly faults: readonly FileFault[];

  constructor(faults: readonly FileFault[]) {
    super(faults.map(faultLine).join("\n"));
    this.faults = faults;
  }
}

/** The one of `known` that was meant by `name`: case, and `_` for `-`, do not count. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const allowed = Math.max(1, allowedMistakes(name.length));
  const asWritten = (text: string) => text.toLowerCase().replaceAll("_", "-");
  return nearestOf(name, known, { allowed, asWritten });
}
