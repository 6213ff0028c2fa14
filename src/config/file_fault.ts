import { quote } from "./error.ts";

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

/** So many letters of a name allow one to be wrong. */
const LETTERS_PER_MISTAKE = 3;

/** The one of `known` that was meant by `name`, if one is near enough. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Math.max(1, Math.floor(name.length / LETTERS_PER_MISTAKE)) + 1;
  for (const one of known) {
    const mistakes = Math.abs(one.length - name.length) < least ? mistakesIn(name, one) : Infinity;
    if (mistakes >= least) continue;
    nearest = one;
    least = mistakes;
  }
  return nearest;
}

/** How many letters are missing, superfluous, wrong, or swapped; case and `_` for `-` do not count. */
function mistakesIn(name: string, other: string): number {
  const [a, b] = [name, other].map((text) => text.toLowerCase().replaceAll("_", "-"));
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const wrong = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + wrong);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}
