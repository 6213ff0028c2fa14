/** Prints what was measured, its columns under each other. */
export function printTable(title: string, head: string[], rows: (string | number)[][]): void {
  const lines = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  const line = (cells: string[]) => cells.map((cell, i) => cell.padEnd(widths[i])).join("  ");
  // deno-lint-ignore no-console
  console.log(["", title, ...lines.map((cells) => `  ${line(cells)}`.trimEnd())].join("\n"));
}
