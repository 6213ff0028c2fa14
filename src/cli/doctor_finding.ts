/** How well it stands. Only a "fail" is something that a browser needs. */
export type Level = "ok" | "warn" | "fail" | "skip";

/** What one probe found out. */
export interface Finding {
  /** Stable: `tls`, `ws_h2`. */
  readonly id: string;
  readonly level: Level;
  readonly title: string;
  /** In a few words. */
  readonly value: string;
  /** What to do, in one sentence; empty where there is nothing to do. */
  readonly advice: string;
  /** Header fields, settings and the like, a line for each. */
  readonly details: readonly string[];
}

/** What a probe gives. */
export interface Outcome {
  readonly level: Level;
  readonly value: string;
  readonly advice?: string;
  readonly details?: readonly string[];
  /**
   * Why probes that need this one have nothing to try, `null` where they have. Where it is left out,
   * they have after "ok" and "warn".
   */
  readonly stops?: string | null;
}

export const ok = (value: string, more: Partial<Outcome> = {}): Outcome => ({
  ...{ level: "ok", value },
  ...more,
});

/** Something that a browser does without. */
export const warn = (value: string, advice: string, more: Partial<Outcome> = {}): Outcome => ({
  ...{ level: "warn", value, advice },
  ...more,
});

export const fail = (value: string, advice: string, more: Partial<Outcome> = {}): Outcome => ({
  ...{ level: "fail", value, advice },
  ...more,
});

/** Not tried, and why. */
export const skip = (value: string): Outcome => ({ level: "skip", value });

/** "0.42 ms", "12 ms". */
export function ms(value: number): string {
  return `${value < 10 ? value.toFixed(2) : Math.round(value)} ms`;
}

/** "1 day", "3 days". */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
