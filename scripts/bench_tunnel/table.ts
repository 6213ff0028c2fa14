/** What was measured, as a table in Markdown: medians over the rounds. */

/** What each connection does, as the load names it. */
export type Work = "connect" | "echo" | "alone" | "down" | "up";

/** One run of the load. */
export interface Result {
  /** Connections, round trips, or MiB. */
  operations: number;
  seconds: number;
  /** Of all processes of both ends. */
  cpuSeconds: number;
  p50Us: number;
  p99Us: number;
  errors: number;
  /** The last of them. */
  error: string;
}

/** All runs of one column. */
export type Results = Readonly<Record<Work, readonly Result[]>>;

interface Row {
  title: string;
  work: Work;
  value(result: Result): number;
}

const cpu = (perSecond: number) => ({ cpuSeconds, operations }: Result) =>
  cpuSeconds * perSecond / operations;
const rate = ({ operations, seconds }: Result) => operations / seconds;

const ROWS: readonly Row[] = [
  { title: "connection: CPU µs", work: "connect", value: cpu(1e6) },
  { title: "connections a second", work: "connect", value: rate },
  { title: "connection: p99 ms", work: "connect", value: ({ p99Us }) => p99Us / 1e3 },
  { title: "64 B round trip, 16 at once: CPU µs", work: "echo", value: cpu(1e6) },
  { title: "round trips a second", work: "echo", value: rate },
  { title: "round trip: p99 ms", work: "echo", value: ({ p99Us }) => p99Us / 1e3 },
  { title: "64 B round trip, alone: CPU µs", work: "alone", value: cpu(1e6) },
  { title: "alone: p50 µs", work: "alone", value: ({ p50Us }) => p50Us },
  { title: "alone: p99 µs", work: "alone", value: ({ p99Us }) => p99Us },
  { title: "MiB down: CPU ms", work: "down", value: cpu(1e3) },
  { title: "MiB down a second", work: "down", value: rate },
  { title: "MiB up: CPU ms", work: "up", value: cpu(1e3) },
  { title: "MiB up a second", work: "up", value: rate },
];

/** The value in the middle, or the mean of the two that are. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

/** Three digits, or all of those before the point. */
export function format(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(value, 0.01))));
  return value.toFixed(digits);
}

/** One column for each tunnel. */
export function tableOf(columns: ReadonlyMap<string, Results>): string {
  const lines = [["", ...columns.keys()]];
  for (const { title, work, value } of ROWS) {
    const cells = [...columns.values()].map((results) => format(median(results[work].map(value))));
    lines.push([title, ...cells]);
  }
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  const row = (line: string[]) =>
    `| ${
      line.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join(" | ")
    } |`;
  const rule = widths.map((width, i) => i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`);
  return [row(lines[0]), row(rule), ...lines.slice(1).map(row)].join("\n");
}
