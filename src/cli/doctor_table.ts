import { visible } from "../protocol/wire/visible.ts";
import type { Finding, Level } from "./doctor_finding.ts";
import { count } from "./doctor_finding.ts";

/** ECMA-48 §8.3.117 */
const COLOURS: Readonly<Record<Level, string>> = { ok: "32", warn: "33", fail: "31", skip: "2" };
const LEVELS: readonly Level[] = ["fail", "warn", "ok", "skip"];

/** What writes a table as its findings come, those that `titles` has; and the line with their numbers. */
export function findingTable(titles: readonly string[], colours: boolean) {
  const width = Math.max(...titles.map((title) => title.length));
  return {
    row: (finding: Finding) => `${findingLines(finding, width, colours).join("\n")}\n`,
    end: (findings: readonly Finding[]) => {
      const numbers = LEVELS.map((level) =>
        `${findings.filter((one) => one.level === level).length} ${level}`
      );
      return `\n${count(findings.length, "finding")}: ${numbers.join(", ")}\n`;
    },
  };
}

function findingLines(finding: Finding, width: number, colours: boolean): string[] {
  const { level, title, value, advice, details } = finding;
  const paint = (text: string, code: string) => colours ? `\x1b[${code}m${text}\x1b[0m` : text;
  const indent = " ".repeat(6 + width + 2);
  return [
    `${paint(level.padEnd(4), COLOURS[level])}  ${title.padEnd(width)}  ${visible(value)}`,
    ...details.map((line) => `${indent}${paint(visible(line), COLOURS.skip)}`),
    ...(advice === "" ? [] : [`${indent}-> ${visible(advice)}`]),
  ];
}
