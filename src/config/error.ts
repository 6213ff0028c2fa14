import { visible } from "../protocol/wire/visible.ts";

/** What is wrong with a value, before it is known where the value came from. */
export class ValueError extends Error {
  override name = "ValueError";
  /** Follows the value in a sentence: `is not a size`. */
  readonly problem: string;
  readonly allowed: string;
  /** Of several values the one that is wrong. */
  readonly value?: string;

  constructor(problem: string, allowed: string, value?: string) {
    super(problem);
    this.problem = problem;
    this.allowed = allowed;
    this.value = value;
  }
}

/** A flag or an environment variable that can't be used: one line for the user, exit code 2. */
export class UsageError extends Error {
  /** The name of the class. */
  override name = "UsageError";
  /** As the user wrote it: `--max-frame` or `H3WS_MAX_FRAME`. */
  readonly key: string;
  /** `null` when there is none. */
  readonly value: string | null;
  /** What would do, in words. */
  readonly allowed: string;

  /** An error whose message is that one line. */
  constructor(given: { key: string; value: string | null; problem: string; allowed: string }) {
    const { key, value, problem, allowed } = given;
    const subject = value === null ? problem : `${quote(value)} ${problem}`;
    super(`${key}: ${subject}; allowed: ${allowed}`);
    this.key = key;
    this.value = value;
    this.allowed = allowed;
  }
}

const MAX_SHOWN = 200;

/** The text in quotes, on one line, cut when it is very long. */
export function quote(text: string): string {
  const shown = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
  return `"${visible(shown).replaceAll("\t", "\\u0009")}"`;
}
